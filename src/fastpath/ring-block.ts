/** A ring that is lent, as the module sees it. */
import type { RingLoan } from '../net/loans.ts';
import {
  RING_BYTES_MOVED,
  RING_COMPLETION_DEPTH,
  RING_COMPLETION_LOG,
  RING_COMPLETIONS,
  RING_DEPTH,
  RING_DESCRIPTORS,
  RING_FRAMES,
  RING_GROUP,
  RING_HEAD,
  RING_INDEX,
  RING_PUSHED,
  RING_STAMP,
  RING_TAIL,
  RING_WRITTEN,
} from './layout.ts';
import type { FastpathExports } from './module.ts';

export class RingBlock {
  /** Its address. */
  readonly at: number;
  readonly loan: RingLoan;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  /** `words`: zeroed, for `RING_BYTES`. */
  constructor(words: Int32Array, loan: RingLoan) {
    this.at = words.byteOffset;
    this.loan = loan;
    this.#words = words;
    this.#doubles = new Float64Array(words.buffer, words.byteOffset, words.length / 2);
  }

  write(): void {
    const { loan } = this;
    const words = this.#words;
    words[RING_DESCRIPTORS / 4] = loan.descriptorsAt << 2;
    words[RING_DEPTH / 4] = loan.depth;
    words[RING_HEAD / 4] = loan.head;
    words[RING_TAIL / 4] = loan.tail;
    words[RING_COMPLETIONS / 4] = loan.completionsAt << 2;
    words[RING_COMPLETION_DEPTH / 4] = loan.completionDepth;
    words[RING_COMPLETION_LOG / 4] = 31 - Math.clz32(loan.completionBytes);
    words[RING_WRITTEN / 4] = loan.written;
    words[RING_PUSHED / 4] = 0;
    words[RING_GROUP / 4] = 0;
    words[RING_INDEX / 4] = loan.index;
    words[RING_FRAMES / 4] = 0;
    words[RING_STAMP / 4] = loan.stampAt;
    this.#doubles[RING_BYTES_MOVED / 8] = 0;
  }

  /** Lets the driver see its completions. */
  publish(module: FastpathExports): void {
    if (this.#words[RING_GROUP / 4] !== 0) module.publish(this.at);
  }

  read(): void {
    const { loan } = this;
    const words = this.#words;
    loan.head = words[RING_HEAD / 4] as number;
    loan.written = words[RING_WRITTEN / 4] as number;
    loan.pushed = words[RING_PUSHED / 4] as number;
    loan.frames = words[RING_FRAMES / 4] as number;
    loan.bytes = this.#doubles[RING_BYTES_MOVED / 8] as number;
  }
}
