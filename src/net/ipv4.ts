/** IPv4 (RFC 791). Offsets count from the IPv4 header. Addresses are signed 32-bit integers. */
import { write16, write32 } from './bytes.ts';
import { internetChecksum } from './checksum.ts';

export const ipv4 = {
  totalLength: 2,
  identification: 4,
  fragment: 6,
  timeToLive: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  minBytes: 20,
} as const;

/** In the 16-bit fragment field. */
export const ipv4Fragment = { dontFragment: 0x4000, more: 0x2000, offsetMask: 0x1fff } as const;

export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const;

/** A header without options, don't-fragment, TTL 64, its checksum included. */
export function writeIpv4(
  bytes: Uint8Array,
  at: number,
  totalLength: number,
  protocol: number,
  source: number,
  destination: number,
): void {
  write16(bytes, at, 0x4500);
  write16(bytes, at + ipv4.totalLength, totalLength);
  write16(bytes, at + ipv4.identification, 0);
  write16(bytes, at + ipv4.fragment, ipv4Fragment.dontFragment);
  bytes[at + ipv4.timeToLive] = 64;
  bytes[at + ipv4.protocol] = protocol;
  write16(bytes, at + ipv4.checksum, 0);
  write32(bytes, at + ipv4.source, source);
  write32(bytes, at + ipv4.destination, destination);
  write16(bytes, at + ipv4.checksum, internetChecksum(bytes, at, ipv4.minBytes));
}

/** `10.0.0.1` as a signed 32-bit integer. Throws when it is not an address. */
export function parseIpv4(text: string): number {
  const parts = text.split('.');
  const numbers = parts.map(Number);
  const valid =
    parts.length === 4 &&
    parts.every((p, i) => /^\d{1,3}$/.test(p) && (numbers[i] as number) < 256);
  if (!valid) throw new Error(`'${text}' is not an IPv4 address: expected one like 10.0.0.1`);
  return numbers.reduce((value, part) => (value << 8) | part, 0);
}

export const formatIpv4 = (address: number): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;

/** The mask of a prefix of 0 to 32 bits. */
export const ipv4Mask = (prefix: number): number => (prefix === 0 ? 0 : -1 << (32 - prefix));
