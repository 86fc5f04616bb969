/**
 * Whether one end reaches another, and which gate is closed if not, without a packet being sent: a
 * reachability analyser. The evaluator judges a request and its reply gate by gate, on every part
 * of the way: through appliances that pass it on, out of an internet gateway and in again.
 */
import { R, type Reason, type ReasonName, reasonNames, reasons } from '../net/reasons.ts';
import { evaluate, type Gate, type Judgement, publicAddressOf } from './evaluate.ts';
import { same, versionOf } from './evaluate-address.ts';
import { hasPorts, icmpQueries, type Packet, protocols, reversed } from './evaluate-packet.ts';
import { isGateway, subnetOf, vpcOf } from './evaluate-routes.ts';
import { owns } from './evaluate-rules.ts';
import { type History, newHistory } from './evaluate-tracking.ts';
import { type End, findEnd, ownerOfPublic, privateOf, QuestionError } from './explain-ends.ts';
import { ephemeralPorts, type PortRange } from './explain-ports.ts';
import type { NetworkInterface, VpcModel } from './model.ts';

export type Question = {
  /** An instance, an interface, or an address. */
  readonly from: string;
  readonly to: string;
  /** An IP protocol number. */
  readonly protocol: number;
  readonly version?: 4 | 6;
  readonly port?: number;
  /** Any of Linux's ephemeral ports unless told. */
  readonly sourcePort?: number;
  /** ICMP: an echo request unless told. */
  readonly icmpType?: number;
  readonly icmpCode?: number;
};

/** One part of the way: from an interface, or a gateway, to the next one. */
export type Leg = { readonly packet: Packet; readonly judgement: Judgement };

export type Explanation = {
  readonly from: End;
  readonly to: End;
  readonly protocol: number;
  readonly port: number | null;
  readonly reachable: boolean;
  readonly request: readonly Leg[];
  /** Where the request is closed: as if it had passed all groups, so that the rest is seen too. */
  readonly reply: readonly Leg[];
  /** The gate that closed, of the request or else of the reply. */
  readonly closed: Closed | null;
  /** Ephemeral ports of the asker whose replies do not come back; empty unless some do. */
  readonly closedPorts: readonly PortRange[];
  /** What the network remembers after the request. */
  readonly history: History;
};

export type Closed = {
  readonly direction: 'request' | 'reply';
  readonly leg: Leg;
  readonly gate: Gate;
  readonly reason: string;
  readonly text: string;
};

/** An appliance after an appliance: more are a circle. */
const maxLegs = 8;

/** Throws a QuestionError when the question has no sense in this model. */
export function explain(model: VpcModel, question: Question): Explanation {
  const version = question.version ?? (question.to.includes(':') ? 6 : 4);
  const from = findEnd(model, question.from, version);
  const to = findEnd(model, question.to, version);
  check(model, question, from, to);
  const ports = question.sourcePort === undefined ? ephemeralPorts(model) : [];
  const sourcePort = question.sourcePort ?? ports[0]?.from ?? 0;
  const first = ask(model, question, from, to, sourcePort);
  if (!hasPorts(question) || ports.length === 0) return first;
  const all = ports.map((range) => ({ range, answer: ask(model, question, from, to, range.from) }));
  const shut = all.filter(({ answer }) => !answer.reachable);
  const worst = shut[0]?.answer ?? first;
  const closedPorts = shut.length < all.length ? shut.map(({ range }) => range) : [];
  return { ...worst, closedPorts };
}

function check(model: VpcModel, question: Question, from: End, to: End): void {
  if (from.interface === null && to.interface === null)
    throw new QuestionError(`neither ${from.name} nor ${to.name} is in a VPC of this network`);
  if (versionOf(from.address) !== versionOf(to.address))
    throw new QuestionError(`${from.address} and ${to.address} are not of one version of IP`);
  if (from.interface !== null && from.interface.id === to.interface?.id)
    throw new QuestionError(`${from.name} and ${to.name} are the same interface`);
  if (hasPorts(question) && question.port === undefined)
    throw new QuestionError('TCP and UDP need --port');
  if (from.interface === null && to.interface !== null && gatewayOf(model, to.interface) === null)
    throw new QuestionError(`the VPC of ${to.name} has no internet gateway`);
}

/** The request and its reply, for one port of the asker. */
function ask(
  model: VpcModel,
  question: Question,
  from: End,
  to: End,
  sourcePort: number,
): Explanation {
  const history = newHistory();
  const flow = flowOf(question, from, to, sourcePort);
  const home = from.interface === null ? from.address : privateOf(from.interface, from.address);
  const request = travel(model, history, firstPacket(model, from, to, flow), to.address);
  const reply = !isAnswered(flow)
    ? []
    : arrived(request)
      ? travel(model, history, answerTo(to, request, flow), home)
      : supposedReply(model, from, to, flow, home);
  const closed = closedIn('request', request) ?? closedIn('reply', reply);
  const port = question.port ?? null;
  const { protocol } = question;
  const rest = { history, closedPorts: [], reachable: closed === null };
  return { from, to, protocol, port, request, reply, closed, ...rest };
}

/** The reply of a request that did not arrive, as if all groups were open to both. */
function supposedReply(
  model: VpcModel,
  from: End,
  to: End,
  flow: Omit<Packet, 'from' | 'to'>,
  home: string,
): readonly Leg[] {
  if (to.interface === null && gatewayOf(model, from.interface as NetworkInterface) === null)
    return [];
  const first = firstPacket(model, to, from, replyTo(flow));
  return travel(withOpenGroups(model), newHistory(), first, home).map(assumed);
}

/** Of a leg through groups that were opened for the question. */
function assumed({ packet, judgement }: Leg): Leg {
  const gates = judgement.gates.map((gate): Gate => {
    return gate.how === undefined ? gate : { ...gate, rule: null, how: 'assumed' };
  });
  return { packet, judgement: { ...judgement, gates } };
}

function flowOf(
  { protocol, port, icmpType, icmpCode = 0 }: Question,
  from: End,
  to: End,
  sourcePort: number,
): Omit<Packet, 'from' | 'to'> {
  const ends = { source: from.address, destination: to.address, protocol };
  if (hasPorts(ends)) return { ...ends, sourcePort, destinationPort: port ?? 0 };
  const isIcmp = protocol === protocols.icmp || protocol === protocols.icmp6;
  if (!isIcmp) return ends;
  const echo = protocol === protocols.icmp ? 8 : 128;
  return { ...ends, icmpType: icmpType ?? echo, icmpCode, icmpId: 1 };
}

/** ICMP other than queries has no reply. */
const isAnswered = ({ icmpType }: Omit<Packet, 'from' | 'to'>): boolean =>
  icmpType === undefined || icmpQueries.some(([query]) => query === icmpType);

/** What would come back: the other way, the answer to an ICMP query. */
function replyTo(flow: Omit<Packet, 'from' | 'to'>): Omit<Packet, 'from' | 'to'> {
  const answer = icmpQueries.find(([query]) => query === flow.icmpType)?.[1];
  const back = reversed(flow);
  return answer === undefined ? back : { ...back, icmpType: answer };
}

/** The groups let all in and out: what is left are routes, ACLs and address checks. */
export function withOpenGroups(model: VpcModel): VpcModel {
  const all = (id: string) => [
    { id: `${id}-open4`, protocol: -1, peer: { cidr: '0.0.0.0/0' } },
    { id: `${id}-open6`, protocol: -1, peer: { cidr: '::/0' } },
  ];
  const securityGroups = model.securityGroups.map((group) => ({
    ...group,
    inbound: all(group.id),
    outbound: all(group.id),
  }));
  return { ...model, securityGroups };
}

/** Leg by leg, until it is there, or a gate is closed. `end`: the address that it is for at last. */
export function travel(
  model: VpcModel,
  history: History,
  first: Packet,
  end: string,
): readonly Leg[] {
  const legs: Leg[] = [];
  let packet: Packet | null = first;
  while (packet !== null && legs.length < maxLegs) {
    const judgement: Judgement = evaluate(model, history, packet, 0);
    legs.push({ packet, judgement });
    packet = nextPacket(model, packet, judgement.deliveredTo, end);
  }
  return legs;
}

/** An interface sends from its private address; what is outside comes in by the gateway. */
function firstPacket(
  model: VpcModel,
  from: End,
  to: End,
  flow: Omit<Packet, 'from' | 'to'>,
): Packet {
  if (from.interface !== null) {
    const source = privateOf(from.interface, from.address);
    return { ...flow, from: from.interface.id, to: 'router', source };
  }
  const at = to.interface as NetworkInterface;
  const destination = privateOf(at, to.address);
  return { ...flow, from: gatewayOf(model, at) ?? 'igw-', to: 'router', destination };
}

/** What the receiver of the request answers: to the address that it saw, from where it got it. */
function answerTo(to: End, request: readonly Leg[], flow: Omit<Packet, 'from' | 'to'>): Packet {
  const last = request.at(-1);
  const back = replyTo(last?.packet ?? flow);
  const from = to.interface?.id ?? last?.judgement.deliveredTo ?? 'igw-';
  return { ...back, from, to: 'router' };
}

/** What an appliance or a gateway passes on; null: it goes no further. */
function nextPacket(
  model: VpcModel,
  packet: Packet,
  reached: string | null,
  end: string,
): Packet | null {
  if (reached === null) return null;
  const nat = model.natGateways.find(({ id }) => id === reached);
  if (nat !== undefined) {
    const inward = same(packet.destination, nat.address);
    const ends = inward ? { destination: end } : { source: nat.address };
    return { ...packet, ...ends, from: nat.id, to: 'router' };
  }
  if (isGateway(reached)) return enteringAgain(model, packet);
  const at = model.interfaces.find(({ id }) => id === reached);
  if (at === undefined || owns(at, packet.destination)) return null;
  return { ...packet, from: reached, to: 'router' };
}

/** A public address of an interface of this region: the packet comes back in, from a public one. */
function enteringAgain(model: VpcModel, packet: Packet): Packet | null {
  const to = ownerOfPublic(model, packet.destination);
  const gateway = to === undefined ? null : gatewayOf(model, to);
  if (to === undefined || gateway === null) return null;
  const sender = model.interfaces.find(({ id }) => id === packet.from);
  const nat = model.natGateways.find(({ id }) => id === packet.from);
  const translated = sender === undefined ? null : publicAddressOf(sender, packet.source);
  const source = translated ?? nat?.publicAddress ?? packet.source;
  const destination = privateOf(to, packet.destination);
  return { ...packet, from: gateway, to: 'router', source, destination };
}

/** The internet gateway of an interface's VPC. */
export function gatewayOf(model: VpcModel, at: NetworkInterface): string | null {
  const { id } = vpcOf(model, subnetOf(model, at));
  return model.internetGateways.find(({ vpc }) => vpc === id)?.id ?? null;
}

const arrived = (legs: readonly Leg[]): boolean => {
  const last = legs.at(-1);
  return last !== undefined && last.judgement.reason === R.delivered && legs.length < maxLegs;
};

function closedIn(direction: Closed['direction'], legs: readonly Leg[]): Closed | null {
  const leg = legs.at(-1);
  const gate = leg?.judgement.gates.at(-1);
  if (leg === undefined || gate === undefined) return null;
  if (legs.length === maxLegs) return { direction, leg, gate, reason: 'loop', text: circle };
  if (gate.reason === R.delivered) return null;
  return { direction, leg, gate, ...said(gate.reason) };
}

const circle = 'the appliances on the way pass it on in a circle';

/** A reason by name, and in words. */
export function said(code: Reason): { reason: ReasonName; text: string } {
  const reason = reasonNames[code] ?? 'delivered';
  return { reason, text: reasons[reason][1] };
}
