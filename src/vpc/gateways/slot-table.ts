/**
 * A bounded table from keys of a few words to slots, 0 .. capacity - 1: its owner keeps whatever
 * belongs to a slot in arrays of its own. Keys are hashed under a secret, so that no guest chooses
 * which ones fall together. Nothing is allocated after it was made.
 */
import type { Prng } from '../../lib/prng.ts';

export class SlotTable {
  /** To be filled before `find` and `add`. */
  readonly key: Int32Array;
  readonly capacity: number;
  count = 0;
  readonly #words: number;
  readonly #keys: Int32Array;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #shift: number;
  readonly #seeds: Int32Array;
  #free = 0;

  /** `capacity`: a power of two, at least 2. */
  constructor(words: number, capacity: number, random: Prng) {
    this.#words = words;
    this.capacity = capacity;
    this.key = new Int32Array(words);
    this.#keys = new Int32Array(words * capacity);
    this.#heads = new Int32Array(capacity).fill(-1);
    this.#next = Int32Array.from({ length: capacity }, (_, i) => (i + 1 < capacity ? i + 1 : -1));
    this.#shift = Math.clz32(capacity) + 1;
    this.#seeds = Int32Array.from({ length: words + 1 }, () => random.next() | 1);
  }

  /** The slot of `key`, or -1. */
  find(): number {
    for (let slot = this.#heads[this.#hash()] as number; slot >= 0; slot = this.#after(slot))
      if (this.#isAt(slot)) return slot;
    return -1;
  }

  /** A slot for `key`, which has none; -1: the table is full. */
  add(): number {
    const slot = this.#free;
    if (slot < 0) return -1;
    this.#free = this.#after(slot);
    this.#keys.set(this.key, slot * this.#words);
    const head = this.#hash();
    this.#next[slot] = this.#heads[head] as number;
    this.#heads[head] = slot;
    this.count++;
    return slot;
  }

  /** Lets go of a slot that is taken. `key` is that slot's afterwards. */
  remove(slot: number): void {
    for (let i = 0; i < this.#words; i++) this.key[i] = this.wordOf(slot, i);
    const head = this.#hash();
    let before = -1;
    let at = this.#heads[head] as number;
    while (at !== slot) {
      before = at;
      at = this.#after(at);
    }
    if (before < 0) this.#heads[head] = this.#after(slot);
    else this.#next[before] = this.#after(slot);
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.count--;
  }

  /** A word of a taken slot's key. */
  wordOf(slot: number, i: number): number {
    return this.#keys[slot * this.#words + i] as number;
  }

  #after(slot: number): number {
    return this.#next[slot] as number;
  }

  #isAt(slot: number): boolean {
    const at = slot * this.#words;
    for (let i = 0; i < this.#words; i++) if (this.#keys[at + i] !== this.key[i]) return false;
    return true;
  }

  #hash(): number {
    let hash = this.#seeds[this.#words] as number;
    for (let i = 0; i < this.#words; i++) {
      hash = Math.imul(hash ^ (this.key[i] as number), this.#seeds[i] as number);
      hash ^= hash >>> 15;
    }
    return Math.imul(hash, 0x9e37_79b1 | 0) >>> this.#shift;
  }
}
