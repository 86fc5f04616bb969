/**
 * A gate: the meters that a frame has to pass together, of bytes and of packets. One that passes
 * pays at all of them, one that waits has paid already; one that cannot even wait pays nothing.
 *
 * Most frames meet nothing, so most take the short way (`passes`): for the time of a burst the gate
 * knows how much all meters have left together, and writes to them what has passed when somebody
 * else looks at them, or time goes on. Gates that share meters share a `Tab`, so that one of them at
 * most has something to write.
 */

import type { PortLoan } from '../../net/loans.ts';
import { R, type Reason } from '../../net/reasons.ts';
import type { Meter } from './meter.ts';

export const verdict = { now: 0, later: 1, never: 2 } as const;

/** Where a gate's short way keeps its numbers: the burst's time, what is left, what was there. */
const at = { time: 0, bytes: 1, packets: 2, allBytes: 3, allPackets: 4 } as const;

/** Which of the gates that share meters has frames that are not written to them yet. */
export class Tab {
  gate: Gate | null = null;
  /** A fast path has what one of the gates has left. */
  isLent = false;

  /** Writes them. */
  settle(): void {
    const { gate } = this;
    this.gate = null;
    gate?.settle();
  }
}

export class Gate {
  readonly bytes: readonly Meter[];
  /** Shared with the gate of the other direction; null: no limit. */
  readonly packets: Meter | null;
  readonly #tab: Tab;
  /** Of all flows together, where each has a limit: below it the short way does for them too. */
  readonly #flows: Meter | null;
  readonly #short = new Float64Array(5);
  /** What the last frame met that could not go at once. */
  why: Reason = R.delivered;

  constructor(
    bytes: readonly Meter[],
    packets: Meter | null,
    tab = new Tab(),
    flows: Meter | null = null,
  ) {
    this.bytes = bytes;
    this.packets = packets;
    this.#tab = tab;
    this.#flows = flows;
  }

  /** Whether a frame goes at once, and has paid; false: `judge` has to be asked. */
  passes(bytes: number, packets: number, now: number): boolean {
    const short = this.#short;
    if (this.#tab.gate !== this || short[at.time] !== now) {
      short[at.time] = now; // not as an argument, which would be an object
      if (!this.#begin()) return false;
    }
    const bytesLeft = short[at.bytes] as number;
    const packetsLeft = short[at.packets] as number;
    if (!(bytesLeft > 0 && packetsLeft > 0)) return false;
    short[at.bytes] = bytesLeft - bytes;
    short[at.packets] = packetsLeft - packets;
    return true;
  }

  /** Lends what is left for a burst; false: `judge` has to be asked, or it is lent already. */
  lend(loan: PortLoan, now: number): boolean {
    const short = this.#short;
    const tab = this.#tab;
    if (tab.isLent) return false;
    if (tab.gate !== this || short[at.time] !== now) {
      short[at.time] = now;
      if (!this.#begin()) return false;
    }
    loan.bytesLeft = short[at.bytes] as number;
    loan.packetsLeft = short[at.packets] as number;
    if (loan.bytesLeft <= 0 || loan.packetsLeft <= 0) return false;
    tab.isLent = true;
    return true;
  }

  takeBack(loan: PortLoan): void {
    this.#short[at.bytes] = loan.bytesLeft;
    this.#short[at.packets] = loan.packetsLeft;
    this.#tab.isLent = false;
  }

  /** Writes to the meters what is not there yet, for whoever looks at them. */
  write(): void {
    this.#tab.settle();
  }

  /** Called by the tab: what has passed the short way is paid. */
  settle(): void {
    const short = this.#short;
    const bytes = (short[at.allBytes] as number) - (short[at.bytes] as number);
    const packets = (short[at.allPackets] as number) - (short[at.packets] as number);
    for (let i = 0; i < this.bytes.length; i++) (this.bytes[i] as Meter).take(bytes);
    this.packets?.take(packets);
    this.#flows?.take(bytes);
  }

  /** Looks at the meters for a burst that has just got its time; false: one has nothing left. */
  #begin(): boolean {
    this.#tab.settle();
    const short = this.#short;
    short[at.bytes] = unlimited;
    short[at.packets] = unlimited;
    for (let i = 0; i < this.bytes.length; i++) lower(short, at.bytes, this.bytes[i] as Meter);
    if (this.#flows !== null) lower(short, at.bytes, this.#flows);
    if (this.packets !== null) lower(short, at.packets, this.packets);
    const bytes = short[at.bytes] as number;
    const packets = short[at.packets] as number;
    if (bytes <= 0 || packets <= 0) return false;
    short[at.allBytes] = bytes;
    short[at.allPackets] = packets;
    this.#tab.gate = this;
    return true;
  }

  /** One of `verdict`, for a frame that comes now. */
  judge(now: number): number {
    this.#tab.settle();
    const { bytes, packets } = this;
    let found: number = verdict.now;
    for (let i = 0; i < bytes.length; i++) {
      const meter = bytes[i] as Meter;
      meter.refresh(now);
      if (meter.isOpen) continue;
      this.why = R.bandwidthExceeded;
      if (meter.isShut) return verdict.never;
      found = verdict.later;
    }
    if (packets === null) return found;
    packets.refresh(now);
    if (packets.isOpen) return found;
    if (found === verdict.now || packets.isShut) this.why = R.packetRateExceeded;
    return packets.isShut ? verdict.never : verdict.later;
  }

  take(bytes: number, packets: number): void {
    for (let i = 0; i < this.bytes.length; i++) (this.bytes[i] as Meter).take(bytes);
    this.packets?.take(packets);
  }

  /** A frame begins to wait, which has been taken; or ends, with negative numbers. */
  wait(bytes: number, packets: number): void {
    for (let i = 0; i < this.bytes.length; i++) (this.bytes[i] as Meter).wait(bytes);
    this.packets?.wait(packets);
  }

  /** Nanoseconds until the oldest frame that waits may go. */
  waitNs(now: number): number {
    this.#tab.settle();
    let longest = 0;
    for (let i = 0; i < this.bytes.length; i++) {
      const meter = this.bytes[i] as Meter;
      meter.refresh(now);
      longest = Math.max(longest, meter.waitNs());
    }
    if (this.packets === null) return longest;
    this.packets.refresh(now);
    return Math.max(longest, this.packets.waitNs());
  }

  /** Nanoseconds that a frame waits which is taken now. */
  delayNs(): number {
    let longest = this.packets?.delayNs() ?? 0;
    for (let i = 0; i < this.bytes.length; i++)
      longest = Math.max(longest, (this.bytes[i] as Meter).delayNs());
    return longest;
  }
}

/** More than passes in any burst, and exact in sums of whole bytes. */
const unlimited = 2 ** 50;

/** Lowers what is left there to what the meter has left; nothing is passed that would be an object. */
function lower(short: Float64Array, there: number, meter: Meter): void {
  meter.refresh(short[at.time] as number);
  short[there] = Math.min(short[there] as number, meter.level + meter.credits);
}
