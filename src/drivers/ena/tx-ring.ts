/**
 * The submission ring of a transmit queue: where the next descriptor goes, and the phase it carries.
 *
 * A ring is made of entries. In host memory an entry is one descriptor. In device memory (a
 * low-latency queue) the first entry of a packet holds some descriptors and then the packet's
 * first bytes, and the entries that follow hold descriptors only. Follows `ena_com_prepare_tx`.
 * Or the packet's first bytes lie in a ring of their own, at the index of its first descriptor:
 * follows `ena_com_write_header` of Linux 4.9.
 */
import { txDesc } from '../../defs/ena-io.ts';

const descWords = txDesc.sizeBytes >>> 2;

export type TxEntryShape = {
  readonly entryBytes: number;
  /** Descriptors in a packet's first entry, and in each that follows. */
  readonly firstDescs: number;
  readonly moreDescs: number;
  /** Bytes that can be pushed for a packet; 0 in host memory. */
  readonly headerBytes: number;
  /** They go to a ring of their own, not behind the first entry's descriptors. */
  readonly headerRing: boolean;
};

export const hostEntry: TxEntryShape = {
  entryBytes: txDesc.sizeBytes,
  firstDescs: 1,
  moreDescs: 1,
  headerBytes: 0,
  headerRing: false,
};

export class TxRing {
  readonly shape: TxEntryShape;
  /** The memory that the ring lies in. */
  words: Int32Array = new Int32Array(0);
  /** The word at which the next descriptor begins. */
  at = 0;
  /** The word at which the header of the current packet begins, if the shape has one. */
  headerAt = 0;
  /** Entries written, modulo 2^16: the doorbell's value. */
  tail = 0;
  phase = 1;
  readonly #mask: number;
  readonly #entryWords: number;
  #first = 0;
  #firstHeader = 0;
  #slots: number;
  #slot = 0;

  /** `depth`: entries, a power of two. */
  constructor(depth: number, shape: TxEntryShape) {
    this.shape = shape;
    this.#mask = depth - 1;
    this.#entryWords = shape.entryBytes >>> 2;
    this.#slots = shape.firstDescs;
  }

  /**
   * Starts at the first entry of a ring that lies at word `first` of `words`, its headers from word
   * `firstHeader` on if they have a ring.
   */
  place(words: Int32Array, first: number, firstHeader = 0): void {
    this.words = words;
    this.#first = first;
    this.#firstHeader = firstHeader;
    this.tail = 0;
    this.phase = 1;
    this.#begin();
  }

  /** Entries that a packet of `descs` descriptors takes. */
  entriesFor(descs: number): number {
    const { firstDescs, moreDescs } = this.shape;
    return descs <= firstDescs ? 1 : 1 + Math.ceil((descs - firstDescs) / moreDescs);
  }

  /** The descriptor at `at` is written, another of the same packet may follow. */
  advance(): void {
    this.at += descWords;
    if (++this.#slot === this.#slots) this.#nextEntry(this.shape.moreDescs);
  }

  /** The packet's last descriptor is written: the next packet begins with an entry of its own. */
  endPacket(): void {
    if (this.#slot > 0) this.#nextEntry(this.shape.firstDescs);
    else this.#begin();
  }

  #nextEntry(slots: number): void {
    this.tail = (this.tail + 1) & 0xffff;
    if ((this.tail & this.#mask) === 0) this.phase ^= 1;
    this.#begin();
    this.#slots = slots;
  }

  #begin(): void {
    const { firstDescs, headerBytes, headerRing } = this.shape;
    const index = this.tail & this.#mask;
    this.at = this.#first + index * this.#entryWords;
    this.headerAt = headerRing
      ? this.#firstHeader + index * (headerBytes >>> 2)
      : this.at + firstDescs * descWords;
    this.#slot = 0;
    this.#slots = firstDescs;
  }
}
