/**
 * One guest that sends and one that receives, as lean as drivers can be: they write frames, descriptors
 * and doorbells into the rings that a driver has set up (`load-rings.ts`), and read completions. Made
 * for a thread of its own, and to cost little beside what it measures. It never has more on the way
 * than the receiver's buffers hold, and uses a frame's memory again only when its transmit completion
 * has come. Follows `drivers/ena`, without its choices.
 */
import { rxCdesc, rxDesc, txCdesc, txDesc } from '../../defs/ena-io.ts';
import type { TxOffload } from '../../drivers/ena/tx-offload.ts';
import { checkFrame, type Expected } from './frame-check.ts';
import { firstPort, l4, tcpHeaderBytes, udpHeaderBytes } from './frames.ts';
import type { Guest } from './load-rings.ts';

export type LoadSpec = {
  /** Of each frame that is sent. */
  readonly bytes: number;
  /** The last descriptor of each frame asks for this. */
  readonly offload: Pick<TxOffload, 'control' | 'meta0' | 'meta2' | 'needsMeta'>;
  /** A power of two of frames lie one behind the other in the sender's memory, from here on. */
  readonly framesAt: number;
  readonly frames: number;
  /** From one to the next. */
  readonly strideBytes: number;
  /** Frames at once, and on their way at most. */
  readonly burst: number;
  readonly window: number;
  readonly expected: Expected;
  /** Every so many frames one is compared. */
  readonly checkEvery: number;
};

const bit = ({ lsb }: { readonly lsb: number }): number => 1 << lsb;
const T = txDesc.fields;
const WHOLE = bit(T.first) | bit(T.last) | bit(T.comp_req);
const AFTER_META = bit(T.last) | bit(T.comp_req);
const META_FIRST = bit(T.first);
const REQ_ID_LO = T.req_id_lo.lsb;
const REQ_ID_HI = T.req_id_hi.lsb;
const HEADER_LENGTH = T.header_length.lsb;
const R = rxDesc.fields;
const POSTED = bit(R.first) | bit(R.last) | bit(R.comp_req);
const C = rxCdesc.fields;
const FIRST = bit(C.first);
const LAST = bit(C.last);
const WRONG = bit(C.l3_csum_err) | bit(C.l4_csum_err);
/** The same in all descriptors. */
const PHASE = T.phase.lsb;
const PHASE_BIT = bit(txCdesc.fields.phase);
const descWords = 4;
const txCdescWords = 2;
const rxCdescWords = 4;
/** Completions taken at once at most, and buffers that are given back together. */
const mostAtOnce = 64;
const postTogether = 32;
/** Buffers that one frame may take. */
const mostPieces = 32;

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);

export class LoadPair {
  /** Frames since the start, modulo 2^31: given to the device, and completed by it. */
  sent = 0;
  completed = 0;
  /** Frames, or segments of them, that have arrived. */
  received = 0;
  /** Bytes of payload on their way: headers are repeated where a frame is cut up. */
  underway = 0;

  readonly #spec: LoadSpec;
  readonly #payload: number;
  readonly #headerBytes: number;
  readonly #mostUnderway: number;
  readonly #flows: number;
  #flow = 0;

  readonly #txWords: Int32Array;
  readonly #txHalves: Uint16Array;
  readonly #txBell: Int32Array;
  readonly #txBellAt: number;
  readonly #txSq: number;
  readonly #txCq: number;
  readonly #txMask: number;
  readonly #txTurn: number;
  readonly #txHi: number;
  readonly #frameMask: number;
  #txTail = 0;

  readonly #rxBytes: Uint8Array;
  readonly #rxWords: Int32Array;
  readonly #rxBell: Int32Array;
  readonly #rxBellAt: number;
  readonly #rxSq: number;
  readonly #rxCq: number;
  readonly #rxMask: number;
  readonly #rxTurn: number;
  readonly #rxHi: number;
  readonly #rxLo: Int32Array;
  readonly #posted: number;
  #rxHead = 0;
  #rxTail: number;
  #rxRung: number;
  /** Of the frame that has begun to arrive. */
  #pieces = 0;
  #total = 0;
  readonly #ids = new Int32Array(mostPieces);
  readonly #lengths = new Int32Array(mostPieces);

  constructor(spec: LoadSpec, from: Guest, to: Guest) {
    this.#spec = spec;
    this.#headerBytes = spec.expected.isTcp ? tcpHeaderBytes : udpHeaderBytes;
    this.#payload = spec.bytes - this.#headerBytes;
    this.#mostUnderway = (spec.window - spec.burst) * this.#payload;
    this.#flows = spec.expected.flows;
    const { tx } = from.rings;
    this.#txWords = wordsOf(from.memory);
    this.#txHalves = new Uint16Array(
      ...([from.memory.buffer, from.memory.byteOffset, from.memory.length >>> 1] as const),
    );
    this.#txBell = wordsOf(from.bar);
    this.#txBellAt = tx.doorbellWord;
    this.#txSq = tx.sqWord;
    this.#txCq = tx.cqWord;
    this.#txMask = tx.depth - 1;
    this.#txTurn = Math.log2(tx.depth);
    const header = Math.min(spec.bytes, tx.maxHeaderBytes);
    this.#txHi = from.rings.baseHi | (header << HEADER_LENGTH);
    this.#frameMask = spec.frames - 1;
    const { rx } = to.rings;
    this.#rxBytes = to.memory;
    this.#rxWords = wordsOf(to.memory);
    this.#rxBell = wordsOf(to.bar);
    this.#rxBellAt = rx.doorbellWord;
    this.#rxSq = rx.sqWord;
    this.#rxCq = rx.cqWord;
    this.#rxMask = rx.depth - 1;
    this.#rxTurn = Math.log2(rx.depth);
    this.#rxHi = to.rings.baseHi;
    this.#posted = POSTED | (rx.bufferBytes & 0xffff);
    this.#rxTail = rx.tail;
    this.#rxRung = rx.tail;
    this.#rxLo = Int32Array.from(
      { length: rx.depth },
      (_, id) => rx.buffersAt + id * rx.bufferBytes,
    );
  }

  /** Whether nothing is on its way. */
  get isQuiet(): boolean {
    return this.underway === 0 && this.completed === this.sent;
  }

  /** Sends a whole burst, if there is room for one: how many frames that were. */
  send(): number {
    const { burst } = this.#spec;
    return this.#hasRoom(burst) ? this.#post(burst) : 0;
  }

  /** As `send`, for as many as there is room for. */
  sendUpTo(count: number): number {
    let some = count;
    while (some > 0 && !this.#hasRoom(some)) some >>>= 1;
    return some === 0 ? 0 : this.#post(some);
  }

  #hasRoom(count: number): boolean {
    const { window, burst } = this.#spec;
    const isFree = ((this.sent - this.completed) | 0) + count <= window;
    return isFree && this.underway <= this.#mostUnderway + (burst - count) * this.#payload;
  }

  #post(count: number): number {
    const spec = this.#spec;
    const words = this.#txWords;
    const halves = this.#txHalves;
    const { bytes, strideBytes, framesAt } = spec;
    const { control, needsMeta } = spec.offload;
    const first = this.sent;
    let flow = this.#flow;
    for (let i = 0; i < count; i++) {
      const id = (first + i) & this.#frameMask;
      const frameAt = framesAt + id * strideBytes;
      const ports = (frameAt + l4) >>> 1;
      halves[ports] = swap16(flow & 0xffff);
      halves[ports + 1] = swap16(firstPort + (flow >>> 16));
      if (++flow === this.#flows) flow = 0;
      if (needsMeta) this.#postMeta();
      const tail = this.#txTail;
      const at = this.#txSq + (tail & this.#txMask) * descWords;
      words[at + 1] = control | (id << REQ_ID_LO);
      words[at + 2] = frameAt;
      words[at + 3] = this.#txHi;
      words[at] =
        bytes |
        ((id >>> 10) << REQ_ID_HI) |
        (needsMeta ? AFTER_META : WHOLE) |
        ((((tail >>> this.#txTurn) & 1) ^ 1) << PHASE);
      this.#txTail = (tail + 1) | 0;
    }
    this.#flow = flow;
    this.sent = (first + count) & 0x7fff_ffff;
    this.underway = (this.underway + count * this.#payload) | 0;
    this.#txBell[this.#txBellAt] = this.#txTail & 0xffff;
    return count;
  }

  #postMeta(): void {
    const { meta0, meta2 } = this.#spec.offload;
    const words = this.#txWords;
    const tail = this.#txTail;
    const at = this.#txSq + (tail & this.#txMask) * descWords;
    words[at + 1] = 0;
    words[at + 2] = meta2;
    words[at + 3] = 0;
    words[at] = meta0 | META_FIRST | ((((tail >>> this.#txTurn) & 1) ^ 1) << PHASE);
    this.#txTail = (tail + 1) | 0;
  }

  /** Takes transmit completions: how many. @throws Error for one that cannot be true */
  reap(): number {
    const words = this.#txWords;
    const first = this.completed;
    let done = first;
    for (; done !== this.sent; done = (done + 1) & 0x7fff_ffff) {
      const word = words[this.#txCq + (done & this.#txMask) * txCdescWords] as number;
      const isOurs = ((word >>> PHASE) ^ (done >>> this.#txTurn)) & 1;
      if (isOurs === 0) break;
      if ((word & ~PHASE_BIT) !== (done & this.#frameMask))
        throw new Error(`frame ${done & this.#frameMask} was completed as 0x${word.toString(16)}`);
    }
    this.completed = done;
    return (done - first) & 0x7fff_ffff;
  }

  /** Takes what has arrived and gives the buffers back: how many. @throws Error for a wrong one */
  receive(): number {
    const words = this.#rxWords;
    const before = this.received;
    for (let i = 0; i < mostAtOnce; i++) {
      const head = this.#rxHead;
      const at = this.#rxCq + (head & this.#rxMask) * rxCdescWords;
      const status = words[at] as number;
      if ((((status >>> PHASE) ^ (head >>> this.#rxTurn)) & 1) === 0) break;
      const word1 = words[at + 1] as number;
      const id = word1 >>> 16;
      const isFirst = (status & FIRST) >>> C.first.lsb;
      const pieces = this.#pieces;
      const isMore = pieces > 0 ? 0 : 1;
      if (
        (status & WRONG) !== 0 ||
        id > this.#rxMask ||
        isFirst !== isMore ||
        pieces === mostPieces
      )
        throw new Error(`a receive completion says 0x${status.toString(16)}, buffer ${id}`);
      this.#rxHead = (head + 1) | 0;
      this.#ids[pieces] = id;
      this.#lengths[pieces] = word1 & 0xffff;
      this.#total += word1 & 0xffff;
      this.#pieces = pieces + 1;
      if ((status & LAST) !== 0) this.#arrived();
      const tail = this.#rxTail;
      const to = this.#rxSq + (tail & this.#rxMask) * descWords;
      words[to + 1] = id;
      words[to + 2] = this.#rxLo[id] as number;
      words[to + 3] = this.#rxHi;
      words[to] = this.#posted | ((((tail >>> this.#rxTurn) & 1) ^ 1) << PHASE);
      this.#rxTail = (tail + 1) | 0;
    }
    if (((this.#rxTail - this.#rxRung) | 0) >= postTogether) {
      this.#rxRung = this.#rxTail;
      this.#rxBell[this.#rxBellAt] = this.#rxTail & 0xffff;
    }
    return (this.received - before) & 0x7fff_ffff;
  }

  /** The current frame is all there. */
  #arrived(): void {
    this.underway = (this.underway - this.#total + this.#headerBytes) | 0;
    if (this.received % this.#spec.checkEvery === 0) this.#check();
    this.received = (this.received + 1) & 0x7fff_ffff;
    this.#pieces = 0;
    this.#total = 0;
  }

  #check(): void {
    const frame = new Uint8Array(this.#total);
    for (let i = 0, at = 0; i < this.#pieces; i++) {
      const start = (this.#rxLo[this.#ids[i] as number] as number) | 0;
      const length = this.#lengths[i] as number;
      frame.set(this.#rxBytes.subarray(start, start + length), at);
      at += length;
    }
    checkFrame(frame, this.#spec.expected);
  }
}
