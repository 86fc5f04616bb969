/**
 * Ethernet II (IEEE 802.3) and VLAN tags (802.1Q): offsets, types and MAC addresses.
 *
 * A MAC address is a plain 48-bit number for people and plans, and a pair (`hi`: the first 16 bits,
 * `lo`: the last 32, signed) on the hot path.
 */
import { read16, read32, write16, write32 } from './bytes.ts';

export const ethernet = { destination: 0, source: 6, type: 12, bytes: 14, tagBytes: 4 } as const;

export const etherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  /** SRD, as virtfn carries it: the first type for local experiments (IEEE 802). */
  srd: 0x88b5,
  serviceVlan: 0x88a8,
} as const;

export const broadcastMac = 0xffff_ffff_ffff;

export const macHi = (mac: number): number => Math.floor(mac / 2 ** 32);
export const macLo = (mac: number): number => mac | 0;

export const readMac = (bytes: Uint8Array, at: number): number =>
  read16(bytes, at) * 2 ** 32 + (read32(bytes, at + 2) >>> 0);

export function writeMac(bytes: Uint8Array, at: number, mac: number): void {
  write16(bytes, at, macHi(mac));
  write32(bytes, at + 2, macLo(mac));
}

/** The six bytes of an address. */
export function macBytes(mac: number): Uint8Array {
  const bytes = new Uint8Array(6);
  writeMac(bytes, 0, mac);
  return bytes;
}

/** In a MAC's first 16 bits: broadcast and multicast have it. */
export const groupBit = 0x0100;
export const isGroupMac = (mac: number): boolean => (macHi(mac) & groupBit) !== 0;

/** `02:00:00:00:00:01` (or with dashes) as a number. Throws when it is not an address. */
export function parseMac(text: string): number {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text))
    throw new Error(`'${text}' is not a MAC address: expected six bytes like 02:00:00:00:00:01`);
  return Number.parseInt(text.replace(/[:-]/g, ''), 16);
}

export const formatMac = (mac: number): string =>
  (mac.toString(16).padStart(12, '0').match(/../g) as string[]).join(':');

export function writeEthernet(
  bytes: Uint8Array,
  destination: number,
  source: number,
  type: number,
): void {
  writeMac(bytes, ethernet.destination, destination);
  writeMac(bytes, ethernet.source, source);
  write16(bytes, ethernet.type, type);
}
