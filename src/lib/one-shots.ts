/** A row of one-shot timers, one per place: what a device needs that holds interrupts back. */
import type { Clock, Timer } from './clock.ts';

export class OneShots {
  readonly #clock: Clock;
  readonly #fire: (place: number) => void;
  readonly #timers: (Timer | null)[];
  /** When the timers that run are due. */
  readonly #due: Float64Array;

  constructor(count: number, clock: Clock, fire: (place: number) => void) {
    this.#clock = clock;
    this.#fire = fire;
    this.#timers = new Array<Timer | null>(count).fill(null);
    this.#due = new Float64Array(count);
  }

  /** Fires in `delayNs`, at once for 0; a timer that runs already is left as it is if it is due sooner. */
  start(place: number, delayNs: number): void {
    if (delayNs <= 0) {
      this.cancel(place);
      this.#fire(place);
      return;
    }
    const due = this.#clock.now() + delayNs;
    const running = this.#timers[place] ?? null;
    if (running !== null) {
      if ((this.#due[place] as number) <= due) return;
      running.cancel();
    }
    this.#due[place] = due;
    this.#timers[place] = this.#clock.after(delayNs, () => {
      this.#timers[place] = null;
      this.#fire(place);
    });
  }

  cancel(place: number): void {
    this.#timers[place]?.cancel();
    this.#timers[place] = null;
  }

  cancelAll(): void {
    for (const timer of this.#timers) timer?.cancel();
    this.#timers.fill(null);
  }
}
