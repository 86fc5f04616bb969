/**
 * How long a loop has had something to do. While it has, the clock is not read. A loop that has had
 * nothing to do for a while sleeps for a moment, so that others can use the core: two threads that
 * spin for each other on a core that they share would wait for the end of each other's turn.
 */
import { bigCount } from '../../lib/big-count.ts';
import type { Clock } from '../../lib/clock.ts';

/** Some 50 us of a loop that finds nothing. */
const patientTurns = 500;
const napMs = 0.02;

export class BusyTime {
  ns: number = bigCount;
  /** What was slept. */
  napNs: number = bigCount;
  readonly #clock: Clock;
  readonly #nothing = new Int32Array(new SharedArrayBuffer(4));
  #isBusy = false;
  /** When it began to be busy; of an idle loop, when this turn began. */
  #since: number = bigCount;
  #idleTurns = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.reset();
  }

  reset(): void {
    this.ns = 0;
    this.napNs = 0;
    this.#since = 0;
    this.#isBusy = false;
    this.#idleTurns = 0;
  }

  /** Before each turn of the loop. */
  begin(): void {
    if (!this.#isBusy) this.#since = this.#clock.now();
  }

  /** After it: whether there was something to do. */
  end(isBusy: boolean): void {
    if (isBusy) this.#isBusy = true;
    else if (this.#isBusy) this.#rest();
    else if (++this.#idleTurns > patientTurns) this.#nap();
  }

  #rest(): void {
    this.ns += this.#clock.now() - this.#since;
    this.#isBusy = false;
    this.#idleTurns = 0;
  }

  #nap(): void {
    const start = this.#clock.now();
    Atomics.wait(this.#nothing, 0, 0, napMs);
    this.napNs += this.#clock.now() - start;
  }
}
