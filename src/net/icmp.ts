/** ICMP (RFC 792) and ICMPv6 (RFC 4443): headers, types, codes and sums. */
import { write16 } from './bytes.ts';
import { fold, internetChecksum, pseudoHeaderSum, sumBytes } from './checksum.ts';
import { ipProtocol } from './ipv4.ts';
import { ipv6 } from './ipv6.ts';

export const icmp = { type: 0, code: 1, checksum: 2, minBytes: 4, headerBytes: 8 } as const;

export const icmpType = { echoReply: 0, unreachable: 3, redirect: 5, echoRequest: 8 } as const;

/** Codes of `unreachable` that a VPC uses. */
export const icmpFragmentationNeeded = 4;

export const icmp6Type = {
  packetTooBig: 2,
  echoRequest: 128,
  echoReply: 129,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
} as const;

/** ICMPv6 messages below this type are errors. */
export const icmp6FirstInformational = 128;

export function writeIcmpChecksum(bytes: Uint8Array, at: number, length: number): void {
  write16(bytes, at + icmp.checksum, 0);
  write16(bytes, at + icmp.checksum, internetChecksum(bytes, at, length));
}

/** `ipAt`: the IPv6 header, whose addresses are in the sum; the message lies at `at`. */
export function writeIcmp6Checksum(
  bytes: Uint8Array,
  ipAt: number,
  at: number,
  length: number,
): void {
  write16(bytes, at + icmp.checksum, 0);
  const pseudo = pseudoHeaderSum(bytes, ipAt + ipv6.source, 16, ipProtocol.icmp6, length);
  write16(bytes, at + icmp.checksum, ~fold(pseudo + sumBytes(bytes, at, length)) & 0xffff);
}
