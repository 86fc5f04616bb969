/**
 * A meter: so many units (bytes, packets) a second, some at once, and credit for more. What comes
 * faster makes debt, which is a queue: whoever pays later waits. When the debt has reached what may
 * wait, nothing more is taken.
 *
 *     level     from -patience (a full queue) to atOnce; above 0 a frame goes at once
 *     credits   filled by what level has no room for, spent when level is used up
 *
 * The same numbers are advanced packet by packet (`take`) and by constant rates (`flow`), so that an
 * hour can be lived through frame by frame or in one step. Times are a `Clock`'s, in nanoseconds.
 */
import { nsPerSecond } from '../../lib/clock.ts';

export type MeterSpec = {
  readonly perSecond: number;
  /** Units that may go at once. */
  readonly atOnce: number;
  /** Units that may wait. */
  readonly patience: number;
  /** Units of credit at most; it begins full. */
  readonly credits?: number;
  /** Credit for each unit that was not used; 1 unless told. */
  readonly refill?: number;
};

/** Places in a meter's state. */
const level = 0;
const credits = 1;
const time = 2;

export class Meter {
  readonly spec: MeterSpec;
  readonly perNs: number;
  readonly patience: number;
  readonly #atOnce: number;
  readonly #maxCredits: number;
  readonly #refill: number;
  /** Level, credits, time: each packet changes them, and a number in a field is an object. */
  readonly state = new Float64Array(3);
  /** Units that were taken by frames that still wait. */
  waiting = 0;

  /** Full at time `now`. */
  constructor(spec: MeterSpec, now: number) {
    this.spec = spec;
    this.perNs = spec.perSecond / nsPerSecond;
    this.patience = spec.patience;
    this.#atOnce = spec.atOnce;
    this.#maxCredits = spec.credits ?? 0;
    this.#refill = spec.refill ?? 1;
    this.level = spec.atOnce;
    this.credits = this.#maxCredits;
    this.state[time] = now;
  }

  get level(): number {
    return this.state[level] as number;
  }

  set level(units: number) {
    this.state[level] = units;
  }

  get credits(): number {
    return this.state[credits] as number;
  }

  set credits(units: number) {
    this.state[credits] = units;
  }

  /** Whether a frame may go at once. */
  get isOpen(): boolean {
    return (this.state[level] as number) > 0 || (this.state[credits] as number) > 0;
  }

  /** Whether nothing more may wait. */
  get isShut(): boolean {
    return this.level <= -this.patience && this.credits === 0;
  }

  /** Earns what the time until `now` has brought. */
  refresh(now: number): void {
    const state = this.state;
    const passed = now - (state[time] as number);
    if (passed === 0) return;
    const units = (state[level] as number) + passed * this.perNs;
    state[time] = now;
    if (units <= this.#atOnce) state[level] = units;
    else this.#overflow(units);
  }

  take(units: number): void {
    const state = this.state;
    const left = (state[level] as number) - units;
    if (left >= 0 || state[credits] === 0) state[level] = left;
    else this.#borrow(left);
  }

  /** Units that were taken begin to wait; or end, when negative. Those of before a change are unknown. */
  wait(units: number): void {
    this.waiting = Math.max(0, this.waiting + units);
  }

  /** Nanoseconds until the oldest frame that waits may go. */
  waitNs(): number {
    const debt = -(this.level + this.credits + this.waiting);
    return debt < 0 ? 0 : Math.floor(debt / this.perNs) + 1;
  }

  /** Nanoseconds that a frame waits which is taken now. */
  delayNs(): number {
    return this.isOpen ? 0 : Math.abs(this.level) / this.perNs;
  }

  /** Begins with what another meter, for other numbers, has left. */
  inherit(before: Meter): void {
    this.level = Math.min(before.level, this.#atOnce);
    this.credits = Math.min(before.credits, this.#maxCredits);
    this.waiting = before.waiting;
  }

  // By constant rates.

  /** Nanoseconds until `unitsPerNs` meets another condition: empty, full, shut; or Infinity. */
  nextChange(unitsPerNs: number): number {
    const slope = this.#slope(unitsPerNs);
    if (slope === 0) return Infinity;
    if (slope > 0) {
      if (this.level < 0) return -this.level / slope;
      if (this.level < this.#atOnce) return (this.#atOnce - this.level) / slope;
      const earns = slope * this.#refill;
      if (this.credits === this.#maxCredits || earns === 0) return Infinity;
      return (this.#maxCredits - this.credits) / earns;
    }
    if (this.level > 0) return this.level / -slope;
    if (this.credits > 0) return this.credits / -slope;
    return this.isShut ? Infinity : (this.level + this.patience) / -slope;
  }

  /** Lets `unitsPerNs` flow for `ns`, no longer than until the next change. */
  flow(unitsPerNs: number, ns: number): void {
    this.state[time] = (this.state[time] as number) + ns;
    const change = this.#slope(unitsPerNs) * ns;
    const ends = ns === this.nextChange(unitsPerNs);
    if (change > 0 && this.level >= this.#atOnce) {
      const earned = this.credits + change * this.#refill;
      this.credits = ends ? this.#maxCredits : Math.min(this.#maxCredits, earned);
    } else if (change < 0 && this.level <= 0 && this.credits > 0)
      this.credits = ends ? 0 : Math.max(0, this.credits + change);
    else this.level = ends ? this.#stop(change) : this.level + change;
  }

  /** What it gains per nanosecond; a rate that is its own but for rounding changes nothing. */
  #slope(unitsPerNs: number): number {
    const slope = this.perNs - unitsPerNs;
    return Math.abs(slope) < this.perNs * 1e-12 ? 0 : slope;
  }

  /** Exactly where a level stops that moves towards its next change. */
  #stop(change: number): number {
    if (change > 0) return this.level < 0 ? 0 : this.#atOnce;
    return this.level > 0 ? 0 : -this.patience;
  }

  #overflow(units: number): void {
    const more = (units - this.#atOnce) * this.#refill;
    this.level = this.#atOnce;
    this.credits = Math.min(this.#maxCredits, this.credits + more);
  }

  #borrow(left: number): void {
    const credit = Math.min(this.credits, -left);
    this.credits -= credit;
    this.level = left + credit;
  }
}
