/**
 * An ENA receive queue pair (SQ and CQ), driver's side. Buffers are posted in bursts; `next` makes
 * the queue itself the view of the next packet (which buffers, how long, what the device found
 * out about it) until it is called again. Nothing is allocated per packet. Follows
 * `ena_com_add_single_rx_desc` and `ena_com_rx_pkt`.
 */
import { RX_CDESC_TIMESTAMP_WORD, rxCdesc, rxDesc } from '../../defs/ena-io.ts';
import { resetReasons } from '../../defs/ena-regs.ts';
import { bigCount } from '../../lib/big-count.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import type { EnaMmio } from './mmio.ts';

const descWords = rxDesc.sizeBytes >>> 2;
const { first, last, comp_req, phase } = rxDesc.fields;
const POSTED = (1 << first.lsb) | (1 << last.lsb) | (1 << comp_req.lsb);
const PHASE = phase.lsb;
const C = rxCdesc.fields;
const CDESC_PHASE = C.phase.lsb;
const CDESC_FIRST = 1 << C.first.lsb;
const CDESC_LAST = 1 << C.last.lsb;

export type RxQueueSpec = {
  /** Entries of SQ and CQ: a power of two. */
  readonly depth: number;
  /** Bytes of each of the queue's `depth` buffers; a multiple of 64, at most 65536. */
  readonly bufferBytes: number;
  /** Descriptors per packet. */
  readonly maxDescs: number;
  /** Completion entries of 8 words, which have room for a time stamp. */
  readonly timeStamps: boolean;
};

export class RxQueue {
  readonly spec: RxQueueSpec;
  readonly cdescWords: number;
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
  receivedFrames: number = bigCount;
  receivedBytes: number = bigCount;
  /** A reset reason: the device did what it must not. 0 while all is well. */
  fault = 0;

  /** The current packet: its bytes, and where they lie in the arena. */
  length = 0;
  pieces = 0;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  hash = 0;
  /** When the current packet arrived: device time, or 0. */
  stampLo = 0;
  stampHi = 0;
  /** Word 0 of the last completion: `rxCdesc` says what its bits mean. */
  status = 0;

  readonly #mmio: EnaMmio;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #sqWord: number;
  readonly #cqWord: number;
  readonly #bufferStart: number;
  readonly #mask: number;
  readonly #addressLo: Int32Array;
  readonly #addressHi: Int32Array;
  /** Request ids whose buffers are not posted: a stack. */
  readonly #free: Uint16Array;
  #freeCount = 0;
  readonly #posted: Uint8Array;
  readonly #ids: Uint16Array;
  #kicked = 0;
  #head = 0;
  #cqPhase = 1;

  constructor(mmio: EnaMmio, arena: DmaArena, spec: RxQueueSpec) {
    const { depth, bufferBytes } = spec;
    this.receivedFrames = 0;
    this.receivedBytes = 0;
    this.spec = spec;
    this.#mmio = mmio;
    this.#bytes = arena.bytes;
    this.#words = arena.words;
    this.#mask = depth - 1;
    this.sqAddress = arena.alloc(depth * rxDesc.sizeBytes);
    this.cdescWords = (rxCdesc.sizeBytes >>> 2) * (spec.timeStamps ? 2 : 1);
    this.cqAddress = arena.alloc(depth * this.cdescWords * 4);
    this.bufferAddress = arena.alloc(depth * bufferBytes);
    this.#sqWord = arena.offset(this.sqAddress) >>> 2;
    this.#cqWord = arena.offset(this.cqAddress) >>> 2;
    this.#bufferStart = arena.offset(this.bufferAddress);
    const addresses = Array.from({ length: depth }, (_, i) => this.bufferAddress + i * bufferBytes);
    this.#addressLo = Int32Array.from(addresses, addressLo);
    this.#addressHi = Int32Array.from(addresses, addressHi);
    this.#free = new Uint16Array(depth);
    this.#posted = new Uint8Array(depth);
    this.#ids = new Uint16Array(spec.maxDescs);
    this.starts = new Int32Array(spec.maxDescs);
    this.lengths = new Int32Array(spec.maxDescs);
    this.clear();
  }

  /** Empties the rings and takes all buffers back: before each CREATE. */
  clear(): void {
    const { depth } = this.spec;
    this.#words.fill(0, this.#sqWord, this.#sqWord + depth * descWords);
    this.#words.fill(0, this.#cqWord, this.#cqWord + depth * this.cdescWords);
    for (let i = 0; i < depth; i++) this.#free[i] = depth - 1 - i;
    this.#freeCount = depth;
    this.#posted.fill(0);
    this.tail = 0;
    this.phase = 1;
    this.fault = 0;
    this.length = 0;
    this.pieces = 0;
    this.#kicked = 0;
    this.#head = 0;
    this.#cqPhase = 1;
  }

  /** Buffers that the device may fill now. */
  get postedBuffers(): number {
    return this.spec.depth - this.#freeCount - this.pieces;
  }

  /** Posts free buffers, at most `count`; all but one entry of the ring may be in use. */
  refill(count = this.#mask): void {
    const words = this.#words;
    const length = this.spec.bufferBytes & 0xffff;
    for (let i = 0; i < count && this.#freeCount > 1; i++) {
      const id = this.#free[--this.#freeCount] as number;
      const at = this.#sqWord + (this.tail & this.#mask) * descWords;
      words[at + 1] = id;
      words[at + 2] = this.#addressLo[id] as number;
      words[at + 3] = this.#addressHi[id] as number;
      words[at] = length | POSTED | (this.phase << PHASE);
      this.#posted[id] = 1;
      this.#advance();
    }
  }

  /** Tells the device of the buffers posted since the last kick. */
  kick(): void {
    if (this.#kicked === this.tail) return;
    this.#kicked = this.tail;
    this.#mmio.writeAt(this.doorbellOffset, this.tail);
  }

  /** Posts what is free and kicks, once an eighth of the ring is free. */
  replenish(): void {
    if (this.#freeCount + this.pieces <= this.spec.depth >>> 3) return;
    this.#recycle();
    this.refill();
    this.kick();
  }

  /**
   * Moves on to the next packet; false when there is none. The buffers of the packet before
   * become free. After a completion that breaks the rules `fault` is set and no packet comes.
   */
  next(): boolean {
    if (this.pieces > 0) this.#recycle();
    if (this.fault !== 0) return false;
    const words = this.#words;
    const mask = this.#mask;
    let head = this.#head;
    let cqPhase = this.#cqPhase;
    let total = 0;
    for (let i = 0; ; i++) {
      const at = this.#cqWord + (head & mask) * this.cdescWords;
      const status = words[at] as number;
      if (((status >>> CDESC_PHASE) & 1) !== cqPhase) return false;
      head = (head + 1) & 0xffff;
      if ((head & mask) === 0) cqPhase ^= 1;
      if (!this.#take(i, status, words[at + 1] as number, words[at + 3] as number)) return false;
      total += this.lengths[i] as number;
      if ((status & CDESC_LAST) !== 0) {
        this.pieces = i + 1;
        this.status = status;
        this.hash = words[at + 2] as number;
        if (this.spec.timeStamps) this.#stamp(at + RX_CDESC_TIMESTAMP_WORD);
        break;
      }
    }
    for (let i = 0; i < this.pieces; i++) this.#posted[this.#ids[i] as number] = 0;
    this.#head = head;
    this.#cqPhase = cqPhase;
    this.length = total;
    this.receivedFrames++;
    this.receivedBytes += total;
    return true;
  }

  get l3Proto(): number {
    return this.status & 0x1f;
  }
  get vlanTags(): number {
    return (this.status >>> C.src_vlan_cnt.lsb) & 3;
  }
  get l4Proto(): number {
    return (this.status >>> C.l4_proto_idx.lsb) & 0x1f;
  }
  get l3CsumErr(): boolean {
    return ((this.status >>> C.l3_csum_err.lsb) & 1) !== 0;
  }
  get l4CsumErr(): boolean {
    return ((this.status >>> C.l4_csum_err.lsb) & 1) !== 0;
  }
  get l4CsumChecked(): boolean {
    return ((this.status >>> C.l4_csum_checked.lsb) & 1) !== 0;
  }
  get isFragment(): boolean {
    return ((this.status >>> C.ipv4_frag.lsb) & 1) !== 0;
  }

  /** Copies the current packet to `into[at..]`; returns its length. */
  copy(into: Uint8Array, at: number): number {
    let to = at;
    for (let i = 0; i < this.pieces; i++) {
      const start = this.starts[i] as number;
      const length = this.lengths[i] as number;
      into.set(this.#bytes.subarray(start, start + length), to);
      to += length;
    }
    return this.length;
  }

  /** Writes a descriptor of any four words into the next slot: for what no driver would post. */
  put(words: ArrayLike<number>): void {
    const at = this.#sqWord + (this.tail & this.#mask) * descWords;
    for (let i = 0; i < descWords; i++) this.#words[at + i] = words[i] as number;
    this.#advance();
  }

  #stamp(at: number): void {
    this.stampLo = this.#words[at] as number;
    this.stampHi = this.#words[at + 1] as number;
  }

  /** Notes buffer `i` of a packet; false when the completion cannot be true. */
  #take(i: number, status: number, word1: number, word3: number): boolean {
    const id = word1 >>> 16;
    const length = word1 & 0xffff;
    const offset = i === 0 ? (word3 >>> 16) & 0xff : 0;
    if (i >= this.spec.maxDescs) return this.#fail('TOO_MANY_RX_DESCS');
    if (id > this.#mask || this.#posted[id] === 0) return this.#fail('INV_RX_REQ_ID');
    for (let j = 0; j < i; j++) if (this.#ids[j] === id) return this.#fail('INV_RX_REQ_ID');
    const isFirst = (status & CDESC_FIRST) !== 0;
    if (isFirst !== (i === 0) || offset + length > this.spec.bufferBytes)
      return this.#fail('RX_DESCRIPTOR_MALFORMED');
    this.#ids[i] = id;
    this.starts[i] = this.#bufferStart + id * this.spec.bufferBytes + offset;
    this.lengths[i] = length;
    return true;
  }

  #fail(reason: (typeof resetReasons)[number]): false {
    this.fault = resetReasons.indexOf(reason);
    return false;
  }

  #recycle(): void {
    for (let i = 0; i < this.pieces; i++) this.#free[this.#freeCount++] = this.#ids[i] as number;
    this.pieces = 0;
    this.length = 0;
  }

  #advance(): void {
    this.tail = (this.tail + 1) & 0xffff;
    if ((this.tail & this.#mask) === 0) this.phase ^= 1;
  }
}
