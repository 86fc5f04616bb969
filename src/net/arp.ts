/** ARP for IPv4 over Ethernet (RFC 826). Offsets count from the ARP header. */
import { read16, write16, write32 } from './bytes.ts';
import { writeMac } from './ethernet.ts';

export const arp = {
  operation: 6,
  senderMac: 8,
  senderAddress: 14,
  targetMac: 18,
  targetAddress: 24,
  bytes: 28,
} as const;

export const arpOperation = { request: 1, reply: 2 } as const;

/** Ethernet and IPv4: the only kind that is spoken here. */
export const isArpForIpv4 = (bytes: Uint8Array, at: number): boolean =>
  read16(bytes, at) === 1 && read16(bytes, at + 2) === 0x0800 && read16(bytes, at + 4) === 0x0604;

export function writeArp(
  bytes: Uint8Array,
  at: number,
  operation: number,
  senderMac: number,
  senderAddress: number,
  targetMac: number,
  targetAddress: number,
): void {
  write16(bytes, at, 1);
  write16(bytes, at + 2, 0x0800);
  write16(bytes, at + 4, 0x0604);
  write16(bytes, at + arp.operation, operation);
  writeMac(bytes, at + arp.senderMac, senderMac);
  write32(bytes, at + arp.senderAddress, senderAddress);
  writeMac(bytes, at + arp.targetMac, targetMac);
  write32(bytes, at + arp.targetAddress, targetAddress);
}
