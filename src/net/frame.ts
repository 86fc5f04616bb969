/**
 * The frame: one Ethernet frame on its way through the switch, as a flyweight.
 *
 * A frame is a *head* (the first bytes, copied once into private memory) and *segments* that still
 * lie where the sender put them. Rules look only at the head, and receivers take the first bytes
 * from the head, so a guest that rewrites its headers after they were judged changes nothing.
 * Frames are valid during one call; whoever wants to keep one copies it (`FrameQueue`).
 */
import { copyBytes } from './copy.ts';
import { Headers } from './parse.ts';

/** Enough for Ethernet, two VLAN tags, IPv6 with extension headers and TCP with options. */
export const maxHeadBytes = 256;
/** The largest frame that a sender may hand over for segmentation, headers included. */
export const maxFrameBytes = 65_536 + 256;
/** As many as the largest chain of descriptors that a device accepts. */
export const maxSegments = 40;

const nothing = new Uint8Array(0);

/** Checksum work, as a sender asks for it and as a receiver may report it. */
export const checksum = {
  /** Nothing to do; nothing known. */
  none: 0,
  /** The sender wants the IPv4 header checksum filled in. */
  ipv4: 1,
  /** The sender wants the TCP or UDP checksum filled in; its field may hold anything. */
  l4: 2,
  /** As `l4`, but the field already holds the pseudo-header's sum, to be included. */
  l4Partial: 4,
} as const;

export class Frame {
  /** Private copy of the first `headLength` bytes. */
  readonly head = new Uint8Array(maxHeadBytes);
  /** The same bytes: for whoever reads or writes numbers. */
  readonly headView = new DataView(this.head.buffer);
  headLength = 0;
  /** Bytes in all: head and segments. */
  length = 0;

  segmentCount = 0;
  readonly segmentBytes: Uint8Array[] = new Array<Uint8Array>(maxSegments);
  readonly segmentStart = new Int32Array(maxSegments);
  readonly segmentLength = new Int32Array(maxSegments);

  /** What the sender left to do: a union of `checksum` flags. */
  offload = 0;
  /** TCP payload bytes per segment of a frame that is longer than the wire has them; else 0. */
  mss = 0;
  /** Where the IP header to be segmented stands when it is a tunnel's inner one; 0: it is not. */
  innerAt = 0;

  /** What is known of the sums, for the receiver's completion: 0 unknown, 1 right, 2 wrong. */
  ipv4Sum = 0;
  l4Sum = 0;

  /** What the head says. The switch fills it before any endpoint is given the frame. */
  readonly headers = new Headers();

  clear(): void {
    this.headLength = 0;
    this.length = 0;
    this.segmentCount = 0;
    this.offload = 0;
    this.mss = 0;
    this.innerAt = 0;
    this.ipv4Sum = 0;
    this.l4Sum = 0;
  }

  /** As `clear`, and lets go of the memory that the segments lay in. */
  forget(): void {
    this.clear();
    this.segmentBytes.fill(nothing);
  }

  /** Adds `length` bytes of `bytes` at `start`; false when the frame has no room for them. */
  add(bytes: Uint8Array, start: number, length: number): boolean {
    if (this.segmentCount === maxSegments || this.length + length > maxFrameBytes) return false;
    this.segmentBytes[this.segmentCount] = bytes;
    this.segmentStart[this.segmentCount] = start;
    this.segmentLength[this.segmentCount] = length;
    this.segmentCount++;
    this.length += length;
    return true;
  }

  /** Makes this the frame `bytes[start .. start + length]`: a copied head, the rest in place. */
  load(bytes: Uint8Array, start: number, length: number): void {
    this.clear();
    const headLength = Math.min(length, maxHeadBytes);
    copyBytes(bytes, start, this.head, 0, headLength);
    this.headLength = headLength;
    this.length = headLength;
    if (length > headLength) this.add(bytes, start + headLength, length - headLength);
  }

  /** Copies the whole frame to `into[at ..]`, which must have room for `length` bytes. */
  copyTo(into: Uint8Array, at: number): void {
    copyBytes(this.head, 0, into, at, this.headLength);
    let to = at + this.headLength;
    for (let i = 0; i < this.segmentCount; i++) {
      const start = this.segmentStart[i] as number;
      const length = this.segmentLength[i] as number;
      copyBytes(this.segmentBytes[i] as Uint8Array, start, into, to, length);
      to += length;
    }
  }

  /** Copies the bytes `from` .. `from + length` of the frame, which it has, to `into[at ..]`. */
  copyPart(from: number, length: number, into: Uint8Array, at: number): void {
    if (from === 0 && length === this.length) {
      this.copyTo(into, at);
      return;
    }
    let to = at;
    let left = length;
    let skip = from;
    for (let i = -1; i < this.segmentCount && left > 0; i++) {
      const have = i < 0 ? this.headLength : (this.segmentLength[i] as number);
      if (skip >= have) {
        skip -= have;
        continue;
      }
      const bytes = i < 0 ? this.head : (this.segmentBytes[i] as Uint8Array);
      const start = (i < 0 ? 0 : (this.segmentStart[i] as number)) + skip;
      const part = Math.min(have - skip, left);
      copyBytes(bytes, start, into, to, part);
      to += part;
      left -= part;
      skip = 0;
    }
  }

  /** The headers of this very frame. */
  parse(): void {
    this.headers.parse(this.headView, this.headLength, this.length, this.mss > 0);
  }
}
