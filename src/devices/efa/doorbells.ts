/**
 * Doorbells of queue pairs that the guest stores into mapped pages and the device polls: which of them
 * changed since the last look. A doorbell holds an index that only ever moves on, so what is
 * overwritten before it is seen is not missed.
 */
import { maxQps, rqDoorbell, sqDoorbell } from './bar.ts';

export class Doorbells {
  readonly #words: Int32Array;
  readonly #sent = new Int32Array(maxQps);
  readonly #received = new Int32Array(maxQps);

  /** `bytes`: the doorbell BAR. */
  constructor(bytes: Uint8Array) {
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  }

  get areMapped(): boolean {
    return this.#words.length > 0;
  }

  /** A new queue pair has these doorbells: both start from zero. */
  open(index: number): void {
    if (!this.areMapped) return;
    this.#sent[index] = 0;
    this.#received[index] = 0;
    this.#words[sqDoorbell(index) >>> 2] = 0;
    this.#words[rqDoorbell(index) >>> 2] = 0;
  }

  /** The send queue's value if it is a new one, else -1. */
  send(index: number): number {
    return look(this.#words, sqDoorbell(index) >>> 2, this.#sent, index);
  }

  receive(index: number): number {
    return look(this.#words, rqDoorbell(index) >>> 2, this.#received, index);
  }
}

function look(words: Int32Array, at: number, seen: Int32Array, index: number): number {
  const value = words[at] as number;
  if (value === seen[index]) return -1;
  seen[index] = value;
  return value & 0xffff;
}
