/**
 * A token bucket: how long to wait so that a rate is kept on average, with bursts up to the
 * bucket's size. Tokens are bytes, time is that of a `Clock`, in nanoseconds.
 */
import { nsPerSecond } from './clock.ts';

export class TokenBucket {
  readonly #bytesPerNs: number;
  readonly #burstBytes: number;
  #tokens: number;
  #at: number;

  /** Full at time `now`. `rateBps`: bits per second. */
  constructor(rateBps: number, burstBytes: number, now: number) {
    this.#bytesPerNs = rateBps / 8 / nsPerSecond;
    this.#burstBytes = burstBytes;
    this.#tokens = burstBytes;
    this.#at = now;
  }

  /** Nanoseconds until something may be sent; 0: now. */
  waitNs(now: number): number {
    const earned = (now - this.#at) * this.#bytesPerNs;
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + earned);
    this.#at = now;
    return this.#tokens > 0 ? 0 : Math.ceil((1 - this.#tokens) / this.#bytesPerNs);
  }

  /** Spends what was sent; the bucket may go into debt, which the next wait repays. */
  spend(bytes: number): void {
    this.#tokens -= bytes;
  }
}
