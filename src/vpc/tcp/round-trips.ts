/**
 * How long to wait for an acknowledgement (RFC 6298): one segment is timed at a time, and none
 * that was sent twice (Karn's rule).
 */
import { timing } from './limits.ts';
import { ahead } from './sequence.ts';

export class RoundTrips {
  rtoNs: number = timing.firstRtoNs;
  #smoothed = -1;
  #variation = 0;
  /** The sequence number whose acknowledgement is awaited since `#since`. */
  #until = 0;
  #since = -1;

  /** Something was sent for the first time; `until` acknowledges it. */
  start(until: number, now: number): void {
    if (this.#since >= 0) return;
    this.#until = until;
    this.#since = now;
  }

  /** What is under way was sent again: it tells nothing any more. */
  stop(): void {
    this.#since = -1;
  }

  acknowledged(sequence: number, now: number): void {
    if (this.#since < 0 || ahead(sequence, this.#until) < 0) return;
    const trip = now - this.#since;
    this.#since = -1;
    if (this.#smoothed < 0) {
      this.#smoothed = trip;
      this.#variation = trip / 2;
    } else {
      this.#variation += (Math.abs(this.#smoothed - trip) - this.#variation) / 4;
      this.#smoothed += (trip - this.#smoothed) / 8;
    }
    this.#limit(this.#smoothed + 4 * this.#variation);
  }

  backOff(): void {
    this.#limit(2 * this.rtoNs);
  }

  #limit(ns: number): void {
    this.rtoNs = Math.min(Math.max(ns, timing.leastRtoNs), timing.mostRtoNs);
  }
}
