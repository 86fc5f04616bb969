/**
 * The time of a burst: the clock is asked once in it at most, and only if somebody wants to know.
 * It stands in an array, because a number that is returned is an object, one for each frame.
 */
import type { Clock } from '../lib/clock.ts';

export class BurstTime {
  /** Nanoseconds, after `tick`. */
  readonly ns = new Float64Array(1);
  readonly #clock: Clock;
  #isKnown = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  tick(): void {
    if (this.#isKnown) return;
    this.#isKnown = true;
    this.#clock.read(this.ns);
  }

  now(): number {
    this.tick();
    return this.ns[0] as number;
  }

  /** The burst is over. */
  end(): void {
    this.#isKnown = false;
  }
}
