/**
 * Cuts the byte stream from a client into messages and gives each the descriptors that came with
 * it. Many messages may arrive in one read and one message in many. Nothing is allocated per
 * message that has no descriptors.
 */
import { closeFd } from '../sys/fd.ts';
import {
  headerBytes,
  maxMessageBytes,
  VFIO_USER_F_TYPE_REPLY,
  vfio_user_header,
} from './protocol.ts';
import { disconnected, type Transport } from './transport.ts';

/** Room for one message of any size behind others that are still unread. */
const bufferBytes = 4 * maxMessageBytes;
/** How much is read per wake-up, so that one busy client does not starve the others. */
export const readBytes = 4096;

/** Descriptors and the position in the stream right after the bytes they came with. */
type FdBatch = { readonly end: number; readonly fds: number[]; readonly truncated: boolean };

/** `next` found a message, none that is whole, or a header that no message can have. */
export type Found = 'message' | 'none' | 'broken';

export class MessageStream {
  /** The current message: its first byte in `bytes`, a multiple of 4, and its size. */
  at = 0;
  sizeBytes = 0;
  /** Descriptors of the current message. Whoever uses one replaces it by -1. */
  readonly fds: number[] = [];
  /** The current message lost descriptors on their way. */
  fdsTruncated = false;
  /** The current message's header. */
  readonly header = vfio_user_header.create();
  readonly bytes: Uint8Array = new Uint8Array(new ArrayBuffer(bufferBytes));
  readonly words = new Int32Array(this.bytes.buffer);
  readonly #transport: Transport;
  /** Unread bytes are `bytes[#start..#end]`; `#position` is the place of `#start` in the stream. */
  #start = 0;
  #end = 0;
  #position = 0;
  readonly #batches: FdBatch[] = [];
  readonly #arriving: number[] = [];

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Receives once. Returns like the transport; `disconnected` also when nothing more fits. */
  receive(): number {
    const missing = this.#missingBytes();
    const max = Math.max(readBytes, missing);
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    } else if (this.#end + max > bufferBytes) this.#compact();
    const room = Math.min(max, bufferBytes - this.#end);
    if (room === 0) return disconnected;
    const count = this.#transport.receive(this.bytes, this.#end, room, this.#arriving);
    if (count > 0) this.#end += count;
    if (this.#arriving.length > 0 || this.#transport.fdsTruncated) {
      const end = this.#position + this.#end - this.#start;
      const truncated = this.#transport.fdsTruncated;
      this.#batches.push({ end, fds: this.#arriving.splice(0), truncated });
    }
    return count;
  }

  /**
   * Steps to the next whole message. Its bytes stay where they are until `receive` is called:
   * what is needed for longer has to be copied.
   */
  next(): Found {
    this.closeFds();
    const size = this.#sizeAt(this.#start);
    if (size === 0) return 'none';
    if (size < headerBytes || size > maxMessageBytes) return 'broken';
    if (this.#start + size > this.#end) return 'none';
    this.at = this.#start & ~3;
    if (this.at !== this.#start) this.bytes.copyWithin(this.at, this.#start, this.#start + size);
    this.sizeBytes = size;
    this.header.load(this.words, this.at >>> 2);
    this.#start += size;
    this.#position += size;
    if (this.#batches.length > 0) this.#claim(this.fds, this.#position);
    return 'message';
  }

  /**
   * Takes the reply to our own command `id` out of the unread messages, wherever it is among
   * them, and copies it to `into`. Returns its size, 0 when it has not arrived whole, or -1 when
   * the stream is broken or the reply longer than `into`.
   */
  takeReply(id: number, into: Uint8Array): number {
    let at = this.#start;
    for (;;) {
      const size = this.#sizeAt(at);
      if (size === 0) return 0;
      if (size < headerBytes || size > maxMessageBytes) return -1;
      if (at + size > this.#end) return 0;
      const isReply = ((this.bytes[at + 8] as number) & 0xf) === VFIO_USER_F_TYPE_REPLY;
      const hasId = this.bytes[at] === (id & 0xff) && this.bytes[at + 1] === id >>> 8;
      if (isReply && hasId) return this.#cut(at, size, into);
      at += size;
    }
  }

  #cut(at: number, size: number, into: Uint8Array): number {
    const end = this.#position + (at - this.#start) + size;
    const mine: number[] = [];
    const later = this.#batches.filter((batch) => batch.end > end - size);
    if (later.length > 0) {
      const kept = later.filter((batch) => batch.end > end);
      for (const batch of later) if (batch.end <= end) mine.push(...batch.fds);
      const before = this.#batches.filter((batch) => batch.end <= end - size);
      const moved = kept.map((batch) => ({ ...batch, end: batch.end - size }));
      this.#batches.splice(0, Infinity, ...before, ...moved);
      for (const fd of mine) closeFd(fd);
    }
    if (size <= into.length) into.set(this.bytes.subarray(at, at + size));
    this.bytes.copyWithin(at, at + size, this.#end);
    this.#end -= size;
    return size <= into.length ? size : -1;
  }

  /** Whether a whole message waits that `next` has not stepped to. */
  get hasMore(): boolean {
    const size = this.#sizeAt(this.#start);
    return size !== 0 && (size > maxMessageBytes || this.#start + size <= this.#end);
  }

  /** Closes the descriptors of the current message that nobody took. */
  closeFds(): void {
    if (this.fds.length === 0 && !this.fdsTruncated) return;
    for (const fd of this.fds) closeFd(fd);
    this.fds.length = 0;
    this.fdsTruncated = false;
  }

  /** Closes every descriptor that is still held. */
  close(): void {
    this.closeFds();
    for (const batch of this.#batches) for (const fd of batch.fds) closeFd(fd);
    this.#batches.length = 0;
  }

  #claim(into: number[], end: number): void {
    while (this.#batches.length > 0 && (this.#batches[0] as FdBatch).end <= end) {
      const batch = this.#batches.shift() as FdBatch;
      into.push(...batch.fds);
      if (batch.truncated) this.fdsTruncated = true;
    }
  }

  /** The size field of the message at `at`; 0 when its header has not arrived whole. */
  #sizeAt(at: number): number {
    if (at + headerBytes > this.#end) return 0;
    const { bytes } = this;
    const low = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8);
    const high = (bytes[at + 6] as number) | ((bytes[at + 7] as number) << 8);
    // A size of 0 is as broken as any other below that of a header.
    return Math.max(1, low + high * 65536);
  }

  /** Bytes that the unfinished message at the end of the buffer still lacks. */
  #missingBytes(): number {
    const size = this.#sizeAt(this.#start);
    return size > maxMessageBytes ? 0 : Math.max(0, size - (this.#end - this.#start));
  }

  #compact(): void {
    const start = this.#start & ~3;
    if (start === 0) return;
    const shift = this.#start & 3;
    this.bytes.copyWithin(shift, this.#start, this.#end);
    this.#end = shift + this.#end - this.#start;
    this.#start = shift;
  }
}
