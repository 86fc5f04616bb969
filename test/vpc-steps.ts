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
  readonly #connections = new Map<string, Packet>();
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
    this.#connections.set(step.connect, syn);
    const synAck = { ...answer(syn, step.to), tcpFlags: flags.synAck };
    return [...pairOf(syn, synAck, step), ...then(step, { ...syn, tcpFlags: flags.ack })];
  }

  #talk(step: Extract<Step, { talk: string }>): Expected[] {
    const syn = this.#connections.get(step.talk);
    if (syn === undefined) throw new Error(`there is no connection ${step.talk}`);
    const ask = { ...syn, tcpFlags: flags.data };
    return pairOf(ask, answer(ask, syn.destination.endsWith('0') ? 'a' : 'b'), step);
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

/** A request and its reply, and where they shall end. */
function pairOf(
  request: Packet,
  reply: Packet,
  { fails, in: where = 'request' }: Ending,
): Expected[] {
  if (fails === undefined)
    return [
      { packet: request, is: 'delivered' },
      { packet: reply, is: 'delivered' },
    ];
  if (where === 'request') return [{ packet: request, is: fails }];
  return [
    { packet: request, is: 'delivered' },
    { packet: reply, is: fails },
  ];
}

const then = ({ fails }: Ending, packet: Packet): Expected[] =>
  fails === undefined ? [{ packet, is: 'delivered' }] : [];
