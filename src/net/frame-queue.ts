/**
 * A bounded queue of copied frames in one ring of bytes: no allocation per frame, whatever its size.
 *
 * Each record is a header of four words (length; sums, tunnel and mss; tag; bytes used in all) and the frame,
 * padded to 16 bytes. Records do not wrap: one that would is put at the ring's start instead.
 */
import { type Frame, maxFrameBytes } from './frame.ts';

const headerBytes = 16;

export class FrameQueue {
  readonly #capacity: number;
  /** Made with the first frame: most queues are never used. */
  #bytes = new Uint8Array(0);
  #words = new Int32Array(0);
  /** The next record to leave, the place of the next one to come, and what lies between. */
  #head = 0;
  #tail = 0;
  #used = 0;

  /** Frames in the queue. */
  count = 0;
  /** The `tag` that was pushed with the frame that `peek` showed. */
  tag = 0;

  /** `capacityBytes`: room for all frames with 16 bytes each; at least for one largest frame. */
  constructor(capacityBytes: number) {
    this.#capacity = Math.ceil(Math.max(capacityBytes, maxFrameBytes + headerBytes) / 16) * 16;
  }

  /** Copies a frame in; false when there is no room. `tag`: any integer, given back by `peek`. */
  push(frame: Frame, tag: number): boolean {
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#capacity);
      this.#words = new Int32Array(this.#bytes.buffer);
    }
    const size = (headerBytes + frame.length + 15) & ~15;
    const untilEnd = this.#capacity - this.#tail;
    const skip = size <= untilEnd ? 0 : untilEnd;
    if (this.#used + skip + size > this.#capacity) return false;
    if (skip > 0) {
      this.#words[this.#tail >>> 2] = -1;
      this.#tail = 0;
    }
    const word = this.#tail >>> 2;
    this.#words[word] = frame.length;
    const sums = frame.ipv4Sum | (frame.l4Sum << 2);
    this.#words[word + 1] = sums | (frame.innerAt << 4) | (frame.mss << 16);
    this.#words[word + 2] = tag;
    this.#words[word + 3] = skip + size;
    frame.copyTo(this.#bytes, this.#tail + headerBytes);
    this.#tail += size;
    if (this.#tail === this.#capacity) this.#tail = 0;
    this.#used += skip + size;
    this.count++;
    return true;
  }

  /** Makes `frame` the oldest one, parsed, in place until it is popped; false when there is none. */
  peek(frame: Frame): boolean {
    if (this.count === 0) return false;
    if (this.#words[this.#head >>> 2] === -1) this.#head = 0;
    const word = this.#head >>> 2;
    frame.load(this.#bytes, this.#head + headerBytes, this.#words[word] as number);
    const facts = this.#words[word + 1] as number;
    frame.ipv4Sum = facts & 3;
    frame.l4Sum = (facts >>> 2) & 3;
    frame.innerAt = (facts >>> 4) & 0xff;
    frame.mss = facts >>> 16;
    frame.parse();
    this.tag = this.#words[word + 2] as number;
    return true;
  }

  /** The tag of the frame that is the next to leave, of which there must be one. */
  get nextTag(): number {
    const at = this.#words[this.#head >>> 2] === -1 ? 0 : this.#head >>> 2;
    return this.#words[at + 2] as number;
  }

  /** Removes the frame that `peek` showed. */
  pop(): void {
    const word = this.#head >>> 2;
    const length = this.#words[word] as number;
    this.#used -= this.#words[word + 3] as number;
    this.#head += (headerBytes + length + 15) & ~15;
    if (this.#head === this.#capacity) this.#head = 0;
    this.count--;
  }

  clear(): void {
    this.#head = 0;
    this.#tail = 0;
    this.#used = 0;
    this.count = 0;
  }
}
