/**
 * So many events per second and no more: a token bucket of whole events that holds one second's
 * worth unless told, for things that are refused, and do not wait, above their rate.
 */
import { nsPerSecond } from './clock.ts';

export class RateLimit {
  readonly #perNs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** Full at time `now`. */
  constructor(perSecond: number, now: number, burst = perSecond) {
    this.#perNs = perSecond / nsPerSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes one event's token; false when there is none. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perNs);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
