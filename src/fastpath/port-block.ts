/**
 * A port of the switch, as the module sees it: as a sender and as a receiver, with its rings, its hash
 * and the windows of its guest's memory. What seldom changes is written when it has changed.
 */
import type { Arena } from '../lib/arena.ts';
import {
  type HashTables,
  type LinearMemoryMap,
  type PortLoan,
  type ReceiverLoan,
  RingLoan,
  type SenderLoan,
} from '../net/loans.ts';
import {
  LARGE_PIECES,
  MAX_BUFFERS,
  MAX_RINGS,
  MAX_WINDOWS,
  PORT_BYTES,
  PORT_BYTES_LEFT,
  PORT_BYTES_MOVED,
  PORT_FRAMES,
  PORT_LAST_WINDOW,
  PORT_MAX_BYTES,
  PORT_PACKETS_LEFT,
  PORT_WINDOW_COUNT,
  PORT_WINDOWS,
  RECEIVER_ADDRESS,
  RECEIVER_FIRST,
  RECEIVER_HASH,
  RECEIVER_INDIRECTION,
  RECEIVER_INDIRECTION_MASK,
  RECEIVER_INPUTS,
  RECEIVER_JOINS,
  RECEIVER_MACS,
  RECEIVER_MAX_BUFFERS,
  RECEIVER_PORT,
  RECEIVER_RINGS,
  RECEIVER_TRUNK,
  RING_BYTES,
  SENDER_ADDRESS,
  SENDER_COMPLETES_ALL,
  SENDER_KEY,
  SENDER_L3L4_BYTES,
  SENDER_MAC_HI,
  SENDER_MAC_LO,
  SENDER_MAX_DESCS,
  SENDER_MAX_PIECES,
  SENDER_MSS,
  SENDER_PORT,
  SENDER_RING,
  SENDER_SLOT,
  UNKNOWN,
  USE_READ,
  USE_WRITE,
  WINDOW_BYTES,
  WINDOW_END,
  WINDOW_IOVA,
  WINDOW_LINEAR,
  WINDOW_USE,
} from './layout.ts';
import { RingBlock } from './ring-block.ts';

/** Bytes of a hash's positions that matter for IPv4, and entries of the largest indirection. */
const hashWords = 12 * 256;
const maxIndirection = 4096;
/** Longer frames are for the ordinary path. */
const maxTrunkBytes = 65_535;

export class PortBlock {
  /** The receiver that got all that the port last sent, and the ring of it, if there was one: else -1. */
  usualKey = -1;
  usualRing = -1;
  readonly #arena: Arena;
  readonly #sender: Int32Array;
  readonly #senderDoubles: Float64Array;
  readonly #receiver: Int32Array;
  readonly #receiverDoubles: Float64Array;
  readonly #windows: Int32Array;
  #memory: LinearMemoryMap | null = null;
  #layout = -1;
  /** Made when first needed. */
  #senderRing: RingBlock | null = null;
  readonly #rings: (RingBlock | null)[] = new Array<RingBlock | null>(MAX_RINGS).fill(null);
  /** Rings that have said something in this burst: the first `#ringCount` of these. */
  readonly #ringIndexes = new Uint8Array(MAX_RINGS);
  #ringCount = 0;
  #contributions: Int32Array | null = null;
  #indirection: Uint16Array | null = null;
  #hash: HashTables | null = null;
  #hashVersion = -1;

  /** `port`: its number. */
  constructor(arena: Arena, port: number) {
    this.#arena = arena;
    this.#sender = arena.int32(PORT_BYTES / 4);
    this.#senderDoubles = doublesOf(this.#sender);
    this.#receiver = arena.int32(PORT_BYTES / 4);
    this.#receiverDoubles = doublesOf(this.#receiver);
    this.#windows = arena.int32((MAX_WINDOWS * WINDOW_BYTES) / 4);
    this.#sender[SENDER_PORT / 4] = port;
    this.#receiver[RECEIVER_PORT / 4] = port;
  }

  /** Their addresses. */
  get sender(): number {
    return this.#sender.byteOffset;
  }

  get receiver(): number {
    return this.#receiver.byteOffset;
  }

  get senderRing(): RingBlock {
    return this.#senderRing as RingBlock;
  }

  writeSender(loan: SenderLoan): void {
    const words = this.#sender;
    this.#writePort(words, this.#senderDoubles, loan);
    this.#senderRing ??= new RingBlock(this.#arena.int32(RING_BYTES / 4), loan.ring);
    this.#senderRing.write();
    words[SENDER_RING / 4] = this.#senderRing.at;
    words[SENDER_MAC_HI / 4] = loan.macHi;
    words[SENDER_MAC_LO / 4] = loan.macLo;
    words[SENDER_SLOT / 4] = loan.key;
    words[SENDER_ADDRESS / 4] = loan.address;
    words[SENDER_COMPLETES_ALL / 4] = loan.completesAll ? 1 : 0;
    words[SENDER_KEY / 4] = loan.key;
    // One less: there may be a meta descriptor, which is counted with them.
    words[SENDER_MAX_PIECES / 4] = Math.min(loan.maxPieces - 1, MAX_BUFFERS);
    words[SENDER_MAX_DESCS / 4] = Math.min(loan.maxPieces, LARGE_PIECES);
    words[SENDER_MSS / 4] = loan.mss;
    words[SENDER_L3L4_BYTES / 4] = loan.l3l4Bytes;
  }

  readSender(loan: SenderLoan): void {
    this.senderRing.read();
    loan.mss = this.#sender[SENDER_MSS / 4] as number;
    loan.l3l4Bytes = this.#sender[SENDER_L3L4_BYTES / 4] as number;
    readPort(this.#sender, this.#senderDoubles, loan);
  }

  writeReceiver(loan: ReceiverLoan): void {
    const words = this.#receiver;
    this.#writePort(words, this.#receiverDoubles, loan);
    const [first = 0, second = 0, third = 0] = loan.macs;
    words[RECEIVER_MACS / 4] = swapped(first);
    words[RECEIVER_MACS / 4 + 1] = swapped(second);
    words[RECEIVER_MACS / 4 + 2] = swapped(third);
    words[RECEIVER_FIRST / 4] = loan.firstRing;
    words[RECEIVER_MAX_BUFFERS / 4] = loan.maxBuffers;
    words[RECEIVER_JOINS / 4] = loan.joins ? 1 : 0;
    words[RECEIVER_ADDRESS / 4] = loan.address;
    if (loan.hash !== this.#hash || loan.hash.version !== this.#hashVersion) this.#writeHash(loan);
  }

  /** Another thread serves it: frames go by a trunk's block. */
  writeTrunk(block: number): void {
    const words = this.#receiver;
    words[RECEIVER_TRUNK / 4] = block;
    words[PORT_MAX_BYTES / 4] = maxTrunkBytes;
    this.#receiverDoubles[PORT_BYTES_LEFT / 8] = Infinity;
    this.#receiverDoubles[PORT_PACKETS_LEFT / 8] = Infinity;
  }

  /** Its rings are not lent any more. */
  readReceiver(loan: ReceiverLoan): void {
    readPort(this.#receiver, this.#receiverDoubles, loan);
    for (let i = 0; i < this.#ringCount; i++)
      this.#receiver[RECEIVER_RINGS / 4 + (this.#ringIndexes[i] as number)] = UNKNOWN;
    this.#ringCount = 0;
  }

  ringAt(index: number): RingBlock {
    let ring = this.#rings[index] ?? null;
    if (ring === null) {
      ring = new RingBlock(this.#arena.int32(RING_BYTES / 4), new RingLoan());
      this.#rings[index] = ring;
    }
    return ring;
  }

  /** `value`: a ring's address, or why there is none. */
  setRing(index: number, value: number): void {
    this.#receiver[RECEIVER_RINGS / 4 + index] = value;
    this.#ringIndexes[this.#ringCount++] = index;
  }

  #writePort(words: Int32Array, doubles: Float64Array, loan: PortLoan): void {
    const { memory } = loan;
    if (memory !== this.#memory || memory.layout !== this.#layout) this.#writeWindows(memory);
    words[PORT_MAX_BYTES / 4] = loan.maxBytes;
    words[PORT_FRAMES / 4] = 0;
    doubles[PORT_BYTES_LEFT / 8] = loan.bytesLeft;
    doubles[PORT_PACKETS_LEFT / 8] = loan.packetsLeft;
    doubles[PORT_BYTES_MOVED / 8] = 0;
  }

  /** What is behind the first so many windows goes the ordinary way. */
  #writeWindows(memory: LinearMemoryMap): void {
    this.#memory = memory;
    this.#layout = memory.layout;
    const count = Math.min(memory.windows.length, MAX_WINDOWS);
    this.#windows.fill(0);
    for (const [i, window] of memory.windows.slice(0, count).entries()) {
      const at = i * WINDOW_BYTES;
      const { iova, end, linear } = window;
      const use = (window.readable ? USE_READ : 0) | (window.writable ? USE_WRITE : 0);
      writeLong(this.#windows, (at + WINDOW_IOVA) / 4, iova);
      writeLong(this.#windows, (at + WINDOW_END) / 4, end);
      this.#windows[(at + WINDOW_LINEAR) / 4] = linear < 0 ? 0 : linear | 0;
      this.#windows[(at + WINDOW_USE) / 4] = linear < 0 ? 0 : use;
    }
    for (const words of [this.#sender, this.#receiver]) {
      words[PORT_WINDOWS / 4] = this.#windows.byteOffset;
      words[PORT_WINDOW_COUNT / 4] = count;
      words[PORT_LAST_WINDOW / 4] = this.#windows.byteOffset;
    }
  }

  #writeHash({ hash, indirection }: ReceiverLoan): void {
    this.#hash = hash;
    this.#hashVersion = hash.version;
    const words = this.#receiver;
    this.#contributions ??= this.#arena.int32(hashWords);
    this.#contributions.set(hash.contributions.subarray(0, hashWords));
    words[RECEIVER_HASH / 4] = this.#contributions.byteOffset;
    words[RECEIVER_INPUTS / 4] = hash.inputs;
    const { length } = indirection;
    words[RECEIVER_INDIRECTION / 4] = 0;
    if (length === 0) return;
    if (length > maxIndirection) throw new RangeError(`an indirection of ${length} entries`);
    this.#indirection ??= halves(this.#arena.int32(maxIndirection / 2));
    this.#indirection.set(indirection);
    words[RECEIVER_INDIRECTION / 4] = this.#indirection.byteOffset;
    words[RECEIVER_INDIRECTION_MASK / 4] = length - 1;
  }
}

function readPort(words: Int32Array, doubles: Float64Array, loan: PortLoan): void {
  loan.frames = words[PORT_FRAMES / 4] as number;
  loan.bytes = doubles[PORT_BYTES_MOVED / 8] as number;
  loan.bytesLeft = doubles[PORT_BYTES_LEFT / 8] as number;
  loan.packetsLeft = doubles[PORT_PACKETS_LEFT / 8] as number;
}

/** A whole number below 2^53, as 64 bits. */
function writeLong(words: Int32Array, at: number, value: number): void {
  words[at] = value | 0;
  words[at + 1] = Math.floor(value / 2 ** 32);
}

const doublesOf = (words: Int32Array): Float64Array =>
  new Float64Array(words.buffer, words.byteOffset, words.length / 2);

const halves = (words: Int32Array): Uint16Array =>
  new Uint16Array(words.buffer, words.byteOffset, 2 * words.length);

/** From network order to how the machine has it, or back. */
const swapped = (word: number): number =>
  (word << 24) | ((word << 8) & 0xff_0000) | ((word >>> 8) & 0xff00) | (word >>> 24);
