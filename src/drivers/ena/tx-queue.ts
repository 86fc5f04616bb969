/**
 * An ENA transmit queue pair (SQ and CQ), driver's side, descriptors in host memory.
 *
 * Frames are either copied into buffers of the queue's own (`send`) or described where they lie
 * (`sendFrom`, `sendPieces`). Nothing is allocated per frame; `kick` tells the device of all
 * frames since the last one, `reap` takes back what has been sent. Follows `ena_com_prepare_tx`
 * and `ena_com_tx_comp_metadata_get`.
 */
import { txCdesc, txDesc } from '../../defs/ena-io.ts';
import { resetReasons } from '../../defs/ena-regs.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import type { EnaMmio } from './mmio.ts';
import { noOffload, type TxOffload } from './tx-offload.ts';

const { first, last, comp_req, phase, req_id_hi, header_length, req_id_lo } = txDesc.fields;
const FIRST = 1 << first.lsb;
const LAST = 1 << last.lsb;
const COMP_REQ = 1 << comp_req.lsb;
const PHASE = phase.lsb;
const REQ_ID_HI = req_id_hi.lsb;
const REQ_ID_LO = req_id_lo.lsb;
const HEADER_LENGTH = header_length.lsb;
const descWords = txDesc.sizeBytes >>> 2;
const cdescWords = txCdesc.sizeBytes >>> 2;
const CDESC_PHASE = txCdesc.fields.phase.lsb;
/** Below this a loop copies faster than a call. */
const loopBytes = 128;

export type TxQueueSpec = {
  /** Entries of SQ and CQ: a power of two. */
  readonly depth: number;
  /** Bytes of each of the queue's `depth` buffers; a multiple of 64. */
  readonly bufferBytes: number;
  /** Descriptors per packet, the meta descriptor included. */
  readonly maxDescs: number;
  /** The device's `max_tx_header_size`: what `header_length` may say at most. */
  readonly maxHeaderBytes: number;
};

/** The memory of a queue pair: allocated once, used again after every reset. */
export class TxQueue {
  readonly spec: TxQueueSpec;
  /** DMA addresses. */
  readonly sqAddress: number;
  readonly cqAddress: number;
  readonly bufferAddress: number;
  /** Indices that the device gave out. */
  sqIndex = 0;
  cqIndex = 0;
  doorbellOffset = 0;
  unmaskOffset = 0;
  /** Descriptors written, modulo 2^16: the doorbell's value. */
  tail = 0;
  phase = 1;
  sentFrames = 0;
  sentBytes = 0;
  completedFrames = 0;
  /** Frames that found no room. */
  refused = 0;
  /** A reset reason: the device did what it must not. 0 while all is well. */
  fault = 0;
  readonly #mmio: EnaMmio;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #sqWord: number;
  readonly #cqWord: number;
  readonly #bufferStart: number;
  readonly #mask: number;
  readonly #maxHeader: number;
  /** Request ids that are free: a stack. */
  readonly #free: Uint16Array;
  #freeCount = 0;
  /** By request id: descriptors of the packet in flight (0: none), and further ids it holds. */
  readonly #descs: Uint16Array;
  readonly #chain: Int32Array;
  #used = 0;
  #kicked = 0;
  #head = 0;
  #cqPhase = 1;
  #meta0 = 0;
  #meta2 = 0;

  constructor(mmio: EnaMmio, arena: DmaArena, spec: TxQueueSpec) {
    const { depth } = spec;
    this.spec = spec;
    this.#mmio = mmio;
    this.#bytes = arena.bytes;
    this.#words = arena.words;
    this.#mask = depth - 1;
    this.#maxHeader = Math.min(spec.maxHeaderBytes, 255);
    this.sqAddress = arena.alloc(depth * txDesc.sizeBytes);
    this.cqAddress = arena.alloc(depth * txCdesc.sizeBytes);
    this.bufferAddress = arena.alloc(depth * spec.bufferBytes);
    this.#sqWord = arena.offset(this.sqAddress) >>> 2;
    this.#cqWord = arena.offset(this.cqAddress) >>> 2;
    this.#bufferStart = arena.offset(this.bufferAddress);
    this.#free = new Uint16Array(depth);
    this.#descs = new Uint16Array(depth);
    this.#chain = new Int32Array(depth);
    this.clear();
  }

  /** Empties the rings and takes all buffers back: before each CREATE. */
  clear(): void {
    const { depth } = this.spec;
    this.#words.fill(0, this.#sqWord, this.#sqWord + depth * descWords);
    this.#words.fill(0, this.#cqWord, this.#cqWord + depth * cdescWords);
    for (let i = 0; i < depth; i++) this.#free[i] = depth - 1 - i;
    this.#freeCount = depth;
    this.#descs.fill(0);
    this.#chain.fill(-1);
    this.tail = 0;
    this.phase = 1;
    this.fault = 0;
    this.#used = 0;
    this.#kicked = 0;
    this.#head = 0;
    this.#cqPhase = 1;
    this.#meta0 = 0;
    this.#meta2 = 0;
  }

  /** Descriptors that may be written now. */
  get room(): number {
    return this.#mask - this.#used;
  }

  /** Packets that the device has not completed yet. */
  get inFlight(): number {
    return this.sentFrames - this.completedFrames;
  }

  /**
   * Copies a frame into the queue's buffers and describes it; false when there is no room now.
   * Throws a RangeError when it needs more descriptors than a packet may have.
   */
  send(bytes: Uint8Array, at: number, length: number, offload: TxOffload = noOffload): boolean {
    const { bufferBytes } = this.spec;
    const pieces = length <= bufferBytes ? 1 : Math.ceil(length / bufferBytes);
    if (!this.#fits(pieces, pieces)) return false;
    const id = this.#claim();
    this.#copy(bytes, at, id, Math.min(length, bufferBytes));
    const buffer = this.bufferAddress + id * bufferBytes;
    const meta = this.#meta(offload);
    if (pieces === 1) {
      this.#first(id, buffer, length, offload, meta === 0 ? FIRST | LAST : LAST);
    } else {
      this.#first(id, buffer, bufferBytes, offload, meta === 0 ? FIRST : 0);
      this.#rest(bytes, at, id, length);
    }
    this.#posted(id, pieces + meta, length);
    return true;
  }

  /** Describes a frame that lies in one piece at a DMA address and stays there until completed. */
  sendFrom(address: number, length: number, offload: TxOffload = noOffload): boolean {
    if (!this.#fits(1, 1)) return false;
    const id = this.#claim();
    const meta = this.#meta(offload);
    this.#first(id, address, length, offload, meta === 0 ? FIRST | LAST : LAST);
    this.#posted(id, 1 + meta, length);
    return true;
  }

  /** As `sendFrom`, for a frame in `count` pieces. */
  sendPieces(
    addresses: ArrayLike<number>,
    lengths: ArrayLike<number>,
    count: number,
    offload: TxOffload = noOffload,
  ): boolean {
    if (!this.#fits(count, 1)) return false;
    const id = this.#claim();
    const meta = this.#meta(offload);
    let total = 0;
    for (let i = 0; i < count; i++) {
      const length = lengths[i] as number;
      const isLast = i === count - 1 ? LAST : 0;
      const isFirst = meta === 0 ? FIRST : 0;
      if (i === 0) this.#first(id, addresses[0] as number, length, offload, isFirst | isLast);
      else this.#next(addresses[i] as number, length, isLast);
      total += length;
    }
    this.#posted(id, count + meta, total);
    return true;
  }

  /** Tells the device of what was written since the last kick. */
  kick(): void {
    if (this.#kicked === this.tail) return;
    this.#kicked = this.tail;
    this.#mmio.writeAt(this.doorbellOffset, this.tail);
  }

  /** Takes completions; returns how many packets were done. Stops for good at a bad one. */
  reap(): number {
    const words = this.#words;
    const mask = this.#mask;
    let count = 0;
    while (this.fault === 0) {
      const word = words[this.#cqWord + (this.#head & mask) * cdescWords] as number;
      if (((word >>> CDESC_PHASE) & 1) !== this.#cqPhase) break;
      this.#head = (this.#head + 1) & 0xffff;
      if ((this.#head & mask) === 0) this.#cqPhase ^= 1;
      if (this.#release(word & 0xffff)) count++;
      else this.fault = resetReasons.indexOf('INV_TX_REQ_ID');
    }
    this.completedFrames += count;
    return count;
  }

  /** Writes a descriptor of any four words into the next slot: for what no driver would send. */
  put(words: ArrayLike<number>): void {
    const at = this.#sqWord + (this.tail & this.#mask) * descWords;
    for (let i = 0; i < descWords; i++) this.#words[at + i] = words[i] as number;
    this.#advance();
  }

  #fits(descs: number, ids: number): boolean {
    if (descs >= this.spec.maxDescs && descs > 1)
      throw new RangeError(`a packet of ${descs} descriptors and a meta descriptor is too long`);
    if (this.#mask - this.#used > descs && this.#freeCount >= ids) return true;
    this.refused++;
    return false;
  }

  #claim(): number {
    return this.#free[--this.#freeCount] as number;
  }

  /** Frees a packet's request id and buffers; false when the id is none of ours. */
  #release(id: number): boolean {
    if (id > this.#mask || this.#descs[id] === 0) return false;
    this.#used -= this.#descs[id] as number;
    this.#descs[id] = 0;
    for (let i = id; i >= 0; ) {
      const next = this.#chain[i] as number;
      this.#chain[i] = -1;
      this.#free[this.#freeCount++] = i;
      i = next;
    }
    return true;
  }

  /** Writes a meta descriptor when the last one said something else; how many were written. */
  #meta(offload: TxOffload): number {
    if (!offload.needsMeta) return 0;
    if (offload.meta0 === this.#meta0 && offload.meta2 === this.#meta2) return 0;
    this.#meta0 = offload.meta0;
    this.#meta2 = offload.meta2;
    const words = this.#words;
    const at = this.#sqWord + (this.tail & this.#mask) * descWords;
    words[at + 1] = 0;
    words[at + 2] = offload.meta2;
    words[at + 3] = 0;
    words[at] = offload.meta0 | FIRST | (this.phase << PHASE);
    this.#advance();
    return 1;
  }

  #first(id: number, address: number, length: number, offload: TxOffload, flags: number): void {
    const words = this.#words;
    const at = this.#sqWord + (this.tail & this.#mask) * descWords;
    const header = Math.min(length, this.#maxHeader);
    words[at + 1] = offload.control | (id << REQ_ID_LO);
    words[at + 2] = addressLo(address);
    words[at + 3] = addressHi(address) | (header << HEADER_LENGTH);
    const ids = (id >>> 10) << REQ_ID_HI;
    words[at] = length | ids | flags | COMP_REQ | (this.phase << PHASE);
    this.#advance();
  }

  #next(address: number, length: number, flags: number): void {
    const words = this.#words;
    const at = this.#sqWord + (this.tail & this.#mask) * descWords;
    words[at + 1] = 0;
    words[at + 2] = addressLo(address);
    words[at + 3] = addressHi(address);
    words[at] = length | flags | (this.phase << PHASE);
    this.#advance();
  }

  /** The second to last buffers of a frame that `send` copies. */
  #rest(bytes: Uint8Array, at: number, firstId: number, length: number): void {
    const { bufferBytes } = this.spec;
    let previous = firstId;
    for (let done = bufferBytes; done < length; ) {
      const id = this.#claim();
      this.#chain[previous] = id;
      previous = id;
      const piece = Math.min(bufferBytes, length - done);
      this.#copy(bytes, at + done, id, piece);
      done += piece;
      this.#next(this.bufferAddress + id * bufferBytes, piece, done === length ? LAST : 0);
    }
  }

  #copy(bytes: Uint8Array, at: number, id: number, length: number): void {
    const into = this.#bytes;
    const start = this.#bufferStart + id * this.spec.bufferBytes;
    if (length > loopBytes) into.set(bytes.subarray(at, at + length), start);
    else for (let i = 0; i < length; i++) into[start + i] = bytes[at + i] as number;
  }

  #posted(id: number, descs: number, length: number): void {
    this.#descs[id] = descs;
    this.#used += descs;
    this.sentFrames++;
    this.sentBytes += length;
  }

  #advance(): void {
    this.tail = (this.tail + 1) & 0xffff;
    if ((this.tail & this.#mask) === 0) this.phase ^= 1;
  }
}
