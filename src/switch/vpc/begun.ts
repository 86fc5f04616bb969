/**
 * How many connections began at each interface, by slot, modulo 2^32: who has seen none there looks again
 * when the number is another one. In an array, so that it can be found by its address.
 */
import { type Arena, ordinaryArena } from '../../lib/arena.ts';

export class Begun {
  /** By slot. Another array when there are more slots than it has. */
  words: Int32Array;
  readonly #arena: Arena;

  constructor(arena: Arena = ordinaryArena, slots = 1024) {
    this.#arena = arena;
    this.words = arena.int32(slots);
  }

  /** A slot is another interface's from now on. */
  reset(slot: number): void {
    if (slot >= this.words.length) {
      const before = this.words;
      this.words = this.#arena.int32(before.length * 2);
      this.words.set(before);
    }
    this.words[slot] = 0;
  }
}
