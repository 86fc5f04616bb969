/**
 * A small seeded random generator (xorshift128, Marsaglia 2003) for simulators and fuzzers: the
 * same seed gives the same run on every machine. Not for secrets.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#a = (seed ^ 0x9e37_79b9) | 1;
    this.#b = Math.imul(seed, 0x85eb_ca6b) ^ 0x243f_6a88;
    this.#c = 0xb7e1_5162;
    this.#d = 0x0f1e_2d3c;
    for (let i = 0; i < 16; i++) this.next();
  }

  /** An unsigned 32-bit integer. */
  next(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8);
    return this.#d >>> 0;
  }

  /** An integer in 0 .. `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }

  /** True about once in `n` calls. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
