/** Times of any length in steps of 2 %, from a nanosecond to a minute. */

const growth = Math.log(1.02);
const buckets = Math.ceil(Math.log(60e9) / growth);

export class Histogram {
  readonly counts = new Float64Array(buckets);
  max = 0;

  clear(): void {
    this.counts.fill(0);
    this.max = 0;
  }

  /** @param ns 1 at least */
  add(ns: number): void {
    const bucket = Math.min(buckets - 1, Math.floor(Math.log(ns) / growth));
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    if (ns > this.max) this.max = ns;
  }

  merge(counts: Float64Array, max: number): void {
    for (const [i, count] of counts.entries()) this.counts[i] = (this.counts[i] as number) + count;
    if (max > this.max) this.max = max;
  }

  /** The upper end of the bucket that the percentile is in. */
  percentile(percent: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (let i = 0; i < buckets; i++) {
      seen += this.counts[i] as number;
      if (seen >= (percent / 100) * total) return Math.exp((i + 1) * growth);
    }
    return this.max;
  }
}
