/** Times in steps of 3 %: 32 to each power of two, up to two seconds; whole nanoseconds. */

const stepBits = 5;
const steps = 2 ** stepBits;
const buckets = 32 * steps;
const most = 2 ** 31 - 1;

export class Histogram {
  readonly counts = new Float64Array(buckets);
  max = 0;

  clear(): void {
    this.counts.fill(0);
    this.max = 0;
  }

  /** What took longer than two seconds is among those that took two, but for `max`. */
  add(ns: number): void {
    const bucket = bucketOf(Math.max(0, Math.min(most, ns)));
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    if (ns > this.max) this.max = ns;
  }

  merge(counts: Float64Array, max: number): void {
    for (let i = 0; i < buckets; i++)
      this.counts[i] = (this.counts[i] as number) + (counts[i] as number);
    if (max > this.max) this.max = max;
  }

  /** The upper end of the bucket that the percentile is in. */
  percentile(percent: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (let i = 0; i < buckets; i++) {
      seen += this.counts[i] as number;
      if (seen >= (percent / 100) * total) return endOf(i);
    }
    return this.max;
  }
}

/** Below `steps` each nanosecond has its own; then by the highest bits. */
function bucketOf(ns: number): number {
  const whole = ns | 0;
  if (whole < steps) return whole;
  const shift = 31 - Math.clz32(whole) - stepBits;
  return (shift << stepBits) + (whole >>> shift);
}

function endOf(bucket: number): number {
  if (bucket < 2 * steps) return bucket + 1;
  const shift = (bucket >>> stepBits) - 1;
  return (bucket - (shift << stepBits) + 1) * 2 ** shift;
}
