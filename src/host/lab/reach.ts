/**
 * Who reaches whom in a VPC: what is asked with real packets, what the rules say, and whether both
 * are the same. Asked is a ping, and TCP on the ports that the VPC's rules name; a server on each
 * guest answers on all of them, so that what decides is the network.
 */
import { type Explanation, explain } from '../../vpc/explain.ts';
import type { SecurityGroup, VpcModel } from '../../vpc/model.ts';

/** A kind of traffic that is asked for. */
export type Service = { readonly protocol: 'icmp' | 'tcp'; readonly port: number | null };

export type Asked = Service & { readonly from: string; readonly to: string };

export type Probe = Asked & {
  /** The request arrived, and its answer came back. */
  readonly reached: boolean;
  /** The same, as the rules say it. */
  readonly expected: boolean;
  /** The gate that is closed, as the rules say it; null: none. */
  readonly closed: ClosedGate | null;
};

export type ClosedGate = {
  readonly direction: 'request' | 'reply';
  readonly reason: string;
  /** `inbound groups`, `network ACL out`, ... */
  readonly gate: string;
  /** Of what: the id of an interface, subnet or route table. */
  readonly at: string;
  readonly rule: string | null;
};

/** As many as are read at a glance. */
const maxPorts = 6;
const allPorts = { from: 0, to: 65_535 };
/** Where no rule names a port. */
const commonPort = 22;

const protocolNumbers = { icmp: 1, tcp: 6 } as const;

/** A ping, and the TCP ports that rules name: of a range the first. */
export function servicesOf({ securityGroups, interfaces }: VpcModel): Service[] {
  const used = new Set(interfaces.flatMap(({ groups }) => groups));
  const ports = securityGroups
    .filter(({ id }) => used.has(id))
    .flatMap(portsOf)
    .sort((a, b) => a - b);
  const unique = [...new Set(ports.length === 0 ? [commonPort] : ports)].slice(0, maxPorts);
  const tcp = unique.map((port): Service => ({ protocol: 'tcp', port }));
  return [{ protocol: 'icmp', port: null }, ...tcp];
}

function portsOf({ inbound, outbound }: SecurityGroup): number[] {
  return [...inbound, ...outbound].flatMap(({ protocol, fromPort, toPort }) => {
    const isAll = fromPort === allPorts.from && toPort === allPorts.to;
    return protocol !== protocolNumbers.tcp || isAll ? [] : (fromPort ?? []);
  });
}

/** Everybody asks everybody else for everything. */
export function questionsOf(names: readonly string[], services: readonly Service[]): Asked[] {
  return names.flatMap((from) =>
    names
      .filter((to) => to !== from)
      .flatMap((to) => services.map((service) => ({ ...service, from, to }))),
  );
}

/** What was measured beside what the rules say. */
export function judge(model: VpcModel, asked: Asked, reached: boolean): Probe {
  const { from, to, protocol, port } = asked;
  const answer = explain(model, {
    ...{ from, to, protocol: protocolNumbers[protocol] },
    ...(port !== null && { port }),
  });
  return { ...asked, reached, expected: answer.reachable, closed: closedOf(answer) };
}

function closedOf({ closed }: Explanation): ClosedGate | null {
  if (closed === null) return null;
  const { direction, reason, gate } = closed;
  return { direction, reason, gate: gate.gate, at: gate.at, rule: gate.rule };
}

/** `ping`, `tcp 22` */
export const serviceWord = ({ port }: Service): string => (port === null ? 'ping' : `tcp ${port}`);

// What runs in guests.

/** Answers on each port, as long as the guest runs. */
export function serverScript(services: readonly Service[]): string {
  const ports = services.flatMap(({ port }) => port ?? []);
  return ports
    .map((port) => `busybox nc -ll -p ${port} -e busybox echo ${greeting} > /dev/null 2>&1 &`)
    .join('\n');
}

const greeting = 'virtfn-reached';
const waitSeconds = 3;

/** Asks for everything at once; prints the numbers of the questions that were answered. */
export function clientScript(
  questions: readonly Asked[],
  addressOf: (name: string) => string,
): string {
  const lines = questions.map(({ to, port }, i) => {
    const address = addressOf(to);
    const ask =
      port === null
        ? `ping -n -q -c 1 -W ${waitSeconds} ${address} > /dev/null 2>&1`
        : `busybox nc -w ${waitSeconds} ${address} ${port} < /dev/null 2> /dev/null | grep -q ${greeting}`;
    return `( ${ask} && echo ${i} ) &`;
  });
  return [...lines, 'wait'].join('\n');
}

/** Which questions were answered. */
export function parseAnswers(output: string): Set<number> {
  return new Set(output.split(/\s+/).filter(Boolean).map(Number));
}
