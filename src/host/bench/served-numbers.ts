/**
 * What frames are compared with at half load: numbers that the other thread says at their times, and
 * that are said again when this one has been busy with each for as long as a frame takes at full load.
 * Nothing is read or written for them, and nothing is paid for a burst: a data plane of that speed
 * without faults, on this machine.
 */
import { bigCount } from '../../lib/big-count.ts';
import type { Clock } from '../../lib/clock.ts';
import { word } from './load-words.ts';

/** Said again together at most, as completions are. */
const group = 32;

export class ServedNumbers {
  /** What each of them takes. */
  nsEach: number = bigCount;
  readonly #words: Int32Array;
  readonly #clock: Clock;
  readonly #time = new Float64Array(1);

  constructor(words: Int32Array, clock: Clock) {
    this.#words = words;
    this.#clock = clock;
    this.nsEach = 0;
  }

  /** Those that have come so far. */
  serve(): void {
    const words = this.#words;
    const time = this.#time;
    const there = Atomics.load(words, word.there);
    let done = words[word.back] as number;
    if (done === there) return;
    this.#clock.read(time);
    while (done !== there) {
      const some = Math.min((there - done) | 0, group);
      // From when it is at it: what a pause takes is not made up for.
      const end = (time[0] as number) + some * this.nsEach;
      do this.#clock.read(time);
      while ((time[0] as number) < end);
      done = (done + some) | 0;
      Atomics.store(words, word.back, done);
    }
  }
}
