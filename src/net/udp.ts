/** UDP (RFC 768). Offsets count from the UDP header. */
import { write16 } from './bytes.ts';
import { fold, pseudoHeaderSum, sumBytes } from './checksum.ts';
import { ethernet, etherType, writeEthernet } from './ethernet.ts';
import { ipProtocol, ipv4, writeIpv4 } from './ipv4.ts';
import { type Ipv6Address, ipv6, writeIpv6 } from './ipv6.ts';

export const udp = {
  sourcePort: 0,
  destinationPort: 2,
  length: 4,
  checksum: 6,
  bytes: 8,
} as const;

/** A header whose checksum is still 0. */
export function writeUdp(
  bytes: Uint8Array,
  at: number,
  sourcePort: number,
  destinationPort: number,
  length: number,
): void {
  write16(bytes, at + udp.sourcePort, sourcePort);
  write16(bytes, at + udp.destinationPort, destinationPort);
  write16(bytes, at + udp.length, length);
  write16(bytes, at + udp.checksum, 0);
}

/** Where a datagram's payload begins in a frame without VLAN tags and options, by IP version. */
export const udpPayloadAt = {
  4: ethernet.bytes + ipv4.minBytes + udp.bytes,
  6: ethernet.bytes + ipv6.bytes + udp.bytes,
} as const;

export type UdpWay = {
  readonly fromMac: number;
  readonly toMac: number;
  readonly fromPort: number;
  readonly toPort: number;
};

/** Writes the headers of a datagram whose payload lies at `udpPayloadAt[4]` .. `end`. */
export function wrapUdp4(
  bytes: Uint8Array,
  end: number,
  way: UdpWay,
  source: number,
  destination: number,
): void {
  const l3 = ethernet.bytes;
  const l4 = l3 + ipv4.minBytes;
  writeEthernet(bytes, way.toMac, way.fromMac, etherType.ipv4);
  writeIpv4(bytes, l3, end - l3, ipProtocol.udp, source, destination);
  writeUdp(bytes, l4, way.fromPort, way.toPort, end - l4);
  writeSum(bytes, l4, end, pseudoHeaderSum(bytes, l3 + ipv4.source, 4, ipProtocol.udp, end - l4));
}

/** Writes the headers of a datagram whose payload lies at `udpPayloadAt[6]` .. `end`. */
export function wrapUdp6(
  bytes: Uint8Array,
  end: number,
  way: UdpWay,
  source: Ipv6Address,
  destination: Ipv6Address,
): void {
  const l3 = ethernet.bytes;
  const l4 = l3 + ipv6.bytes;
  writeEthernet(bytes, way.toMac, way.fromMac, etherType.ipv6);
  writeIpv6(bytes, l3, end - l4, ipProtocol.udp, 64, source, destination);
  writeUdp(bytes, l4, way.fromPort, way.toPort, end - l4);
  writeSum(bytes, l4, end, pseudoHeaderSum(bytes, l3 + ipv6.source, 16, ipProtocol.udp, end - l4));
}

/** Zero means "no checksum", so a sum of zero is written as 0xffff. */
function writeSum(bytes: Uint8Array, at: number, end: number, pseudo: number): void {
  const sum = ~fold(pseudo + sumBytes(bytes, at, end - at)) & 0xffff;
  write16(bytes, at + udp.checksum, sum === 0 ? 0xffff : sum);
}
