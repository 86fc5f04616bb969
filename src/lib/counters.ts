/**
 * Named counters over shared memory: one thread adds, any thread reads.
 *
 * Values are 64-bit floats (exact to 2^53), so that counting needs neither BigInt nor Atomics. A
 * reader on another thread sees each value whole on the 64-bit machines that Node supports.
 */
export class Counters<N extends string = string> {
  readonly names: readonly N[];
  /** By the index of a name: `values[i] += 1` is the hot path. */
  readonly values: Float64Array;

  constructor(names: readonly N[], buffer = new SharedArrayBuffer(names.length * 8)) {
    this.names = names;
    this.values = new Float64Array(buffer, 0, names.length);
  }

  index(name: N): number {
    const index = this.names.indexOf(name);
    if (index < 0) throw new Error(`no counter is named ${name}`);
    return index;
  }

  get(name: N): number {
    return this.values[this.index(name)] as number;
  }

  reset(): void {
    this.values.fill(0);
  }

  /** All that are not zero, by name. */
  snapshot(): Partial<Record<N, number>> {
    const result: Partial<Record<N, number>> = {};
    for (const [i, name] of this.names.entries()) {
      const value = this.values[i] as number;
      if (value !== 0) result[name] = value;
    }
    return result;
  }
}
