/**
 * A packet as the gates see it, as a flyweight: addresses of both versions as four words, and what
 * makes it belong to a connection. Also for the packet that an ICMP error quotes.
 */
import { read16, read32 } from '../../net/bytes.ts';
import { icmp } from '../../net/icmp.ts';
import { ipProtocol, ipv4, ipv4Fragment } from '../../net/ipv4.ts';
import { ipv6, ipv6Next } from '../../net/ipv6.ts';
import type { Headers } from '../../net/parse.ts';
import { tcpFlag } from '../../net/tcp.ts';

/** What a packet is to connection tracking. */
export const kind = {
  /** TCP and UDP: a connection is both addresses and both ports. */
  ports: 0,
  /** Another protocol: both addresses. */
  other: 1,
  /** An ICMP query or its answer: both addresses, the identifier, and who asked. */
  query: 2,
  answer: 3,
  /** ICMP about another packet: none of its own. */
  error: 4,
  /** ICMP that is none of these. */
  message: 5,
} as const;

/** Words of a connection's key. */
export const keyWords = 11;
/** ICMP's identifier follows the checksum in queries and answers. */
const icmpIdentifier = 4;
export const icmpErrorBytes = 8;

export class Packet {
  version: 4 | 6 = 4;
  protocol = 0;
  kind: number = kind.other;
  s0 = 0;
  s1 = 0;
  s2 = 0;
  s3 = 0;
  d0 = 0;
  d1 = 0;
  d2 = 0;
  d3 = 0;
  srcPort = 0;
  dstPort = 0;
  tcpFlags = 0;
  /** What filters compare: the destination port, or ICMP's type and code. */
  value = 0;
  /** ICMP queries and answers: the identifier, and the type of the query. */
  #identifier = 0;
  #query = 0;

  /** A TCP packet that asks for a new connection. */
  get isOpening(): boolean {
    return (this.tcpFlags & (tcpFlag.syn | tcpFlag.ack)) === tcpFlag.syn;
  }

  /** Of a frame with IP; false when the L4 header is not there to be judged. */
  read(head: Uint8Array, headLength: number, h: Headers): boolean {
    if (h.malformed || h.l4Offset < 0) return false;
    this.#addresses(h);
    this.protocol = h.l4Protocol;
    this.srcPort = h.srcPort;
    this.dstPort = h.dstPort;
    this.tcpFlags = h.tcpFlags;
    if (h.icmpType < 0) {
      this.#ported(this.protocol === ipProtocol.tcp || this.protocol === ipProtocol.udp);
      return true;
    }
    return this.#icmp(head, Math.min(headLength, h.ipEnd), h.l4Offset);
  }

  /** A later fragment: addresses and protocol only. */
  readFragment(h: Headers): void {
    this.#addresses(h);
    this.protocol = h.l4Protocol;
  }

  #addresses(h: Headers): void {
    const isV6 = h.ipVersion === 6;
    this.version = isV6 ? 6 : 4;
    this.s0 = isV6 ? h.src0 : 0;
    this.s1 = isV6 ? h.src1 : 0;
    this.s2 = isV6 ? h.src2 : 0;
    this.s3 = h.src;
    this.d0 = isV6 ? h.dst0 : 0;
    this.d1 = isV6 ? h.dst1 : 0;
    this.d2 = isV6 ? h.dst2 : 0;
    this.d3 = h.dst;
  }

  #ported(hasPorts: boolean): void {
    this.kind = hasPorts ? kind.ports : kind.other;
    this.value = hasPorts ? this.dstPort : 0;
    if (!hasPorts) {
      this.srcPort = 0;
      this.dstPort = 0;
    }
  }

  /** False: a query without its identifier. ICMP of the other version of IP is any protocol. */
  #icmp(head: Uint8Array, end: number, at: number): boolean {
    this.srcPort = 0;
    this.dstPort = 0;
    if (this.protocol !== (this.version === 4 ? ipProtocol.icmp : ipProtocol.icmp6)) {
      this.#ported(false);
      return true;
    }
    const type = head[at + icmp.type] as number;
    this.value = (type << 8) | (head[at + icmp.code] as number);
    this.kind = this.version === 4 ? kindOf4(type) : kindOf6(type);
    if (this.kind !== kind.query && this.kind !== kind.answer) return true;
    if (at + icmpIdentifier + 2 > end) return false;
    this.#identifier = read16(head, at + icmpIdentifier);
    this.#query = queryOf(type);
    return true;
  }

  /**
   * The packet that an ICMP error quotes: `head[at .. end]`, of which the first 8 bytes of L4 are
   * enough (RFC 792). False when there is less, or when it is itself an error.
   */
  readQuoted(head: Uint8Array, at: number, end: number, version: 4 | 6): boolean {
    this.version = version;
    this.tcpFlags = 0;
    const l4 = version === 4 ? this.#quoted4(head, at, end) : this.#quoted6(head, at, end);
    if (l4 < 0 || l4 + 8 > end) return false;
    const isIcmp = this.protocol === ipProtocol.icmp || this.protocol === ipProtocol.icmp6;
    if (isIcmp) return this.#icmp(head, end, l4) && this.kind <= kind.answer;
    this.srcPort = read16(head, l4);
    this.dstPort = read16(head, l4 + 2);
    this.#ported(this.protocol === ipProtocol.tcp || this.protocol === ipProtocol.udp);
    return true;
  }

  /** Where L4 begins, or -1. */
  #quoted4(head: Uint8Array, at: number, end: number): number {
    if (at + ipv4.minBytes > end) return -1;
    const first = head[at] as number;
    const bytes = (first & 15) * 4;
    if (first >>> 4 !== 4 || bytes < ipv4.minBytes) return -1;
    if ((read16(head, at + ipv4.fragment) & ipv4Fragment.offsetMask) !== 0) return -1;
    this.s0 = this.s1 = this.s2 = 0;
    this.d0 = this.d1 = this.d2 = 0;
    this.s3 = read32(head, at + ipv4.source);
    this.d3 = read32(head, at + ipv4.destination);
    this.protocol = head[at + ipv4.protocol] as number;
    return at + bytes;
  }

  /** Only packets without extension headers are recognized, but for the fragment header of a first. */
  #quoted6(head: Uint8Array, at: number, end: number): number {
    if (at + ipv6.bytes > end || (head[at] as number) >>> 4 !== 6) return -1;
    this.s0 = read32(head, at + ipv6.source);
    this.s1 = read32(head, at + ipv6.source + 4);
    this.s2 = read32(head, at + ipv6.source + 8);
    this.s3 = read32(head, at + ipv6.source + 12);
    this.d0 = read32(head, at + ipv6.destination);
    this.d1 = read32(head, at + ipv6.destination + 4);
    this.d2 = read32(head, at + ipv6.destination + 8);
    this.d3 = read32(head, at + ipv6.destination + 12);
    this.protocol = head[at + ipv6.nextHeader] as number;
    const l4 = at + ipv6.bytes;
    if (this.protocol !== ipv6Next.fragment) return l4;
    if (l4 + 8 > end || read16(head, l4 + 2) >>> 3 !== 0) return -1;
    this.protocol = head[l4] as number;
    return l4 + 8;
  }

  /**
   * What identifies the packet's connection at interface `slot`. `outward`: the interface sends it.
   * The same for both directions of a connection.
   */
  writeKey(key: Int32Array, slot: number, outward: boolean): void {
    let tag = (this.version << 8) | this.protocol;
    let ports = outward ? (this.srcPort << 16) | this.dstPort : (this.dstPort << 16) | this.srcPort;
    if (this.kind === kind.query || this.kind === kind.answer) {
      const askedHere = (this.kind === kind.query) === outward;
      tag |= (this.#query << 16) | (askedHere ? 1 << 24 : 0);
      ports = this.#identifier;
    }
    key[0] = slot;
    key[1] = tag;
    key[2] = ports;
    key[outward ? 3 : 7] = this.s0;
    key[outward ? 4 : 8] = this.s1;
    key[outward ? 5 : 9] = this.s2;
    key[outward ? 6 : 10] = this.s3;
    key[outward ? 7 : 3] = this.d0;
    key[outward ? 8 : 4] = this.d1;
    key[outward ? 9 : 5] = this.d2;
    key[outward ? 10 : 6] = this.d3;
  }
}

/** RFC 792, RFC 950: echo, timestamp, information and address mask; then what errors there are. */
function kindOf4(type: number): number {
  if (type === 8 || type === 13 || type === 15 || type === 17) return kind.query;
  if (type === 0 || type === 14 || type === 16 || type === 18) return kind.answer;
  const isError = type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
  return isError ? kind.error : kind.message;
}

/** RFC 4443. */
function kindOf6(type: number): number {
  if (type === 128) return kind.query;
  if (type === 129) return kind.answer;
  return type >= 1 && type <= 4 ? kind.error : kind.message;
}

/** The query's type, of a query or its answer. */
function queryOf(type: number): number {
  if (type === 0) return 8;
  if (type === 129) return 128;
  return type === 14 || type === 16 || type === 18 ? type - 1 : type;
}
