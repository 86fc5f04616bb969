/**
 * How long frames are on their way at half of the load that the path can carry, between guests on a
 * thread of their own: each is due at a time of its own, whether those before it are late or not, and
 * its latency counts from then until its receiver has seen it. In between, by turns, bare numbers are
 * due at the same times, which the data plane's thread does nothing with but say them again: what this
 * machine itself makes two threads wait. What the garbage collector does meanwhile is watched.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { Histogram } from './histogram.ts';
import type { LatencySlice, PathSpec, Percentiles } from './path-spec.ts';
import { ThreadedBed } from './threaded-bed.ts';

/** So long the path runs at full load first, to find out what half of it is. */
const fullLoadMs = 1000;
/** Of frames, then of bare numbers. */
const stretchMs = 500;

export class LatencyBed {
  readonly #bed: ThreadedBed;
  readonly #frames = new Histogram();
  readonly #lines = new Histogram();
  #rate = 0;

  static async start(spec: PathSpec): Promise<LatencyBed> {
    return new LatencyBed(await ThreadedBed.start(spec));
  }

  private constructor(bed: ThreadedBed) {
    this.#bed = bed;
  }

  warmUp(): void {
    this.#bed.warmUp();
    const { frames, realNs } = this.#bed.run(fullLoadMs);
    this.#rate = frames / realNs / 2;
  }

  async run(ms: number): Promise<LatencySlice> {
    const pauses: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) pauses.push(duration);
    });
    this.#frames.clear();
    this.#lines.clear();
    for (let left = ms; left > 0; left -= stretchMs) {
      const stretch = Math.min(left, stretchMs);
      observer.observe({ entryTypes: ['gc'] });
      await this.#pace(stretch, 'frames', this.#frames);
      await new Promise((resolve) => setTimeout(resolve, 5)); // until the observer was told
      observer.disconnect();
      await this.#pace(stretch, 'lines', this.#lines);
    }
    return {
      ...{ rate: this.#rate, frames: percentiles(this.#frames), lines: percentiles(this.#lines) },
      ...{ collections: pauses.length, longestPauseMs: Math.max(0, ...pauses) },
    };
  }

  close(): Promise<void> {
    return this.#bed.close();
  }

  async #pace(ms: number, of: 'frames' | 'lines', into: Histogram): Promise<void> {
    const { latency } = await this.#bed.pace(ms, this.#rate, of);
    if (latency !== undefined) into.merge(latency.counts, latency.max);
  }
}

const percentiles = (histogram: Histogram): Percentiles => ({
  ...{ p50: histogram.percentile(50), p99: histogram.percentile(99) },
  ...{ p999: histogram.percentile(99.9), max: histogram.max },
});
