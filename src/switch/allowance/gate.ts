/**
 * A gate: the meters that a frame has to pass together, of bytes and of packets. One that passes
 * pays at all of them, one that waits has paid already; one that cannot even wait pays nothing.
 */
import { R, type Reason } from '../../net/reasons.ts';
import { level, type Meter, time } from './meter.ts';

export const verdict = { now: 0, later: 1, never: 2 } as const;

export class Gate {
  readonly bytes: readonly Meter[];
  /** Shared with the gate of the other direction; null: no limit. */
  readonly packets: Meter | null;
  /** All of them, and their states: what each frame looks at. */
  readonly #meters: readonly Meter[];
  readonly #states: readonly Float64Array[];
  /** What the last frame met that could not go at once. */
  why: Reason = R.delivered;

  constructor(bytes: readonly Meter[], packets: Meter | null) {
    this.bytes = bytes;
    this.packets = packets;
    this.#meters = packets === null ? bytes : [...bytes, packets];
    this.#states = this.#meters.map(({ state }) => state);
  }

  /** Whether a frame that comes now meets nothing: `judge` would say `now`, without credits. */
  isClear(now: number): boolean {
    const states = this.#states;
    for (let i = 0; i < states.length; i++) {
      const state = states[i] as Float64Array;
      if (state[time] !== now) (this.#meters[i] as Meter).refresh(now);
      if (!((state[level] as number) > 0)) return false;
    }
    return true;
  }

  /** One of `verdict`, for a frame that comes now. */
  judge(now: number): number {
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
