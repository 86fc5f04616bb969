/**
 * What a NIC does to a frame before the wire, and what it finds out after it: the IPv4 header
 * checksum, and TCP's and UDP's over the payload where the sender left it.
 */

import { read16, write16 } from './bytes.ts';
import { fold, internetChecksum, pseudoHeaderSum, sumBytes, swap16 } from './checksum.ts';
import { checksum, type Frame } from './frame.ts';
import { ipProtocol, ipv4 } from './ipv4.ts';
import { ipv6 } from './ipv6.ts';
import { fragment, type Headers } from './parse.ts';
import { R, type Reason } from './reasons.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

/** Values of `Frame.ipv4Sum` and `Frame.l4Sum`. */
export const sumVerdict = { unknown: 0, right: 1, wrong: 2 } as const;

/** The sum of a frame's bytes `from` .. `to`, across its head and segments. */
export function sumFrame(frame: Frame, from: number, to: number): number {
  let sum = 0;
  let odd = 0;
  let at = frame.headLength;
  if (from < at) {
    const length = Math.min(to, at) - from;
    sum = sumBytes(frame.head, from, length);
    odd = length & 1;
  }
  for (let i = 0; i < frame.segmentCount && at < to; i++) {
    const end = at + (frame.segmentLength[i] as number);
    const first = Math.max(from, at);
    const length = Math.min(to, end) - first;
    if (length > 0) {
      const start = (frame.segmentStart[i] as number) + first - at;
      const part = sumBytes(frame.segmentBytes[i] as Uint8Array, start, length);
      sum += odd === 0 ? part : swap16(part);
      odd ^= length & 1;
    }
    at = end;
  }
  return fold(sum);
}

/** The pseudo-header's sum for a packet's L4 part; of the addresses that stand in its header. */
export const pseudoSumOf = (head: Uint8Array, h: Headers, l4Bytes: number): number =>
  h.ipVersion === 4
    ? pseudoHeaderSum(head, h.l3Offset + ipv4.source, 4, h.l4Protocol, l4Bytes)
    : pseudoHeaderSum(head, h.l3Offset + ipv6.source, 16, h.l4Protocol, l4Bytes);

/** Where the L4 checksum stands, or -1 when there is none that could be worked on. */
function l4ChecksumAt(h: Headers): number {
  if (h.l4Offset < 0 || h.fragment !== fragment.none || h.malformed) return -1;
  if (h.l4Protocol === ipProtocol.tcp) return h.l4Offset + tcp.checksum;
  if (h.l4Protocol === ipProtocol.udp) return h.l4Offset + udp.checksum;
  return -1;
}

/**
 * Does the checksum work that a parsed frame's sender left to do, in the frame's private head.
 * Returns `R.delivered`, or `R.txBadOffload` when the frame cannot have what was asked for.
 */
export function finishOffload(frame: Frame): Reason {
  const { head, headers: h, offload } = frame;
  if ((offload & checksum.ipv4) !== 0) {
    if (h.ipVersion !== 4) return R.txBadOffload;
    writeIpv4Checksum(head, h.l3Offset);
    frame.ipv4Sum = sumVerdict.right;
  }
  if ((offload & (checksum.l4 | checksum.l4Partial)) !== 0) {
    const at = l4ChecksumAt(h);
    if (at < 0) return R.txBadOffload;
    // "Partial": the field takes part, with the pseudo-header's sum in it.
    const partial = (offload & checksum.l4Partial) !== 0;
    if (!partial) write16(head, at, 0);
    const seed = partial ? 0 : pseudoSumOf(head, h, h.ipEnd - h.l4Offset);
    writeL4Checksum(head, at, h.l4Protocol, fold(seed + sumFrame(frame, h.l4Offset, h.ipEnd)));
    frame.l4Sum = sumVerdict.right;
  }
  frame.offload = 0;
  return R.delivered;
}

/**
 * The L4 checksum where a sender says that it stands, at `at`, of all bytes from `start` on; the
 * field holds the pseudo-header's sum. False when the field is not in the frame's head.
 */
export function finishPartial(frame: Frame, start: number, at: number): boolean {
  if (start > frame.length || at < start || at + 2 > frame.headLength) return false;
  const value = ~sumFrame(frame, start, frame.length) & 0xffff;
  write16(frame.head, at, value === 0 ? 0xffff : value);
  return true;
}

/** The sum of the IPv4 header at `at`, which lies in the head: by words, and few of them. */
function ipv4HeaderSum(head: DataView, at: number): number {
  const end = at + (head.getUint8(at) & 15) * 4;
  let sum = 0;
  for (let i = at; i < end; i += 4) {
    const word = head.getInt32(i);
    sum += (word >>> 16) + (word & 0xffff);
  }
  return fold(sum);
}

/** Computes an IPv4 header's checksum in place. */
export function writeIpv4Checksum(head: Uint8Array, l3Offset: number): void {
  write16(head, l3Offset + ipv4.checksum, 0);
  const length = ((head[l3Offset] as number) & 15) * 4;
  write16(head, l3Offset + ipv4.checksum, internetChecksum(head, l3Offset, length));
}

/** Writes a finished sum's complement; UDP says 0xffff for zero, because zero means "none". */
export function writeL4Checksum(head: Uint8Array, at: number, protocol: number, sum: number): void {
  const value = ~sum & 0xffff;
  write16(head, at, value === 0 && protocol === ipProtocol.udp ? 0xffff : value);
}

/**
 * Finds out whether a parsed frame's sums are right, where that is not known yet. UDP over IPv4
 * without a checksum, fragments and other protocols stay unknown.
 */
export function verifySums(frame: Frame): void {
  const { head, headers: h } = frame;
  if (frame.ipv4Sum === sumVerdict.unknown && h.ipVersion === 4) {
    const right = ipv4HeaderSum(frame.headView, h.l3Offset) === 0xffff;
    frame.ipv4Sum = right ? sumVerdict.right : sumVerdict.wrong;
  }
  if (frame.l4Sum !== sumVerdict.unknown) return;
  const at = l4ChecksumAt(h);
  if (at < 0) return;
  if (h.l4Protocol === ipProtocol.udp && read16(head, at) === 0) {
    if (h.ipVersion === 6) frame.l4Sum = sumVerdict.wrong;
    return;
  }
  const pseudo = pseudoSumOf(head, h, h.ipEnd - h.l4Offset);
  const right = fold(pseudo + sumFrame(frame, h.l4Offset, h.ipEnd)) === 0xffff;
  frame.l4Sum = right ? sumVerdict.right : sumVerdict.wrong;
}
