/**
 * Neighbour discovery (RFC 4861) over ICMPv6: reading solicitations, writing advertisements.
 * Offsets count from the ICMPv6 header.
 */
import { write16, write32 } from './bytes.ts';
import { macBytes } from './ethernet.ts';
import { icmp, icmp6Type } from './icmp.ts';
import { type Ipv6Address, writeIpv6Address } from './ipv6.ts';
import type { Prefix } from './prefix.ts';

export const ndp = {
  /** Of neighbour messages. */
  flags: 4,
  target: 8,
  neighborBytes: 24,
  solicitationBytes: 8,
  advertisementBytes: 16,
} as const;

/** Every message is sent with this hop limit, and dropped with another (section 7.1). */
export const ndpHopLimit = 255;

/** Of neighbour advertisements, in their first byte. */
export const neighborFlag = { router: 0x80, solicited: 0x40, override: 0x20 } as const;
/** Of router advertisements. */
export const routerFlag = { managed: 0x80, other: 0x40 } as const;
/** Of prefix information. */
export const prefixFlag = { onLink: 0x80, autonomous: 0x40 } as const;

export const ndpOption = {
  sourceLinkAddress: 1,
  targetLinkAddress: 2,
  prefixInformation: 3,
  mtu: 5,
} as const;

/**
 * Whether options fill `bytes[at .. end]`: each has a length of 8 bytes times not zero (sections
 * 6.1.1, 7.1.1). A sender without an address says no link-layer address.
 */
export function hasValidNdpOptions(
  bytes: Uint8Array,
  start: number,
  end: number,
  mayHaveSource: boolean,
): boolean {
  for (let at = start; at < end; ) {
    if (at + 2 > end) return false;
    const length = (bytes[at + 1] as number) * 8;
    if (length === 0 || at + length > end) return false;
    if (bytes[at] === ndpOption.sourceLinkAddress && !mayHaveSource) return false;
    at += length;
  }
  return true;
}

/** A neighbour advertisement without its checksum; returns its end. */
export function writeNeighborAdvertisement(
  bytes: Uint8Array,
  at: number,
  flags: number,
  target: Ipv6Address,
  mac: number,
): number {
  bytes.fill(0, at, at + ndp.neighborBytes);
  bytes[at + icmp.type] = icmp6Type.neighborAdvertisement;
  bytes[at + ndp.flags] = flags;
  writeIpv6Address(bytes, at + ndp.target, target);
  return writeLinkAddress(bytes, at + ndp.neighborBytes, ndpOption.targetLinkAddress, mac);
}

export type RouterAdvertisement = {
  readonly mac: number;
  readonly hopLimit: number;
  readonly flags: number;
  readonly lifetimeSeconds: number;
  readonly mtu: number;
  readonly prefix: Prefix;
  readonly prefixFlags: number;
  readonly prefixSeconds: number;
};

/** A router advertisement without its checksum; returns its end. */
export function writeRouterAdvertisement(
  bytes: Uint8Array,
  start: number,
  said: RouterAdvertisement,
): number {
  bytes.fill(0, start, start + ndp.advertisementBytes);
  bytes[start + icmp.type] = icmp6Type.routerAdvertisement;
  bytes[start + 4] = said.hopLimit;
  bytes[start + 5] = said.flags;
  write16(bytes, start + 6, said.lifetimeSeconds);
  let at = start + ndp.advertisementBytes;
  at = writeLinkAddress(bytes, at, ndpOption.sourceLinkAddress, said.mac);
  at = writeHead(bytes, at, ndpOption.mtu, 1);
  write16(bytes, at, 0);
  write32(bytes, at + 2, said.mtu);
  at = writeHead(bytes, at + 6, ndpOption.prefixInformation, 4);
  bytes[at] = said.prefix.length;
  bytes[at + 1] = said.prefixFlags;
  write32(bytes, at + 2, said.prefixSeconds);
  write32(bytes, at + 6, said.prefixSeconds);
  write32(bytes, at + 10, 0);
  writeIpv6Address(bytes, at + 14, said.prefix.base);
  return at + 30;
}

function writeLinkAddress(bytes: Uint8Array, start: number, option: number, mac: number): number {
  const at = writeHead(bytes, start, option, 1);
  bytes.set(macBytes(mac), at);
  return at + 6;
}

function writeHead(bytes: Uint8Array, at: number, option: number, units: number): number {
  bytes[at] = option;
  bytes[at + 1] = units;
  return at + 2;
}
