/**
 * How long frames are on their way at half of the load that the path can carry, between guests on a
 * thread of their own: each is due at a time of its own, whether those before it are late or not, and
 * its latency counts from then until its receiver has seen it. By turns with them numbers are due at
 * the same times: bare ones, which the data plane's thread does nothing with but say them again, are what
 * this machine makes two threads wait; and with served ones it is busy for as long as with frames at
 * full load, so that whatever holds up a thread delays those behind it, too. What the garbage
 * collector does meanwhile is watched, and how long both threads had no core.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { Histogram } from './histogram.ts';
import type { Paced } from './load-words.ts';
import type { LatencySlice, PathSpec, Percentiles } from './path-spec.ts';
import { ThreadedBed } from './threaded-bed.ts';

/** So long the path runs at full load first, to find out what half of it is. */
const fullLoadMs = 1000;
/** Of frames, then half of it of each kind of number. */
const stretchMs = 500;
/** So long caches hold what the stretch before has left there; it does not count. */
const leadMs = 10;
/** One frame in 5 us: they go one by one, by code that full load does not use. */
const seldom = { rate: 2e-4, ms: 1000 };

export class LatencyBed {
  readonly #bed: ThreadedBed;
  readonly #frames = new Histogram();
  readonly #lines = new Histogram();
  readonly #served = new Histogram();
  #rate = 0;

  static async start(spec: PathSpec): Promise<LatencyBed> {
    return new LatencyBed(await ThreadedBed.start(spec));
  }

  private constructor(bed: ThreadedBed) {
    this.#bed = bed;
  }

  async warmUp(): Promise<void> {
    this.#bed.warmUp();
    await this.#bed.pace(seldom.ms, seldom.rate, 'frames');
    const { frames, realNs } = this.#bed.run(fullLoadMs);
    this.#rate = frames / realNs / 2;
  }

  async run(ms: number): Promise<LatencySlice> {
    const pauses: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) pauses.push(duration);
    });
    for (const histogram of [this.#frames, this.#lines, this.#served]) histogram.clear();
    let waitedNs = 0;
    for (let left = ms; left > 0; left -= stretchMs) {
      const stretch = Math.min(left, stretchMs);
      observer.observe({ entryTypes: ['gc'] });
      waitedNs += await this.#pace(stretch, 'frames', this.#frames);
      await new Promise((resolve) => setTimeout(resolve, 5)); // until the observer was told
      observer.disconnect();
      await this.#pace(stretch / 2, 'lines', this.#lines);
      await this.#pace(stretch / 2, 'served', this.#served);
    }
    return {
      ...{ rate: this.#rate, frames: percentiles(this.#frames), lines: percentiles(this.#lines) },
      ...{ served: percentiles(this.#served), waitedShare: waitedNs / (ms * 1e6) },
      ...{ collections: pauses.length, longestPauseMs: Math.max(0, ...pauses) },
    };
  }

  close(): Promise<void> {
    return this.#bed.close();
  }

  /** Returns how long its threads waited for a core. */
  async #pace(ms: number, of: Paced, into: Histogram): Promise<number> {
    const { latency, waitedNs = 0 } = await this.#bed.pace(ms, this.#rate, of, leadMs);
    if (latency !== undefined) into.merge(latency.counts, latency.max);
    return waitedNs;
  }
}

const percentiles = (histogram: Histogram): Percentiles => ({
  ...{ p50: histogram.percentile(50), p99: histogram.percentile(99) },
  ...{ p999: histogram.percentile(99.9), max: histogram.max },
});
