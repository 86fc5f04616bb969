/**
 * A ring of fixed-size entries in guest memory, as every queue of every device has one.
 *
 * `attach()` before each burst: the guest's memory may have been remapped since the last one. Then
 * entry `i` of the ring starts at word `at(i)` of `words`; `pull` and `push` cost nothing for
 * mapped memory and move the entry by messages where only the client can reach it.
 */
import type { DmaRange, GuestMemory } from './guest-memory.ts';

export class GuestRing {
  readonly iova: number;
  /** Entries. Where that is no power of two, indexes stay below it. */
  readonly depth: number;
  readonly entryWords: number;
  words: Int32Array = new Int32Array(0);
  readonly #mask: number;
  readonly #memory: GuestMemory;
  readonly #use: 'read' | 'write' | 'both';
  #range: DmaRange | null = null;
  #base = 0;

  /** `entryBytes` is a multiple of 4. Nothing is checked before `attach()`. */
  constructor(
    memory: GuestMemory,
    iova: number,
    depth: number,
    entryBytes: number,
    use: 'read' | 'write' | 'both',
  ) {
    this.#memory = memory;
    this.iova = iova;
    this.depth = depth;
    this.#mask = isRingDepth(depth, depth) ? depth - 1 : -1;
    this.entryWords = entryBytes >>> 2;
    this.#use = use;
  }

  /** Finds the ring in memory; false when the guest's memory does not hold all of it. */
  attach(): boolean {
    const range = this.#range;
    if (range !== null && range.generation === this.#memory.generation) return true;
    this.#range = this.#memory.range(this.iova, this.depth * this.entryWords * 4, this.#use);
    if (this.#range === null) return false;
    this.words = this.#range.words;
    this.#base = this.#range.base;
    return true;
  }

  /** Where the ring begins in the fast path's linear memory, in words; -1: not there, or not attached. */
  get linearAt(): number {
    return this.#range?.linearAt ?? -1;
  }

  /** The first word of entry `index`, which may count on beyond the end of 2^n entries. */
  at(index: number): number {
    return this.#base + (index & this.#mask) * this.entryWords;
  }

  /** The phase bit of entry `index`, counted from set-up: 1 in the first turn of the ring. */
  phase(index: number): number {
    return (index & this.depth) === 0 ? 1 : 0;
  }

  /** Refreshes entry `index` from a guest whose memory is not mapped. */
  pull(index: number): void {
    this.#range?.pull((index & this.#mask) * this.entryWords, this.entryWords);
  }

  push(index: number): void {
    this.#range?.push((index & this.#mask) * this.entryWords, this.entryWords);
  }
}

/** Whether `depth` is a power of two in 1..`max`. */
export const isRingDepth = (depth: number, max: number): boolean =>
  depth >= 1 && depth <= max && (depth & (depth - 1)) === 0;
