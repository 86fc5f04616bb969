/**
 * What a frame's headers say, as a flyweight that is filled once per frame.
 *
 * Only the private head is looked at, never a byte past `headLength`, so that a sender cannot
 * change what was judged. Garbage sets `malformed` and leaves the unknown fields at their defaults;
 * nothing throws. Addresses and the low halves of MACs are signed 32-bit integers.
 */
import { ethernet, etherType } from './ethernet.ts';
import { icmp } from './icmp.ts';
import { ipProtocol, ipv4, ipv4Fragment } from './ipv4.ts';
import { ipv6, ipv6Next, maxIpv6Extensions } from './ipv6.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

/** Values of `Headers.fragment`; `later` fragments have no L4 header. */
export const fragment = { none: 0, first: 1, later: 2 } as const;

export class Headers {
  dstMacHi = 0;
  dstMacLo = 0;
  srcMacHi = 0;
  srcMacLo = 0;
  /** After up to two VLAN tags; a length when below 0x600. */
  etherType = 0;
  /** The outer tag's control information, or -1. */
  vlan = -1;
  l3Offset = 0;
  /** 4 or 6 when a whole IP header was there, else 0. */
  ipVersion = 0;
  /** IPv4: the address. IPv6: its last word; `src0` .. `src2` hold the first three. */
  src = 0;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  dst = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  /** Where the IP packet ends in the frame; what follows is Ethernet padding. */
  ipEnd = 0;
  fragment: number = fragment.none;
  /** Of fragments: which packet they are of, and where in it they begin, in bytes. */
  identification = 0;
  fragmentOffset = 0;
  /** The protocol after extension headers, or -1. */
  l4Protocol = -1;
  /** -1: not there (no IP, a later fragment) or not in the head. */
  l4Offset = -1;
  /** After the L4 header; -1 when that is not known or lies past the frame's head. */
  payloadOffset = -1;
  /** TCP and UDP. */
  srcPort = 0;
  dstPort = 0;
  tcpFlags = 0;
  /** ICMP and ICMPv6, or -1. */
  icmpType = -1;
  icmpCode = -1;
  /** A header contradicts itself or the frame's length. */
  malformed = false;

  /**
   * Fills the fields from the first `headLength` bytes of a frame of `length` bytes; `head` views
   * at least those. `toSegment`: the frame is one that the network has still to cut up, whose IP
   * length fields say nothing.
   */
  parse(head: DataView, headLength: number, length: number, toSegment: boolean): void {
    this.#clear();
    if (headLength < ethernet.bytes) {
      this.malformed = true;
      return;
    }
    this.dstMacHi = head.getUint16(0);
    this.dstMacLo = head.getInt32(2);
    this.srcMacHi = head.getUint16(6);
    this.srcMacLo = head.getInt32(8);
    let type = head.getUint16(ethernet.type);
    let at: number = ethernet.bytes;
    if (type === etherType.vlan || type === etherType.serviceVlan) {
      for (let tags = 0; tags < 2; tags++) {
        if (at + ethernet.tagBytes > headLength) break;
        if (tags === 0) this.vlan = head.getUint16(at);
        type = head.getUint16(at + 2);
        at += ethernet.tagBytes;
        if (type !== etherType.vlan && type !== etherType.serviceVlan) break;
      }
    }
    this.etherType = type;
    this.l3Offset = at;
    if (type === etherType.ipv4) this.#ipv4(head, at, headLength, length, toSegment);
    else if (type === etherType.ipv6) this.#ipv6(head, at, headLength, length, toSegment);
    else if (type === etherType.vlan || type === etherType.serviceVlan) this.malformed = true;
  }

  /** Fills the fields of an IP packet at `at`, behind other headers of a tunnel. */
  parseIp(head: DataView, at: number, headLength: number, length: number, toSegment: boolean) {
    this.#clear();
    this.malformed = true;
    this.l3Offset = at;
    if (at >= headLength) return;
    const version = head.getUint8(at) >>> 4;
    if (version === 4) this.#ipv4(head, at, headLength, length, toSegment);
    else if (version === 6) this.#ipv6(head, at, headLength, length, toSegment);
  }

  #clear(): void {
    this.vlan = -1;
    this.ipVersion = 0;
    this.src = 0;
    this.dst = 0;
    this.ipEnd = 0;
    this.fragment = fragment.none;
    this.l4Protocol = -1;
    this.l4Offset = -1;
    this.payloadOffset = -1;
    this.srcPort = 0;
    this.dstPort = 0;
    this.tcpFlags = 0;
    this.icmpType = -1;
    this.icmpCode = -1;
    this.malformed = false;
  }

  #ipv4(h: DataView, at: number, headLength: number, length: number, toSegment: boolean): void {
    this.malformed = true;
    if (at + ipv4.minBytes > headLength) return;
    const first = h.getUint8(at);
    const headerBytes = (first & 15) * 4;
    if (first >>> 4 !== 4 || headerBytes < ipv4.minBytes || at + headerBytes > headLength) return;
    const total = toSegment ? length - at : h.getUint16(at + ipv4.totalLength);
    if (total < headerBytes || at + total > length) return;
    this.malformed = false;
    this.ipVersion = 4;
    this.ipEnd = at + total;
    this.src = h.getInt32(at + ipv4.source);
    this.dst = h.getInt32(at + ipv4.destination);
    this.l4Protocol = h.getUint8(at + ipv4.protocol);
    const bits = h.getUint16(at + ipv4.fragment);
    if ((bits & ~ipv4Fragment.dontFragment) !== 0) {
      this.identification = h.getUint16(at + ipv4.identification);
      this.fragmentOffset = (bits & ipv4Fragment.offsetMask) * 8;
    }
    if ((bits & ipv4Fragment.offsetMask) !== 0) {
      this.fragment = fragment.later;
      return;
    }
    if ((bits & ipv4Fragment.more) !== 0) this.fragment = fragment.first;
    this.#l4(h, at + headerBytes, headLength);
  }

  #ipv6(h: DataView, at: number, headLength: number, length: number, toSegment: boolean): void {
    this.malformed = true;
    if (at + ipv6.bytes > headLength || h.getUint8(at) >>> 4 !== 6) return;
    const total = toSegment ? length - at : ipv6.bytes + h.getUint16(at + ipv6.payloadLength);
    if (total < ipv6.bytes || at + total > length) return;
    this.malformed = false;
    this.ipVersion = 6;
    this.ipEnd = at + total;
    this.src0 = h.getInt32(at + 8);
    this.src1 = h.getInt32(at + 12);
    this.src2 = h.getInt32(at + 16);
    this.src = h.getInt32(at + 20);
    this.dst0 = h.getInt32(at + 24);
    this.dst1 = h.getInt32(at + 28);
    this.dst2 = h.getInt32(at + 32);
    this.dst = h.getInt32(at + 36);
    const next = h.getUint8(at + ipv6.nextHeader);
    if (next === ipProtocol.tcp || next === ipProtocol.udp) {
      this.l4Protocol = next;
      this.#l4(h, at + ipv6.bytes, headLength);
    } else this.#extensions(h, at + ipv6.bytes, headLength, next);
  }

  /** Walks the extension headers; a chain that leaves the head has no known L4 header. */
  #extensions(h: DataView, start: number, headLength: number, firstNext: number): void {
    let next = firstNext;
    let at = start;
    for (let n = 0; n < maxIpv6Extensions; n++) {
      let units = 8;
      if (next === ipv6Next.authentication) units = 4;
      else if (
        next !== ipv6Next.hopByHop &&
        next !== ipv6Next.routing &&
        next !== ipv6Next.fragment &&
        next !== ipv6Next.destinationOptions &&
        next !== ipv6Next.mobility
      ) {
        if (next === ipv6Next.noNext) return;
        this.l4Protocol = next;
        this.#l4(h, at, headLength);
        return;
      }
      if (at + 8 > this.ipEnd) {
        this.malformed = true;
        return;
      }
      if (at + 8 > headLength) return;
      const extra = h.getUint8(at + 1);
      if (next === ipv6Next.fragment) {
        const bits = h.getUint16(at + 2);
        this.identification = h.getInt32(at + 4);
        this.fragmentOffset = bits & ~7;
        next = h.getUint8(at);
        at += 8;
        if (bits >>> 3 !== 0) {
          this.fragment = fragment.later;
          this.l4Protocol = next;
          return;
        }
        if ((bits & 1) !== 0) this.fragment = fragment.first;
      } else {
        next = h.getUint8(at);
        at += units === 4 ? (extra + 2) * 4 : (extra + 1) * 8;
      }
    }
    this.malformed = true;
  }

  #l4(h: DataView, at: number, headLength: number): void {
    const end = this.ipEnd;
    const protocol = this.l4Protocol;
    let needs = 0;
    if (protocol === ipProtocol.tcp) needs = tcp.minBytes;
    else if (protocol === ipProtocol.udp) needs = udp.bytes;
    else if (protocol === ipProtocol.icmp || protocol === ipProtocol.icmp6) needs = icmp.minBytes;
    if (at + needs > end) {
      this.malformed = true;
      return;
    }
    if (at + needs > headLength) return;
    this.l4Offset = at;
    if (protocol === ipProtocol.tcp) {
      this.srcPort = h.getUint16(at);
      this.dstPort = h.getUint16(at + 2);
      this.tcpFlags = h.getUint8(at + tcp.flags);
      const headerBytes = (h.getUint8(at + tcp.dataOffset) >>> 4) * 4;
      if (headerBytes < tcp.minBytes || at + headerBytes > end) this.malformed = true;
      else if (at + headerBytes <= headLength) this.payloadOffset = at + headerBytes;
      return;
    }
    if (protocol === ipProtocol.udp) {
      this.srcPort = h.getUint16(at);
      this.dstPort = h.getUint16(at + 2);
    } else if (needs !== 0) {
      this.icmpType = h.getUint8(at + icmp.type);
      this.icmpCode = h.getUint8(at + icmp.code);
    }
    this.payloadOffset = at + needs;
  }
}
