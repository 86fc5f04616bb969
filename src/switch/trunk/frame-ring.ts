/**
 * A ring of frames from one thread to another: one writes, one reads, in memory that both have mapped.
 *
 *     128 B: reader's place | 128 B: writer's place | 128 B: "the reader sleeps" | ... | records
 *
 * A record is four words (lengths; sums, tunnel and mss; ends; kind) and the frame, padded to 16 bytes.
 * Records do not wrap: one that would is put at the ring's start instead. Places count units of 16
 * bytes and run over; each is published once per burst, on a cache line that nobody else writes.
 *
 * A writer whose reader has read everything starts over, at the ring's start: so a ring is as small as
 * it can be, and what is used of it stays in caches. Beside its place it says how often it did.
 */
import { copyWords, shortBytes, viewOf } from '../../net/copy.ts';
import { type Frame, maxFrameBytes, maxHeadBytes } from '../../net/frame.ts';
import type { TrunkLoan } from '../../net/loans.ts';

/** Before the records: a page, of which three pairs of cache lines are used. */
export const ringHeadBytes = 4096;

const word = { readerAt: 0, writerAt: 32, starts: 33, sleeps: 64 } as const;
const firstWord = ringHeadBytes >> 2;
const unitLog = 4;
const headerBytes = 16;
/** In place of a record's lengths: the next record is at the start. */
const restart = -1;
const lengthBits = 20;
const lengthMask = (1 << lengthBits) - 1;
/** Units after which a writer looks whether it can start over. */
const lap = (64 << 10) >> unitLog;

/** A ring's memory. `linear`: where it begins in a fast path's memory; absent: it does not lie there. */
export type RingPlace = { readonly bytes: Uint8Array; readonly linear?: number };

/** What both ends of a ring see of it. */
class RingMemory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Units of 16 bytes. */
  readonly size: number;
  readonly #linear: number;

  constructor(memory: Uint8Array, linear: number) {
    this.#linear = linear;
    this.bytes = memory;
    this.view = new DataView(memory.buffer, memory.byteOffset, memory.length);
    this.words = new Int32Array(memory.buffer, memory.byteOffset, memory.length >> 2);
    this.size = (memory.length - ringHeadBytes) >> unitLog;
    if (!Number.isInteger(Math.log2(this.size)) || this.size << unitLog < 2 * maxFrameBytes)
      throw new Error(`a ring of ${memory.length} bytes is no power of two, or too small`);
  }

  lend(loan: TrunkLoan, head: number, tail: number): boolean {
    if (this.#linear < 0) return false;
    loan.recordsAt = this.#linear + ringHeadBytes;
    loan.size = this.size;
    loan.head = head;
    loan.tail = tail;
    return true;
  }
}

export class RingWriter {
  readonly #ring: RingMemory;
  readonly #size: number;
  readonly #words: Int32Array;
  /** The end of what was written, and of what the reader knows of. */
  #tail = 0;
  #published = 0;
  /** Where the reader was when it was last looked at. */
  #head = 0;
  /** Where it was when we started over: until it comes on it is where we are. */
  #leftAt = 0;
  #isLeft = false;

  /** `memory`: zeroed, or with an empty ring; `ringHeadBytes` and a power of two. `linear`: as `RingPlace` has it. */
  constructor(memory: Uint8Array, linear = -1) {
    this.#ring = new RingMemory(memory, linear);
    this.#size = this.#ring.size;
    this.#words = this.#ring.words;
    this.#head = this.#words[word.readerAt] as number;
    this.#tail = this.#published = this.#head;
  }

  /** Copies a frame in; false when there is no room. `to` and `from`: 16 bits each. */
  push(kind: number, to: number, from: number, frame: Frame): boolean {
    this.#begin();
    const size = this.#size;
    const units = (headerBytes + frame.length + 15) >> unitLog;
    const untilEnd = size - (this.#tail & (size - 1));
    const skip = units <= untilEnd ? 0 : untilEnd;
    if (!this.#hasRoom(skip + units)) return false;
    const words = this.#words;
    if (skip > 0) {
      words[firstWord + ((this.#tail & (size - 1)) << 2)] = restart;
      this.#tail = (this.#tail + skip) | 0;
    }
    const at = firstWord + ((this.#tail & (size - 1)) << 2);
    words[at] = frame.length | (frame.headLength << lengthBits);
    words[at + 1] = frame.ipv4Sum | (frame.l4Sum << 2) | (frame.innerAt << 4) | (frame.mss << 16);
    words[at + 2] = to | (from << 16);
    words[at + 3] = kind;
    this.#copy(frame, (at << 2) + headerBytes);
    this.#tail = (this.#tail + units) | 0;
    return true;
  }

  /** Lends the ring to a fast path, which writes as this does. */
  lend(loan: TrunkLoan): boolean {
    this.#begin();
    if (this.#size - ((this.#tail - this.#head) | 0) < lap) this.#look();
    return this.#ring.lend(loan, this.#head, this.#tail);
  }

  takeBack(loan: TrunkLoan): void {
    this.#tail = loan.tail;
  }

  /** Shows the reader what was written. Returns whether it sleeps, and has to be woken, by us. */
  publish(): boolean {
    if (this.#published === this.#tail) return false;
    this.#published = this.#tail;
    Atomics.store(this.#words, word.writerAt, this.#tail);
    // The reader says that it sleeps, then looks once more: one of us two sees the other.
    return (
      Atomics.load(this.#words, word.sleeps) !== 0 &&
      Atomics.exchange(this.#words, word.sleeps, 0) !== 0
    );
  }

  #hasRoom(units: number): boolean {
    if (((this.#tail - this.#head) | 0) + units <= this.#size) return true;
    this.#look();
    return ((this.#tail - this.#head) | 0) + units <= this.#size;
  }

  #look(): void {
    const at = Atomics.load(this.#words, word.readerAt);
    if (this.#isLeft && at === this.#leftAt) return;
    this.#isLeft = false;
    this.#head = at;
  }

  /** Before the first record of a burst. */
  #begin(): void {
    if (this.#tail !== this.#published || (this.#tail & (this.#size - 1)) < lap) return;
    this.#look();
    if (this.#head !== this.#tail) return;
    const words = this.#words;
    words[word.starts] = ((words[word.starts] as number) + 1) | 0;
    this.#leftAt = this.#tail;
    this.#isLeft = true;
    this.#head = this.#tail = this.#published = nextStart(this.#tail, this.#size);
  }

  #copy(frame: Frame, start: number): void {
    const { view, bytes } = this.#ring;
    copyWords(frame.headView, 0, view, start, frame.headLength);
    let at = start + frame.headLength;
    for (let i = 0; i < frame.segmentCount; i++) {
      const from = frame.segmentBytes[i] as Uint8Array;
      const first = frame.segmentStart[i] as number;
      const length = frame.segmentLength[i] as number;
      if (length < shortBytes) copyWords(viewOf(from), first, view, at, length);
      else bytes.set(from.subarray(first, first + length), at);
      at += length;
    }
  }
}

/** The first place behind `at` that is the ring's start. */
const nextStart = (at: number, size: number): number => (at + size - (at & (size - 1))) | 0;

export class RingReader {
  readonly #ring: RingMemory;
  readonly #size: number;
  readonly #words: Int32Array;
  /** The next record, and where the writer was when it was last looked at. */
  #head = 0;
  #tail = 0;
  #released = 0;
  /** How often the writer had started over. */
  #starts = 0;

  /** Of the record that `next` has shown. */
  kind = 0;
  to = 0;
  from = 0;
  /** Times that the ring held what no writer writes, and was emptied. */
  broken = 0;

  constructor(memory: Uint8Array, linear = -1) {
    this.#ring = new RingMemory(memory, linear);
    this.#size = this.#ring.size;
    this.#words = this.#ring.words;
    this.#head = this.#words[word.readerAt] as number;
    this.#tail = this.#released = this.#head;
    this.#starts = this.#words[word.starts] as number;
  }

  /** Makes `frame` the next one, parsed, in place until `release`; false when there is none. */
  next(frame: Frame): boolean {
    if (this.#head === this.#tail && !this.#look()) return false;
    const words = this.#words;
    const size = this.#size;
    let at = firstWord + ((this.#head & (size - 1)) << 2);
    if (words[at] === restart) {
      this.#head = nextStart(this.#head, size);
      at = firstWord;
    }
    const lengths = words[at] as number;
    const length = lengths & lengthMask;
    const headLength = lengths >>> lengthBits;
    const units = (headerBytes + length + 15) >> unitLog;
    const there = Math.min((this.#tail - this.#head) | 0, size - (this.#head & (size - 1)));
    if (length > maxFrameBytes || headLength > Math.min(length, maxHeadBytes) || units > there)
      return this.#empty();
    this.#load(frame, (at << 2) + headerBytes, length, headLength);
    const facts = words[at + 1] as number;
    frame.ipv4Sum = facts & 3;
    frame.l4Sum = (facts >>> 2) & 3;
    frame.innerAt = (facts >>> 4) & 0xff;
    frame.mss = facts >>> 16;
    const ends = words[at + 2] as number;
    this.to = ends & 0xffff;
    this.from = ends >>> 16;
    this.kind = words[at + 3] as number;
    this.#head = (this.#head + units) | 0;
    frame.parse();
    return true;
  }

  /** Lends the ring to a fast path, which reads as this does; false: also when there is nothing to read. */
  lend(loan: TrunkLoan): boolean {
    if (this.#head === this.#tail && !this.#look()) return false;
    return this.#ring.lend(loan, this.#head, this.#tail);
  }

  takeBack(loan: TrunkLoan): void {
    this.#head = loan.head;
  }

  /** The writer may have the room of all that was read. */
  release(): void {
    if (this.#released === this.#head) return;
    this.#released = this.#head;
    Atomics.store(this.#words, word.readerAt, this.#head);
  }

  /** From now on the writer wakes us. False: there is something to be read, and we stay awake. */
  sleep(): boolean {
    Atomics.store(this.#words, word.sleeps, 1);
    if (this.#head === this.#tail && !this.#look()) return true;
    this.wake();
    return false;
  }

  wake(): void {
    Atomics.store(this.#words, word.sleeps, 0);
  }

  #look(): boolean {
    this.#tail = Atomics.load(this.#words, word.writerAt);
    if (this.#tail === this.#head) return false;
    const starts = this.#words[word.starts] as number;
    if (starts !== this.#starts) {
      this.#starts = starts;
      this.#head = nextStart(this.#head, this.#size);
    }
    const there = (this.#tail - this.#head) | 0;
    if (there < 0 || there > this.#size) return this.#empty();
    return there > 0;
  }

  #empty(): boolean {
    this.broken++;
    this.#head = this.#tail;
    return false;
  }

  #load(frame: Frame, start: number, length: number, headLength: number): void {
    const { view, bytes } = this.#ring;
    frame.clear();
    copyWords(view, start, frame.headView, 0, headLength);
    frame.headLength = headLength;
    frame.length = headLength;
    if (length > headLength) frame.add(bytes, start + headLength, length - headLength);
  }
}
