/**
 * Addresses and ports of an IPv4 packet changed in its frame's head, its checksums with them, by the
 * difference that the change makes (RFC 1624): a sum that was wrong stays wrong, and the payload is
 * not looked at. ICMP's identifier counts as a port. An ICMP error quotes the packet that it is
 * about, whose addresses and ports are changed by `Quoted`.
 */
import { read16, read32, write16, write32 } from '../../net/bytes.ts';
import { fold } from '../../net/checksum.ts';
import { copyBytes } from '../../net/copy.ts';
import type { Frame } from '../../net/frame.ts';
import { icmp, icmpType } from '../../net/icmp.ts';
import { ipProtocol, ipv4, ipv4Fragment } from '../../net/ipv4.ts';
import { fragment } from '../../net/parse.ts';
import { tcp } from '../../net/tcp.ts';
import { udp } from '../../net/udp.ts';

/** Where an echo's identifier stands. */
const icmpIdentifier = 4;
/** A port that stays as it is. */
export const samePort = -1;

/** Corrects the sum at `sumAt` for a 16-bit word that was `before` and is `now`. */
export function adjustSum(head: Uint8Array, sumAt: number, before: number, now: number): void {
  const sum = (~read16(head, sumAt) & 0xffff) + (~before & 0xffff) + (now & 0xffff);
  write16(head, sumAt, ~fold(sum));
}

function adjust32(head: Uint8Array, sumAt: number, before: number, now: number): void {
  adjustSum(head, sumAt, before >>> 16, now >>> 16);
  adjustSum(head, sumAt, before & 0xffff, now & 0xffff);
}

/** Where the L4 checksum stands that covers addresses and ports, or -1: there is none. */
function sumOf(head: Uint8Array, protocol: number, l4: number): number {
  if (protocol === ipProtocol.tcp) return l4 + tcp.checksum;
  if (protocol !== ipProtocol.udp) return -1;
  return read16(head, l4 + udp.checksum) === 0 ? -1 : l4 + udp.checksum;
}

/** UDP says 0xffff for zero, because zero means "none". */
function finishSum(head: Uint8Array, protocol: number, sumAt: number): void {
  if (protocol === ipProtocol.udp && read16(head, sumAt) === 0) write16(head, sumAt, 0xffff);
}

/** Gives a parsed IPv4 packet another source address, and port unless it is `samePort`. */
export const setSource = (frame: Frame, address: number, port: number): void =>
  setEnd(frame, ipv4.source, tcp.sourcePort, address, port);

export const setDestination = (frame: Frame, address: number, port: number): void =>
  setEnd(frame, ipv4.destination, tcp.destinationPort, address, port);

function setEnd(
  frame: Frame,
  addressOffset: number,
  portOffset: number,
  address: number,
  port: number,
): void {
  const { head, headers: h } = frame;
  const at = h.l3Offset + addressOffset;
  const before = read32(head, at);
  write32(head, at, address);
  adjust32(head, h.l3Offset + ipv4.checksum, before, address);
  if (h.l4Offset < 0) return;
  const { l4Protocol: protocol, l4Offset: l4 } = h;
  if (protocol === ipProtocol.icmp) {
    if (port !== samePort) replace(head, l4 + icmpIdentifier, port, l4 + icmp.checksum);
    return;
  }
  const sumAt = sumOf(head, protocol, l4);
  if (sumAt >= 0) adjust32(head, sumAt, before, address);
  if (port !== samePort && hasPorts(protocol)) {
    const old = read16(head, l4 + portOffset);
    write16(head, l4 + portOffset, port);
    if (sumAt >= 0) adjustSum(head, sumAt, old, port);
  }
  if (sumAt >= 0) finishSum(head, protocol, sumAt);
}

export const hasPorts = (protocol: number): boolean =>
  protocol === ipProtocol.tcp || protocol === ipProtocol.udp;

/** Changes a word that the sum at `sumAt` covers. */
function replace(head: Uint8Array, at: number, value: number, sumAt: number): void {
  adjustSum(head, sumAt, read16(head, at), value);
  write16(head, at, value);
}

/** The identifier of a parsed ICMP query or answer, or -1: it has none. */
export function identifierOf({ head, headLength, headers: h }: Frame): number {
  const isEcho = h.icmpType === icmpType.echoRequest || h.icmpType === icmpType.echoReply;
  if (h.l4Protocol !== ipProtocol.icmp || !isEcho) return -1;
  const at = h.l4Offset + icmpIdentifier;
  return at + 2 > Math.min(headLength, h.ipEnd) ? -1 : read16(head, at);
}

/** ICMP types that quote a packet (RFC 792): unreachable, source quench, redirect, time, parameter. */
const errorTypes = [3, 4, 5, 11, 12];

/** The packet that an ICMP error is about, in the error's own frame. */
export class Quoted {
  protocol = 0;
  src = 0;
  dst = 0;
  /** Or the identifier, of echoes; -1: it is not quoted. */
  srcPort = -1;
  dstPort = -1;
  #l3 = 0;
  #l4 = 0;
  #end = 0;
  #sumAt = 0;

  /** Reads a parsed frame; false when it is no ICMP error with a whole IPv4 header in it. */
  read({ head, headLength, headers: h }: Frame): boolean {
    if (h.ipVersion !== 4 || h.l4Protocol !== ipProtocol.icmp || h.l4Offset < 0) return false;
    if (!errorTypes.includes(h.icmpType) || h.fragment !== fragment.none) return false;
    const l3 = h.l4Offset + icmp.headerBytes;
    const end = Math.min(headLength, h.ipEnd);
    if (l3 + ipv4.minBytes > end) return false;
    const headerBytes = ((head[l3] as number) & 15) * 4;
    if ((head[l3] as number) >>> 4 !== 4 || headerBytes < ipv4.minBytes) return false;
    if (l3 + headerBytes > end) return false;
    this.#l3 = l3;
    this.#l4 = l3 + headerBytes;
    this.#end = end;
    this.#sumAt = h.l4Offset + icmp.checksum;
    this.protocol = head[l3 + ipv4.protocol] as number;
    this.src = read32(head, l3 + ipv4.source);
    this.dst = read32(head, l3 + ipv4.destination);
    this.#readPorts(head);
    return true;
  }

  #readPorts(head: Uint8Array): void {
    const l4 = this.#l4;
    this.srcPort = -1;
    this.dstPort = -1;
    const bits = read16(head, this.#l3 + ipv4.fragment);
    if ((bits & ipv4Fragment.offsetMask) !== 0) return;
    if (hasPorts(this.protocol) && l4 + 4 <= this.#end) {
      this.srcPort = read16(head, l4 + tcp.sourcePort);
      this.dstPort = read16(head, l4 + tcp.destinationPort);
    } else if (this.protocol === ipProtocol.icmp && l4 + 6 <= this.#end) {
      const type = head[l4] as number;
      if (type === icmpType.echoRequest || type === icmpType.echoReply)
        this.srcPort = read16(head, l4 + icmpIdentifier);
    }
  }

  setSource(head: Uint8Array, address: number, port: number): void {
    this.#set(head, ipv4.source, tcp.sourcePort, address, port);
  }

  setDestination(head: Uint8Array, address: number, port: number): void {
    this.#set(head, ipv4.destination, tcp.destinationPort, address, port);
  }

  /** Each change is one in what the error's own sum covers, and so are the quoted sums. */
  #set(head: Uint8Array, addressOffset: number, portOffset: number, to: number, port: number) {
    const l3 = this.#l3;
    const l4 = this.#l4;
    const outer = this.#sumAt;
    const at = l3 + addressOffset;
    const before = read32(head, at);
    replace(head, at, to >>> 16, outer);
    replace(head, at + 2, to & 0xffff, outer);
    this.#replaceSum(head, l3 + ipv4.checksum, before, to);
    if (this.srcPort < 0) return;
    if (this.protocol === ipProtocol.icmp) {
      const sumAt = l4 + icmp.checksum;
      if (port === samePort) return;
      const id = read16(head, l4 + icmpIdentifier);
      replace(head, l4 + icmpIdentifier, port, outer);
      this.#replaceSum(head, sumAt, id, port);
      return;
    }
    const old = read16(head, l4 + portOffset);
    const now = port === samePort ? old : port;
    replace(head, l4 + portOffset, now, outer);
    const offset = this.protocol === ipProtocol.tcp ? tcp.checksum : udp.checksum;
    if (l4 + offset + 2 > this.#end || sumOf(head, this.protocol, l4) < 0) return;
    this.#replaceSum(head, l4 + offset, before, to);
    this.#replaceSum(head, l4 + offset, old, now);
  }

  #replaceSum(head: Uint8Array, sumAt: number, before: number, now: number): void {
    const old = read16(head, sumAt);
    adjust32(head, sumAt, before, now);
    adjustSum(head, this.#sumAt, old, read16(head, sumAt));
  }
}

/** Makes `out` the same frame with a head of its own; its payload stays where it lies. */
export function borrow(out: Frame, frame: Frame): void {
  out.clear();
  copyBytes(frame.head, 0, out.head, 0, frame.headLength);
  out.headLength = frame.headLength;
  out.length = frame.headLength;
  for (let i = 0; i < frame.segmentCount; i++)
    out.add(
      frame.segmentBytes[i] as Uint8Array,
      frame.segmentStart[i] as number,
      frame.segmentLength[i] as number,
    );
  out.ipv4Sum = frame.ipv4Sum;
  out.l4Sum = frame.l4Sum;
  out.parse();
}
