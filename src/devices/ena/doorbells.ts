/**
 * Doorbells that the guest stores into a mapped page and the device polls: which of them changed
 * since the last look. A doorbell holds a tail that only ever moves on, so what is overwritten
 * before it is seen is not missed.
 */
import { doorbellStride, sqDoorbellOffset } from './bar.ts';

const stride = doorbellStride / 4;

export class Doorbells {
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #seen: Int32Array;

  /** `bytes`: BAR 0. `count`: submission queues at most. */
  constructor(bytes: Uint8Array, count: number) {
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    this.#first = sqDoorbellOffset(0) >>> 2;
    this.#seen = new Int32Array(count);
  }

  /** A new queue has this doorbell: it starts from a tail of zero. */
  open(index: number): void {
    this.#seen[index] = 0;
    this.#words[this.#first + index * stride] = 0;
  }

  /** Whether the doorbell has a value that was not seen before; then `value` returns it. */
  hasChanged(index: number): boolean {
    const word = this.#words[this.#first + index * stride] as number;
    if (word === this.#seen[index]) return false;
    this.#seen[index] = word;
    return true;
  }

  value(index: number): number {
    return this.#seen[index] as number;
  }
}
