/** One direction of a trunk that is lent, as the module sees it. */
import type { Arena } from '../lib/arena.ts';
import { type BurstTrunk, TrunkLoan } from '../net/loans.ts';
import { TRUNK_BYTES, TRUNK_HEAD, TRUNK_RECORDS, TRUNK_SIZE, TRUNK_TAIL } from './layout.ts';

export class TrunkBlock {
  readonly loan = new TrunkLoan();
  readonly trunk: BurstTrunk;
  /** It has been lent in this burst. */
  isLent = false;
  readonly #words: Int32Array;

  constructor(arena: Arena, trunk: BurstTrunk) {
    this.trunk = trunk;
    this.#words = arena.int32(TRUNK_BYTES / 4);
  }

  /** Its address. */
  get at(): number {
    return this.#words.byteOffset;
  }

  write(): void {
    const { loan } = this;
    const words = this.#words;
    words[TRUNK_RECORDS / 4] = loan.recordsAt | 0;
    words[TRUNK_SIZE / 4] = loan.size;
    words[TRUNK_HEAD / 4] = loan.head;
    words[TRUNK_TAIL / 4] = loan.tail;
  }

  read(): void {
    this.loan.head = this.#words[TRUNK_HEAD / 4] as number;
    this.loan.tail = this.#words[TRUNK_TAIL / 4] as number;
  }
}
