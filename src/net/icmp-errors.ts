/**
 * The errors that a network sends about a packet that is too big for its way: ICMP "fragmentation
 * needed" (RFC 792, RFC 1191) and ICMPv6 "packet too big" (RFC 4443, 3.2).
 *
 * Nothing is said about what must not be answered with an error (RFC 1122, 3.2.2; RFC 4443, 2.4):
 * errors, later fragments, group addresses, senders without an address. A VPC's router does not
 * count hops, so there is no "time exceeded" from it. The packet is quoted from the frame's private
 * head, and no further.
 */
import { write16, write32 } from './bytes.ts';
import { copyBytes } from './copy.ts';
import { ethernet, etherType, readMac, writeEthernet } from './ethernet.ts';
import type { Frame } from './frame.ts';
import {
  icmp,
  icmp6FirstInformational,
  icmp6Type,
  icmpFragmentationNeeded,
  icmpType,
  writeIcmp6Checksum,
  writeIcmpChecksum,
} from './icmp.ts';
import { ipProtocol, ipv4, ipv4Fragment, writeIpv4 } from './ipv4.ts';
import { type Ipv6Address, ipv6, readIpv6, writeIpv6 } from './ipv6.ts';
import { writeIpv4Checksum } from './offload.ts';
import { fragment, type Headers } from './parse.ts';

/** Who says it: the router of the sender's subnet. */
export type ErrorSource = {
  readonly mac: number;
  readonly address: number;
  readonly address6: Ipv6Address;
};

/** Ethernet, the error's own headers and 256 bytes of the packet: always within 576 and 1280. */
const room = ethernet.bytes + ipv6.bytes + icmp.headerBytes + 256;

export class IcmpErrors {
  readonly #bytes = new Uint8Array(room);

  /**
   * Makes `reply` the error about a parsed `frame` that does not fit into `mtu`, to whoever sent
   * it; false when nothing may be said about it. `reply` is valid until the next call.
   */
  tooBig(frame: Frame, source: ErrorSource, mtu: number, reply: Frame): boolean {
    const h = frame.headers;
    if (!mayBeAnswered(frame)) return false;
    const length =
      h.ipVersion === 4 ? this.#ipv4(frame, source, mtu) : this.#ipv6(frame, source, mtu);
    reply.load(this.#bytes, 0, length);
    return true;
  }

  #ipv4(frame: Frame, { mac, address }: ErrorSource, mtu: number): number {
    const at = ethernet.bytes + ipv4.minBytes;
    const quoted = this.#quote(frame, at + icmp.headerBytes);
    const end = at + icmp.headerBytes + quoted;
    const out = this.#bytes;
    writeEthernet(out, readMac(frame.head, ethernet.source), mac, etherType.ipv4);
    writeIpv4(
      out,
      ethernet.bytes,
      end - ethernet.bytes,
      ipProtocol.icmp,
      address,
      frame.headers.src,
    );
    out[at + icmp.type] = icmpType.unreachable;
    out[at + icmp.code] = icmpFragmentationNeeded;
    write16(out, at + 4, 0);
    write16(out, at + 6, mtu);
    writeIcmpChecksum(out, at, end - at);
    return end;
  }

  #ipv6(frame: Frame, { mac, address6 }: ErrorSource, mtu: number): number {
    const at = ethernet.bytes + ipv6.bytes;
    const quoted = this.#quote(frame, at + icmp.headerBytes);
    const length = icmp.headerBytes + quoted;
    const to = readIpv6(frame.head, frame.headers.l3Offset + ipv6.source);
    const out = this.#bytes;
    writeEthernet(out, readMac(frame.head, ethernet.source), mac, etherType.ipv6);
    writeIpv6(out, ethernet.bytes, length, ipProtocol.icmp6, 64, address6, to);
    out[at + icmp.type] = icmp6Type.packetTooBig;
    out[at + icmp.code] = 0;
    write32(out, at + 4, mtu);
    writeIcmp6Checksum(out, ethernet.bytes, at, length);
    return at + length;
  }

  /** The packet from its IP header on, as far as it lies in the head; without Ethernet padding. */
  #quote(frame: Frame, to: number): number {
    const { l3Offset, ipEnd } = frame.headers;
    const length = Math.min(frame.headLength, ipEnd) - l3Offset;
    copyBytes(frame.head, l3Offset, this.#bytes, to, length);
    if (frame.mss > 0 && frame.headers.payloadOffset >= 0) this.#quoteSegment(frame, to);
    return length;
  }

  /** A frame that is still to be cut up is quoted as the first of its segments. */
  #quoteSegment({ mss, headers: h }: Frame, to: number): void {
    const whole = Math.min(h.payloadOffset + mss, h.ipEnd) - h.l3Offset;
    if (h.ipVersion === 4) {
      write16(this.#bytes, to + ipv4.totalLength, whole);
      writeIpv4Checksum(this.#bytes, to);
    } else write16(this.#bytes, to + ipv6.payloadLength, whole - ipv6.bytes);
  }
}

/** IPv4 without "don't fragment" is cut into fragments by whoever needs it smaller. */
export const mayBeFragmented = (frame: Frame): boolean =>
  frame.headers.ipVersion === 4 &&
  ((frame.head[frame.headers.l3Offset + ipv4.fragment] as number) &
    (ipv4Fragment.dontFragment >>> 8)) ===
    0;

/** The size of the IP packet, or of the largest that the frame will be cut into. */
export function ipBytes({ mss, headers: h }: Frame): number {
  const whole = h.ipEnd - h.l3Offset;
  if (mss === 0 || h.payloadOffset < 0) return whole;
  return Math.min(whole, h.payloadOffset - h.l3Offset + mss);
}

function mayBeAnswered({ headers: h }: Frame): boolean {
  if ((h.dstMacHi & 0x0100) !== 0 || h.fragment === fragment.later) return false;
  return h.ipVersion === 4 ? mayBeAnswered4(h) : h.ipVersion === 6 && mayBeAnswered6(h);
}

function mayBeAnswered4(h: Headers): boolean {
  if (h.src === 0 || h.src >>> 28 === 14 || h.src === -1) return false;
  if (h.dst >>> 28 === 14 || h.dst === -1) return false;
  if (h.l4Protocol !== ipProtocol.icmp) return true;
  return h.icmpType === icmpType.echoRequest || h.icmpType === icmpType.echoReply;
}

function mayBeAnswered6(h: Headers): boolean {
  const fromNobody = (h.src0 | h.src1 | h.src2 | h.src) === 0;
  if (fromNobody || h.src0 >>> 24 === 0xff) return false;
  // What lies behind a chain of headers that leaves the head may be an error too.
  if (h.l4Protocol < 0) return false;
  if (h.l4Protocol !== ipProtocol.icmp6) return true;
  return h.icmpType >= icmp6FirstInformational && h.icmpType !== icmp6Type.redirect;
}
