/**
 * What a step of a behaviour is in packets: a handshake is three, a question and its answer two.
 * Each with what shall become of it; after one that does not arrive the rest is not sent.
 */
import type { ReasonName } from '../src/net/reasons.ts';
import { type Packet, reversed } from '../src/vpc/evaluate-packet.ts';
import type { Ending, Step } from './vpc-behaviours.ts';
import { addresses, addresses6, type Name } from './vpc-pair.ts';

export type Expected = { readonly packet: Packet; readonly is: ReasonName };

const flags = { syn: 0x02, synAck: 0x12, ack: 0x10, data: 0x18 } as const;

/** Turns steps into packets; remembers the connections that steps name. */
export class Packets {
  readonly #connections = new Map<string, { readonly syn: Packet; readonly through: 'm' | null }>();
  #nextPort = 40_000;

  of(step: Step): Expected[] {
    if ('packet' in step) return 'is' in step ? [step] : [];
    if ('connect' in step) return this.#connect(step);
    if ('talk' in step) return this.#talk(step);
    if ('ask' in step) return this.#ask(step);
    return 'ping' in step ? this.#ping(step) : [];
  }

  #connect(step: Extract<Step, { connect: string }>): Expected[] {
    const sourcePort = this.#nextPort++;
    const syn: Packet = {
      ...between(step.from, step.to, step.version),
      ...{ protocol: 6, sourcePort, destinationPort: step.port, tcpFlags: flags.syn },
    };
    const { through = null } = step;
    this.#connections.set(step.connect, { syn, through });
    const synAck = { ...answer(syn, step.to), tcpFlags: flags.synAck };
    const ack = { ...syn, tcpFlags: flags.ack };
    const done = step.fails === undefined ? legsOf(ack, 'delivered', through) : [];
    return [...pairOf(syn, synAck, step, through), ...done];
  }

  #talk(step: Extract<Step, { talk: string }>): Expected[] {
    const known = this.#connections.get(step.talk);
    if (known === undefined) throw new Error(`there is no connection ${step.talk}`);
    const { syn, through } = known;
    const ask = { ...syn, tcpFlags: flags.data };
    return pairOf(ask, answer(ask, ownerOf(syn.destination)), step, through);
  }

  #ask(step: Extract<Step, { ask: number }>): Expected[] {
    const sourcePort = this.#nextPort++;
    const ask: Packet = {
      ...between(step.from, step.to),
      ...{ protocol: 17, sourcePort, destinationPort: step.ask },
    };
    const back = answer(ask, step.to);
    if (!step.closed) return pairOf(ask, back, step);
    const { source, destination } = back;
    const error: Packet = {
      ...{ from: back.from, to: 'router', source, destination, protocol: 1 },
      ...{ icmpType: 3, icmpCode: 3, icmpId: 0, about: ask },
    };
    return pairOf(ask, error, step);
  }

  #ping(step: Extract<Step, { ping: number }>): Expected[] {
    const is6 = step.version === 6;
    const request: Packet = {
      ...between(step.from, step.to, step.version),
      ...{ protocol: is6 ? 58 : 1, icmpType: is6 ? 128 : 8, icmpCode: 0, icmpId: step.ping },
    };
    return pairOf(request, { ...answer(request, step.to), icmpType: is6 ? 129 : 0 }, step);
  }
}

function between(
  from: Name,
  to: Name,
  version?: 6,
): Pick<Packet, 'from' | 'to' | 'source' | 'destination'> {
  const own = version === 6 ? addresses6 : addresses;
  return { from: `eni-${from}`, to: 'router', source: own[from], destination: own[to] };
}

const answer = (packet: Packet, from: Name): Packet => ({
  ...packet,
  ...reversed(packet),
  from: `eni-${from}`,
});

const ownerOf = (address: string): Name =>
  address === addresses.a || address === addresses6.a ? 'a' : 'b';

/** A request and its reply, and where they shall end. */
function pairOf(
  request: Packet,
  reply: Packet,
  { fails, in: where = 'request' }: Ending,
  through: 'm' | null = null,
): Expected[] {
  if (fails === undefined)
    return [...legsOf(request, 'delivered', through), ...legsOf(reply, 'delivered', through)];
  if (where === 'request') return legsOf(request, fails, through);
  return [...legsOf(request, 'delivered', through), ...legsOf(reply, fails, through)];
}

/** By way of an appliance a packet is sent twice: the second time decides. */
function legsOf(packet: Packet, is: ReasonName, through: 'm' | null): Expected[] {
  if (through === null) return [{ packet, is }];
  return [
    { packet, is: 'delivered' },
    { packet: { ...packet, from: `eni-${through}` }, is },
  ];
}
