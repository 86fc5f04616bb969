/**
 * A frame out of the buffers that a guest posted: its first bytes are copied into the frame's
 * private head, the rest stays where it is. Every NIC's transmit queue has one.
 */
import { copyBytes, copyWords, shortBytes } from '../../net/copy.ts';
import { Frame, maxFrameBytes } from '../../net/frame.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';

/** What became of a buffer. */
export const gathered = { added: 0, badAddress: 1, tooLong: 2, tooMany: 3 } as const;

export class FrameGather {
  readonly frame = new Frame();
  readonly #memory: GuestMemory;
  #headBytes = 0;
  /** Copies of buffers that only the client can reach; made when needed. */
  #bounce: Uint8Array = new Uint8Array(0);
  #bounced = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** A new frame, of which `headBytes` are copied before it is judged. */
  begin(headBytes: number): void {
    this.frame.clear();
    this.#headBytes = headBytes;
    this.#bounced = 0;
  }

  /** Adds the buffer at a DMA address; one of `gathered`. */
  add(iova: number, length: number): number {
    const { frame } = this;
    if (length === 0) return gathered.added;
    if (frame.length + length > maxFrameBytes) return gathered.tooLong;
    const window = this.#memory.locate(iova, length);
    if (window === null) return gathered.badAddress;
    let bytes = window.toRead;
    let start = (iova - window.iova) | 0; // windows are small enough
    if (bytes === null) {
      start = this.#bounced;
      bytes = this.#fetch(iova, length);
      if (bytes === null) return gathered.badAddress;
    }
    // A head that was begun by other means may be longer than that of other frames.
    const room = Math.max(0, this.#headBytes - frame.headLength);
    const inHead = frame.segmentCount > 0 ? 0 : Math.min(length, room);
    if (inHead > 0) {
      if (inHead < shortBytes && bytes !== this.#bounce)
        copyWords(window.view, start, frame.headView, frame.headLength, inHead);
      else copyBytes(bytes, start, frame.head, frame.headLength, inHead);
      frame.headLength += inHead;
      frame.length += inHead;
      if (inHead === length) return gathered.added;
    }
    const added = frame.add(bytes, start + inHead, length - inHead);
    return added ? gathered.added : gathered.tooMany;
  }

  #fetch(iova: number, length: number): Uint8Array | null {
    if (this.#bounce.length === 0) this.#bounce = new Uint8Array(2 * maxFrameBytes);
    if (!this.#memory.read(iova, length, this.#bounce, this.#bounced)) return null;
    this.#bounced += length;
    return this.#bounce;
  }
}
