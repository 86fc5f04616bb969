/**
 * One I/O completion queue: a ring of 2, 4 or 8 word entries that the device writes.
 *
 * A driver looks at entries in their order, so a group of them is published by the word with the
 * phase bit of its first one: that is kept back until the others stand in memory. One ordered store
 * for a group instead of one for each entry.
 */
import {
  RX_CDESC_TIMESTAMP_WORD,
  rxCdesc,
  TX_CDESC_TIMESTAMP_WORD,
  txCdesc,
} from '../../defs/ena-io.ts';
import type { RingLoan } from '../../net/loans.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import type { DeviceTime } from './device-time.ts';
import type { Vectors } from './vectors.ts';

export type CompletionQueueShape = {
  readonly index: number;
  readonly iova: number;
  readonly depth: number;
  readonly entryBytes: number;
  readonly vector: number;
  /** False: the driver polls, no interrupt is ever raised. */
  readonly interrupts: boolean;
};

const tx = txCdesc.fields;
const rx = rxCdesc.fields;
/** Entries that are published together at most: a driver that polls need not wait for the burst. */
const groupEntries = 32;

export class CompletionQueue {
  readonly shape: CompletionQueueShape;
  /** Submission queues that complete here. */
  users = 0;
  readonly ring: GuestRing;
  /** Whether the entries have room for a time stamp. */
  readonly stampsTx: boolean;
  readonly stampsRx: boolean;
  readonly #vectors: Vectors;
  #written = 0;
  /** The entry that publishes the group, its first word, and how many stand behind it. */
  #first = 0;
  #firstWord = 0;
  #group = 0;
  /** Receive and transmit completions that no interrupt has told of. */
  #unsignalledRx = 0;
  #unsignalledTx = 0;

  constructor(shape: CompletionQueueShape, memory: GuestMemory, vectors: Vectors) {
    this.shape = shape;
    this.ring = new GuestRing(memory, shape.iova, shape.depth, shape.entryBytes, 'write');
    this.stampsTx = shape.entryBytes >= (TX_CDESC_TIMESTAMP_WORD + 2) * 4;
    this.stampsRx = shape.entryBytes >= (RX_CDESC_TIMESTAMP_WORD + 2) * 4;
    this.#vectors = vectors;
  }

  /** A packet of queue `sqIndex` was sent, with `time` where there is room. The ring is attached. */
  pushTx(requestId: number, sqIndex: number, sqHead: number, time: DeviceTime | null): void {
    const { words } = this.ring;
    const at = this.ring.at(this.#written);
    words[at + tx.sub_qid.word] = sqIndex | ((sqHead & 0xffff) << tx.sq_head_idx.lsb);
    if (this.stampsTx) stamp(words, at + TX_CDESC_TIMESTAMP_WORD, time);
    this.#push(at, requestId);
    this.#unsignalledTx++;
  }

  /** A buffer of `length` bytes was filled; `status`: what word 0 of the entry says of it. */
  pushRx(
    status: number,
    length: number,
    requestId: number,
    hash: number,
    sqIndex: number,
    time: DeviceTime | null,
  ): void {
    const { words } = this.ring;
    const at = this.ring.at(this.#written);
    words[at + rx.length.word] = length | (requestId << rx.req_id.lsb);
    words[at + rx.hash.word] = hash;
    words[at + rx.sub_qid.word] = sqIndex;
    if (this.stampsRx) stamp(words, at + RX_CDESC_TIMESTAMP_WORD, time);
    this.#push(at, status);
    this.#unsignalledRx++;
  }

  /** Lends the ring to a fast path; false: it does not lie where that could write it. */
  lendTx(loan: RingLoan): boolean {
    return this.#lend(loan, this.stampsTx ? TX_CDESC_TIMESTAMP_WORD * 4 : 0);
  }

  lendRx(loan: RingLoan): boolean {
    return this.#lend(loan, this.stampsRx ? RX_CDESC_TIMESTAMP_WORD * 4 : 0);
  }

  #lend(loan: RingLoan, stampAt: number): boolean {
    const { ring } = this;
    if (ring.linearAt < 0) return false;
    if (this.#group > 0) this.#publish();
    loan.completionsAt = ring.linearAt;
    loan.completionDepth = ring.depth;
    loan.completionBytes = ring.entryWords * 4;
    loan.stampAt = stampAt;
    loan.written = this.#written;
    return true;
  }

  /** All entries that the fast path wrote are published. */
  takeBack(loan: RingLoan, isRx: boolean): void {
    this.#written = loan.written;
    if (isRx) this.#unsignalledRx += loan.pushed;
    else this.#unsignalledTx += loan.pushed;
  }

  /** Something else than an entry tells the driver of a packet sent; only the interrupt is due. */
  touch(): void {
    this.#unsignalledTx++;
  }

  /** Writes the word of the current entry that has the phase bit, or keeps it back. */
  #push(at: number, word0: number): void {
    const { ring } = this;
    const index = this.#written;
    const word = word0 | (ring.phase(index) << tx.phase.lsb);
    if (this.#group === 0) {
      this.#first = index;
      this.#firstWord = word;
    } else {
      ring.words[at] = word;
      ring.push(index);
    }
    this.#written = (index + 1) | 0;
    if (++this.#group === groupEntries) this.#publish();
  }

  #publish(): void {
    const { ring } = this;
    this.#group = 0;
    Atomics.store(ring.words, ring.at(this.#first), this.#firstWord);
    ring.push(this.#first);
  }

  /** Ends a burst: publishes what was pushed and raises the vector when there is something new. */
  flush(): void {
    if (this.#unsignalledTx + this.#unsignalledRx === 0) return;
    if (this.#group > 0) this.#publish();
    const isRx = this.#unsignalledRx > 0;
    this.#unsignalledTx = 0;
    this.#unsignalledRx = 0;
    if (this.shape.interrupts) this.#vectors.signal(this.shape.vector, isRx);
  }
}

function stamp(words: Int32Array, at: number, time: DeviceTime | null): void {
  words[at] = time === null ? 0 : time.lo;
  words[at + 1] = time === null ? 0 : time.hi;
}
