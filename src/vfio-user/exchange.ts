/**
 * One request and the reply that is being made for it. There is one object per connection, used
 * for every message: what a handler needs after it has called the function has to be in locals,
 * because the function may receive further messages while it waits for guest memory.
 */
import type { Fields, Layout, Record32 } from '../lib/layout.ts';
import { headerBytes, maxMessageBytes } from './protocol.ts';

const headerWords = headerBytes >>> 2;

export class Exchange {
  /** The request's payload: `bytes[at..at + sizeBytes]`, `at` a multiple of 4. */
  bytes: Uint8Array = new Uint8Array(0);
  words: Int32Array = new Int32Array(0);
  at = 0;
  sizeBytes = 0;
  /** The descriptors that came with it. Whoever keeps one replaces it by -1. */
  fds: number[] = [];
  /** The client wants no reply. */
  noReply = false;
  /** The whole reply message. */
  readonly reply: Uint8Array = new Uint8Array(new ArrayBuffer(maxMessageBytes));
  readonly replyWords = new Int32Array(this.reply.buffer);
  /** How much payload the reply has so far. */
  replySizeBytes = 0;
  /** Descriptors to send with the reply; they stay their owner's. */
  readonly replyFds: number[] = [];

  /** Loads a record from byte `offset` of the request (a multiple of 4); false when too short. */
  load<F extends Fields>(format: Layout<F>, record: Record32<F>, offset = 0): boolean {
    if (offset + format.sizeBytes > this.sizeBytes) return false;
    record.load(this.words, (this.at + offset) >>> 2);
    return true;
  }

  /** Appends a record to the reply. */
  append<F extends Fields>(format: Layout<F>, record: Record32<F>): void {
    record.store(this.replyWords, headerWords + (this.replySizeBytes >>> 2));
    this.replySizeBytes += format.sizeBytes;
  }

  /** Where the next byte of the reply's payload goes, in `reply`. */
  get replyEnd(): number {
    return headerBytes + this.replySizeBytes;
  }

  /** Takes descriptor `index` over from the message. */
  takeFd(index: number): number {
    const fd = this.fds[index] ?? -1;
    this.fds[index] = -1;
    return fd;
  }
}
