/**
 * An ENA transmit queue pair (SQ and CQ), driver's side, in host or device memory.
 *
 * Frames are either copied into buffers of the queue's own (`send`) or described where they lie
 * (`sendFrom`, `sendPieces`). Nothing is allocated per frame; `kick` tells the device of all
 * frames since the last one, `reap` takes back what has been sent. Follows `ena_com_prepare_tx`
 * and `ena_com_tx_comp_metadata_get`.
 */
import { TX_CDESC_TIMESTAMP_WORD, txCdesc, txDesc } from '../../defs/ena-io.ts';
import { resetReasons } from '../../defs/ena-regs.ts';
import { bigCount } from '../../lib/big-count.ts';
import type { Clock } from '../../lib/clock.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import type { EnaMmio } from './mmio.ts';
import { noOffload, type TxOffload } from './tx-offload.ts';
import { hostEntry, type TxEntryShape, TxRing } from './tx-ring.ts';

const { first, last, comp_req, phase, req_id_hi, header_length, req_id_lo } = txDesc.fields;
const FIRST = 1 << first.lsb;
const LAST = 1 << last.lsb;
const COMP_REQ = 1 << comp_req.lsb;
const PHASE = phase.lsb;
const REQ_ID_HI = req_id_hi.lsb;
const REQ_ID_LO = req_id_lo.lsb;
const HEADER_LENGTH = header_length.lsb;
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
  /** Completion entries of 4 words, which have room for a time stamp. */
  readonly timeStamps: boolean;
  /** null: nobody asks how long a packet has been on its way. */
  readonly clock: Clock | null;
  /** Absent: the ring lies in host memory. */
  readonly llq?: {
    readonly shape: TxEntryShape;
    readonly alwaysMeta: boolean;
    readonly maxBurstEntries: number;
  };
};

/** The memory of a queue pair: allocated once, used again after every reset. */
export class TxQueue {
  readonly spec: TxQueueSpec;
  readonly cdescWords: number;
  readonly ring: TxRing;
  /** DMA addresses; that of the SQ is 0 when it lies in device memory. */
  readonly sqAddress: number;
  readonly cqAddress: number;
  readonly bufferAddress: number;
  /** Indices that the device gave out. */
  sqIndex = 0;
  cqIndex = 0;
  doorbellOffset = 0;
  unmaskOffset = 0;
  sentFrames: number = bigCount;
  sentBytes: number = bigCount;
  completedFrames: number = bigCount;
  /** When the packet that was reaped last was sent: device time, or 0. */
  stampLo = 0;
  stampHi = 0;
  /** Frames that found no room. */
  refused = 0;
  /** A reset reason: the device did what it must not. 0 while all is well. */
  fault = 0;
  readonly #mmio: EnaMmio;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #base: number;
  readonly #cqWord: number;
  readonly #bufferStart: number;
  readonly #mask: number;
  readonly #maxHeader: number;
  readonly #pushBytes: number;
  readonly #alwaysMeta: boolean;
  readonly #maxBurst: number;
  /** Request ids that are free: a stack. */
  readonly #free: Uint16Array;
  #freeCount = 0;
  /** By request id: entries of the packet in flight (0: none), and further ids it holds. */
  readonly #entries: Uint16Array;
  readonly #chain: Int32Array;
  /** By request id: when the packet in flight was sent. */
  readonly #sentAt: Float64Array;
  /** Entries in use. */
  #used = 0;
  #kicked = 0;
  #head = 0;
  #cqPhase = 1;
  #meta0 = 0;
  #meta2 = 0;

  constructor(mmio: EnaMmio, arena: DmaArena, spec: TxQueueSpec) {
    const { depth, llq } = spec;
    this.sentFrames = 0;
    this.sentBytes = 0;
    this.completedFrames = 0;
    this.spec = spec;
    this.ring = new TxRing(depth, llq?.shape ?? hostEntry);
    this.#mmio = mmio;
    this.#bytes = arena.bytes;
    this.#words = arena.words;
    this.#base = arena.base;
    this.#mask = depth - 1;
    this.#maxHeader = Math.min(spec.maxHeaderBytes, 255);
    this.#pushBytes = Math.min(this.ring.shape.headerBytes, 255);
    this.#alwaysMeta = llq?.alwaysMeta ?? false;
    this.#maxBurst = llq?.maxBurstEntries ?? 0;
    this.sqAddress = llq === undefined ? arena.alloc(depth * txDesc.sizeBytes) : 0;
    this.cdescWords = (txCdesc.sizeBytes >>> 2) * (spec.timeStamps ? 2 : 1);
    this.cqAddress = arena.alloc(depth * this.cdescWords * 4);
    this.bufferAddress = arena.alloc(depth * spec.bufferBytes);
    this.#cqWord = arena.offset(this.cqAddress) >>> 2;
    this.#bufferStart = arena.offset(this.bufferAddress);
    this.#free = new Uint16Array(depth);
    this.#entries = new Uint16Array(depth);
    this.#chain = new Int32Array(depth);
    this.#sentAt = new Float64Array(depth);
    if (llq === undefined) this.ring.place(this.#words, arena.offset(this.sqAddress) >>> 2);
    this.clear();
  }

  get isInDevice(): boolean {
    return this.spec.llq !== undefined;
  }

  /** Empties the CQ and takes all buffers back: before each CREATE, then `ring.place`. */
  clear(): void {
    const { depth } = this.spec;
    this.#words.fill(0, this.#cqWord, this.#cqWord + depth * this.cdescWords);
    for (let i = 0; i < depth; i++) this.#free[i] = depth - 1 - i;
    this.#freeCount = depth;
    this.#entries.fill(0);
    this.#chain.fill(-1);
    this.fault = 0;
    this.#used = 0;
    this.#kicked = 0;
    this.#head = 0;
    this.#cqPhase = 1;
    this.#meta0 = 0;
    this.#meta2 = 0;
    this.completedFrames = this.sentFrames;
  }

  /** Entries written, modulo 2^16: the doorbell's value. */
  get tail(): number {
    return this.ring.tail;
  }

  /** Entries that may be written now. */
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
    const pushed = Math.min(length, this.#pushBytes);
    const rest = length - pushed;
    const pieces = rest <= bufferBytes ? 1 : Math.ceil(rest / bufferBytes);
    if (!this.#fits(pieces, pieces)) return false;
    const start = this.ring.tail;
    const id = this.#claim();
    if (pushed > 0) this.#push(bytes, at, pushed);
    const piece = Math.min(rest, bufferBytes);
    this.#copy(bytes, at + pushed, id, piece);
    const buffer = this.bufferAddress + id * bufferBytes;
    const isFirst = this.#meta(offload) ? 0 : FIRST;
    this.#first(id, buffer, piece, pushed, offload, pieces === 1 ? isFirst | LAST : isFirst);
    if (pieces > 1) this.#rest(bytes, at + pushed, id, rest);
    this.#posted(id, start, length);
    return true;
  }

  /** Describes a frame that lies in one piece at a DMA address and stays there until completed. */
  sendFrom(address: number, length: number, offload: TxOffload = noOffload): boolean {
    if (!this.#fits(1, 1)) return false;
    const start = this.ring.tail;
    const id = this.#claim();
    const pushed = Math.min(length, this.#pushBytes);
    if (pushed > 0) this.#push(this.#bytes, address - this.#base, pushed);
    const isFirst = this.#meta(offload) ? 0 : FIRST;
    this.#first(id, address + pushed, length - pushed, pushed, offload, isFirst | LAST);
    this.#posted(id, start, length);
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
    const start = this.ring.tail;
    const id = this.#claim();
    const address = addresses[0] as number;
    let total = lengths[0] as number;
    const pushed = Math.min(total, this.#pushBytes);
    if (pushed > 0) this.#push(this.#bytes, address - this.#base, pushed);
    const isFirst = this.#meta(offload) ? 0 : FIRST;
    const flags = count === 1 ? isFirst | LAST : isFirst;
    this.#first(id, address + pushed, total - pushed, pushed, offload, flags);
    for (let i = 1; i < count; i++) {
      const length = lengths[i] as number;
      this.#next(addresses[i] as number, length, i === count - 1 ? LAST : 0);
      total += length;
    }
    this.#posted(id, start, total);
    return true;
  }

  /** Tells the device of what was written since the last kick. */
  kick(): void {
    const { tail } = this.ring;
    if (this.#kicked === tail) return;
    this.#kicked = tail;
    this.#mmio.writeAt(this.doorbellOffset, tail);
  }

  /** Takes completions; returns how many packets were done. Stops for good at a bad one. */
  reap(): number {
    const words = this.#words;
    const mask = this.#mask;
    let count = 0;
    while (this.fault === 0) {
      const at = this.#cqWord + (this.#head & mask) * this.cdescWords;
      const word = words[at] as number;
      if (((word >>> CDESC_PHASE) & 1) !== this.#cqPhase) break;
      this.#head = (this.#head + 1) & 0xffff;
      if ((this.#head & mask) === 0) this.#cqPhase ^= 1;
      if (this.spec.timeStamps) {
        this.stampLo = words[at + TX_CDESC_TIMESTAMP_WORD] as number;
        this.stampHi = words[at + TX_CDESC_TIMESTAMP_WORD + 1] as number;
      }
      if (this.#release(word & 0xffff)) count++;
      else this.fault = resetReasons.indexOf('INV_TX_REQ_ID');
    }
    this.completedFrames += count;
    return count;
  }

  /** How many packets were sent before that time and are not completed yet. */
  sentBefore(ns: number): number {
    let count = 0;
    for (let id = 0; id < this.spec.depth; id++)
      if (this.#entries[id] !== 0 && (this.#sentAt[id] as number) < ns) count++;
    return count;
  }

  /** Writes a descriptor of any four words into the ring: for what no driver would send. */
  put(words: ArrayLike<number>, endsPacket: boolean): void {
    for (let i = 0; i < words.length; i++) this.ring.words[this.ring.at + i] = words[i] as number;
    this.ring.advance();
    if (endsPacket) this.ring.endPacket();
  }

  /** Whether there is room for so many descriptors, one more for meta data, and buffers. */
  #fits(descs: number, ids: number): boolean {
    if (descs >= this.spec.maxDescs && descs > 1)
      throw new RangeError(`a packet of ${descs} descriptors and a meta descriptor is too long`);
    const entries = this.ring.entriesFor(descs + 1);
    if (this.#mask - this.#used < entries || this.#freeCount < ids) {
      this.refused++;
      return false;
    }
    const burst = (this.ring.tail - this.#kicked) & 0xffff;
    if (this.#maxBurst > 0 && burst + entries > this.#maxBurst) this.kick();
    return true;
  }

  #claim(): number {
    return this.#free[--this.#freeCount] as number;
  }

  /** Frees a packet's request id and buffers; false when the id is none of ours. */
  #release(id: number): boolean {
    if (id > this.#mask || this.#entries[id] === 0) return false;
    this.#used -= this.#entries[id] as number;
    this.#entries[id] = 0;
    for (let i = id; i >= 0; ) {
      const next = this.#chain[i] as number;
      this.#chain[i] = -1;
      this.#free[this.#freeCount++] = i;
      i = next;
    }
    return true;
  }

  /** Writes a meta descriptor when the device does not know what it would say; whether it did. */
  #meta(offload: TxOffload): boolean {
    const isKnown = offload.meta0 === this.#meta0 && offload.meta2 === this.#meta2;
    if (!this.#alwaysMeta && (isKnown || !offload.needsMeta)) return false;
    this.#meta0 = offload.meta0;
    this.#meta2 = offload.meta2;
    const { words, at } = this.ring;
    words[at + 1] = 0;
    words[at + 2] = offload.meta2;
    words[at + 3] = 0;
    words[at] = offload.meta0 | FIRST | (this.ring.phase << PHASE);
    this.ring.advance();
    return true;
  }

  #first(
    id: number,
    address: number,
    length: number,
    pushed: number,
    offload: TxOffload,
    flags: number,
  ): void {
    const { words, at } = this.ring;
    const header = this.#pushBytes > 0 ? pushed : Math.min(length, this.#maxHeader);
    words[at + 1] = offload.control | (id << REQ_ID_LO);
    words[at + 2] = addressLo(address);
    words[at + 3] = addressHi(address) | (header << HEADER_LENGTH);
    const ids = (id >>> 10) << REQ_ID_HI;
    words[at] = length | ids | flags | COMP_REQ | (this.ring.phase << PHASE);
    this.ring.advance();
  }

  #next(address: number, length: number, flags: number): void {
    const { words, at } = this.ring;
    words[at + 1] = 0;
    words[at + 2] = addressLo(address);
    words[at + 3] = addressHi(address);
    words[at] = length | flags | (this.ring.phase << PHASE);
    this.ring.advance();
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

  /** Stores the packet's first bytes into the ring, by whole words as a device demands it. */
  #push(bytes: Uint8Array, at: number, length: number): void {
    const { words, headerAt } = this.ring;
    for (let i = 0, from = at; i < length; i += 4, from += 4)
      words[headerAt + (i >>> 2)] =
        (bytes[from] as number) |
        ((bytes[from + 1] as number) << 8) |
        ((bytes[from + 2] as number) << 16) |
        ((bytes[from + 3] as number) << 24);
  }

  #copy(bytes: Uint8Array, at: number, id: number, length: number): void {
    const into = this.#bytes;
    const start = this.#bufferStart + id * this.spec.bufferBytes;
    if (length > loopBytes) into.set(bytes.subarray(at, at + length), start);
    else for (let i = 0; i < length; i++) into[start + i] = bytes[at + i] as number;
  }

  #posted(id: number, start: number, length: number): void {
    this.ring.endPacket();
    const entries = (this.ring.tail - start) & 0xffff;
    this.#entries[id] = entries;
    if (this.spec.clock !== null) this.#sentAt[id] = this.spec.clock.now();
    this.#used += entries;
    this.sentFrames++;
    this.sentBytes += length;
  }
}
