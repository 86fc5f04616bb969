/**
 * How long frames are on their way at half of the load that the path can carry: each is due at a time
 * of its own, whether those before it are late or not, and its latency counts from then until its
 * receiver has it. What the garbage collector does meanwhile is watched.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { type Pair, PathBed } from './path-bed.ts';
import type { LatencySlice, PathSpec } from './path-spec.ts';

/** So long the path runs at full load first, to find out what half of it is. */
const fullLoadMs = 1000;
/** So long without a turn of the event loop: as in the data-plane thread. */
const stretchMs = 200;
/** Of the histogram: steps of 2 %, from a nanosecond to a minute. */
const growth = Math.log(1.02);
const buckets = Math.ceil(Math.log(60e9) / growth);
/** More at once than a ring has room for would be lost; who is so late catches up in steps. */
const maxBurst = 256;

export class LatencyBed {
  readonly #bed: PathBed;
  readonly #histogram = new Float64Array(buckets);
  #rate = 0;
  #max = 0;

  constructor(spec: PathSpec) {
    this.#bed = new PathBed(spec);
  }

  warmUp(): void {
    this.#bed.warmUp();
    const start = performance.now();
    const { frames } = this.#bed.run(fullLoadMs);
    this.#rate = frames / ((performance.now() - start) * 1e6) / 2;
  }

  async run(ms: number): Promise<LatencySlice> {
    const pauses: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) pauses.push(duration);
    });
    this.#histogram.fill(0);
    this.#max = 0;
    observer.observe({ entryTypes: ['gc'] });
    let frames = 0;
    for (let left = ms; left > 0; left -= stretchMs) {
      frames += this.#stretch(Math.min(left, stretchMs));
      await new Promise(setImmediate);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    observer.disconnect();
    return {
      ...{ frames, rate: this.#rate * 1e3, max: this.#max },
      ...{ p50: this.#percentile(50), p99: this.#percentile(99), p999: this.#percentile(99.9) },
      ...{ collections: pauses.length, longestPauseMs: Math.max(0, ...pauses) },
    };
  }

  /** Sends what is due by now, until the time is over; returns how many frames there were. */
  #stretch(ms: number): number {
    const pair = this.#bed.pairs[0] as Pair;
    const rate = this.#rate;
    const first = pair.received;
    const { clock } = this.#bed;
    const start = clock.now();
    const total = Math.floor(ms * 1e6 * rate);
    let sent = 0;
    while (sent < total) {
      const due = Math.min(total, Math.floor((clock.now() - start) * rate)) - sent;
      if (due <= 0) continue;
      const count = Math.min(due, maxBurst);
      pair.send(count);
      pair.receive();
      sent += count;
      if (pair.received - first !== sent) throw new Error('a frame was lost at half load');
      this.#note(start, sent - count, sent, clock.now());
    }
    return sent;
  }

  /** The frames from `from` on were due at their own times, and are all there now. */
  #note(start: number, from: number, to: number, now: number): void {
    const gap = 1 / this.#rate;
    for (let i = from; i < to; i++) {
      const latency = Math.max(1, now - start - i * gap);
      if (latency > this.#max) this.#max = latency;
      const bucket = Math.min(buckets - 1, Math.floor(Math.log(latency) / growth));
      this.#histogram[bucket] = (this.#histogram[bucket] as number) + 1;
    }
  }

  /** The upper end of the bucket that the percentile is in. */
  #percentile(percent: number): number {
    const total = this.#histogram.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (let i = 0; i < buckets; i++) {
      seen += this.#histogram[i] as number;
      if (seen >= (percent / 100) * total) return Math.exp((i + 1) * growth);
    }
    return this.#max;
  }
}
