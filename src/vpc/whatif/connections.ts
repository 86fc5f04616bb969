/**
 * How many connections an instance would have tracked: all of them, as if every rule of its groups
 * made it so. Time-outs are EC2's ("Idle connection tracking timeout"), those of the end of a TCP
 * connection the switch's.
 */
import { ipProtocol } from '../../net/ipv4.ts';
import type { Headers } from '../../net/parse.ts';
import { tcpFlag } from '../../net/tcp.ts';

const second = 1e9;
const idleNs = { established: 432_000 * second, ended: 10 * second, udp: 30 * second };
const otherNs = 600 * second;
/** Records at most, whatever the type allows. */
const mostRecords = 2_000_000;
const sweepEveryNs = second;

export class Connections {
  readonly #maximum: number;
  /** When each is over, by both ends and the protocol. */
  readonly #ends = new Map<string, number>();
  #sweptAt = 0;
  /** The most that there were at a time. */
  peak = 0;

  constructor(maximum: number) {
    this.#maximum = Math.min(maximum, mostRecords);
  }

  /** Whether the packet is of a connection, or begins one that is tracked; false: no room for it. */
  allows(h: Headers, now: number): boolean {
    if (h.ipVersion === 0) return true;
    const key = keyOf(h);
    const end = this.#ends.get(key);
    if (end === undefined || end < now) {
      if (this.#ends.size >= this.#maximum) this.#sweep(now);
      if (this.#ends.size >= this.#maximum && end === undefined) return false;
    }
    this.#ends.set(key, now + idleOf(h));
    this.peak = Math.max(this.peak, this.#ends.size);
    return true;
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < sweepEveryNs) return;
    this.#sweptAt = now;
    for (const [key, end] of this.#ends) if (end < now) this.#ends.delete(key);
  }
}

function idleOf(h: Headers): number {
  if (h.l4Protocol === ipProtocol.tcp)
    return (h.tcpFlags & (tcpFlag.fin | tcpFlag.rst)) !== 0 ? idleNs.ended : idleNs.established;
  const isShort = h.l4Protocol === ipProtocol.udp || h.icmpType >= 0;
  return isShort ? idleNs.udp : otherNs;
}

/** The same for both directions. */
function keyOf(h: Headers): string {
  const upper = h.ipVersion === 6;
  const from = `${upper ? `${h.src0},${h.src1},${h.src2},` : ''}${h.src}:${h.srcPort}`;
  const to = `${upper ? `${h.dst0},${h.dst1},${h.dst2},` : ''}${h.dst}:${h.dstPort}`;
  return from < to ? `${h.l4Protocol} ${from} ${to}` : `${h.l4Protocol} ${to} ${from}`;
}
