/**
 * TCP segmentation: one frame as its sender built it, cut into the frames that the wire sees.
 *
 * Headers are repeated as hardware does it: lengths, sequence numbers and IPv4 identification
 * advance; FIN and PSH stand on the last frame only, CWR on the first only (RFC 3168); both
 * checksums are computed. Payload is not copied: the produced frames name sub-ranges of the
 * sender's segments. Of a tunnelled packet the outer headers are repeated as they are: their sender
 * made them right for every frame (Linux: GSO_PARTIAL).
 */
import { read16, read32, write16, write32 } from './bytes.ts';
import { fold, sumBytes } from './checksum.ts';
import { copyBytes } from './copy.ts';
import { type Frame, maxHeadBytes } from './frame.ts';
import { ipProtocol, ipv4 } from './ipv4.ts';
import { ipv6 } from './ipv6.ts';
import { pseudoSumOf, sumFrame, sumVerdict, writeL4Checksum } from './offload.ts';
import { fragment, Headers } from './parse.ts';
import { R, type Reason } from './reasons.ts';
import { tcp, tcpFlag } from './tcp.ts';

/** Linux's lower bound (`tcp_min_snd_mss`); it bounds the frames that one request can become. */
export const minMss = 48;

const maxIpBytes = 0xffff;
const onlyLast = tcpFlag.fin | tcpFlag.psh;

export class Segmenter {
  #frame: Frame | null = null;
  /** The frame's, or those of the packet in the tunnel. */
  #headers = new Headers();
  readonly #inner = new Headers();
  /** Private copy of the headers, in which what varies is zeroed, so that the rest is summed once. */
  readonly #template = new Uint8Array(maxHeadBytes);
  /** Bytes of headers, and of the payload that is still to be sent. */
  #headerBytes = 0;
  #left = 0;
  /** Payload bytes that stand in the head, after the headers: next one, and end. */
  #headAt = 0;
  /** The next byte of the sender's segments. */
  #segment = 0;
  #segmentAt = 0;

  #first = true;
  #flags = 0;
  #sequence = 0;
  #identification = 0;
  /** Sums of all that is the same in every frame. */
  #ipv4Base = 0;
  #tcpBase = 0;

  /** The headers of the packet that is cut up, once `check` was content. */
  get headerBytes(): number {
    return this.#headers.payloadOffset;
  }

  /**
   * Looks at a parsed frame with `mss` > 0. Returns `R.delivered`, or `R.txBadOffload` when it is
   * not an unfragmented TCP packet whose headers all lie in the head.
   */
  check(frame: Frame): Reason {
    const { innerAt } = frame;
    const h = innerAt > 0 ? this.#inner : frame.headers;
    if (innerAt > 0) h.parseIp(frame.headView, innerAt, frame.headLength, frame.length, true);
    this.#headers = h;
    const fits =
      frame.mss >= minMss &&
      h.ipVersion !== 0 &&
      !h.malformed &&
      h.fragment === fragment.none &&
      h.l4Protocol === ipProtocol.tcp &&
      h.payloadOffset > 0 &&
      h.payloadOffset - h.l3Offset + Math.min(frame.mss, frame.length) <= maxIpBytes;
    return fits ? R.delivered : R.txBadOffload;
  }

  /** Starts on a frame that `check` would be content with, which stays as it is. */
  begin(frame: Frame): void {
    if (this.check(frame) !== R.delivered) throw new Error('unreachable: it was checked');
    const h = this.#headers;
    const head = this.#template;
    copyBytes(frame.head, 0, head, 0, h.payloadOffset);
    this.#frame = frame;
    this.#headerBytes = h.payloadOffset;
    this.#left = frame.length - h.payloadOffset;
    this.#headAt = h.payloadOffset;
    this.#segment = 0;
    this.#segmentAt = 0;
    this.#first = true;
    this.#flags = h.tcpFlags;
    this.#sequence = read32(head, h.l4Offset + tcp.sequence);
    if (h.ipVersion === 4) {
      this.#identification = read16(head, h.l3Offset + ipv4.identification);
      write16(head, h.l3Offset + ipv4.totalLength, 0);
      write16(head, h.l3Offset + ipv4.identification, 0);
      write16(head, h.l3Offset + ipv4.checksum, 0);
      this.#ipv4Base = sumBytes(head, h.l3Offset, h.l4Offset - h.l3Offset);
    }
    write32(head, h.l4Offset + tcp.sequence, 0);
    head[h.l4Offset + tcp.flags] = 0;
    write16(head, h.l4Offset + tcp.checksum, 0);
    this.#tcpBase =
      pseudoSumOf(head, h, 0) + sumBytes(head, h.l4Offset, h.payloadOffset - h.l4Offset);
  }

  /**
   * Fills `out` with the next frame; false when there is none. `out` belongs to the segmenter
   * between `begin` and the last `next`. `roomBytes`: as many whole segments as fit into that may
   * stay together.
   */
  next(out: Frame, roomBytes = 0): boolean {
    const frame = this.#frame;
    if (frame === null) return false;
    const headerBytes = this.#headerBytes;
    out.clear();
    if (this.#first) copyBytes(this.#template, 0, out.head, 0, headerBytes);
    out.headLength = headerBytes;
    out.length = headerBytes;
    const payload = Math.min(this.#left, this.#together(frame.mss, roomBytes));
    out.mss = payload > frame.mss ? frame.mss : 0;
    this.#left -= payload;
    this.#take(frame, out, payload);
    this.#finish(frame, out, payload);
    this.#first = false;
    if (this.#left === 0) this.#frame = null;
    return true;
  }

  #together(mss: number, roomBytes: number): number {
    if (roomBytes <= this.#headerBytes + mss) return mss;
    const limit = Math.min(roomBytes, maxIpBytes) - this.#headerBytes;
    return limit - (limit % mss);
  }

  /** Gives `out` the next `payload` bytes: copied from the head, named in the segments. */
  #take(frame: Frame, out: Frame, payload: number): void {
    let wanted = payload;
    const inHead = frame.headLength - this.#headAt;
    if (inHead > 0) {
      const length = Math.min(inHead, wanted);
      copyBytes(frame.head, this.#headAt, out.head, out.headLength, length);
      this.#headAt += length;
      out.headLength += length;
      out.length += length;
      wanted -= length;
    }
    while (wanted > 0) {
      const left = (frame.segmentLength[this.#segment] as number) - this.#segmentAt;
      const length = Math.min(left, wanted);
      const start = (frame.segmentStart[this.#segment] as number) + this.#segmentAt;
      if (length > 0) out.add(frame.segmentBytes[this.#segment] as Uint8Array, start, length);
      wanted -= length;
      this.#segmentAt += length;
      if (length === left) {
        this.#segment++;
        this.#segmentAt = 0;
      }
    }
  }

  /** Writes what differs from frame to frame, checksums included. */
  #finish(frame: Frame, out: Frame, payload: number): void {
    const h = this.#headers;
    const plain = frame.innerAt === 0; // the sums that receivers ask about are the outer ones
    const head = out.head;
    const l3 = h.l3Offset;
    const l4 = h.l4Offset;
    const ipBytes = out.length - l3;
    if (h.ipVersion === 4) {
      write16(head, l3 + ipv4.totalLength, ipBytes);
      write16(head, l3 + ipv4.identification, this.#identification);
      const sum = fold(this.#ipv4Base + ipBytes + this.#identification);
      write16(head, l3 + ipv4.checksum, ~sum);
      this.#identification = (this.#identification + 1) & 0xffff;
      if (plain) out.ipv4Sum = sumVerdict.right;
    } else write16(head, l3 + ipv6.payloadLength, ipBytes - ipv6.bytes);

    let flags = this.#flags;
    if (!this.#first) flags &= ~tcpFlag.cwr;
    if (this.#left > 0) flags &= ~onlyLast;
    write32(head, l4 + tcp.sequence, this.#sequence);
    head[l4 + tcp.flags] = flags;
    const l4Bytes = out.length - l4;
    const sequence = this.#sequence;
    const varying = (sequence >>> 16) + (sequence & 0xffff) + flags + l4Bytes;
    const sum = this.#tcpBase + varying + sumFrame(out, this.#headerBytes, out.length);
    writeL4Checksum(head, l4 + tcp.checksum, ipProtocol.tcp, fold(sum));
    if (plain) out.l4Sum = sumVerdict.right;
    this.#sequence = (sequence + payload) | 0;
  }
}
