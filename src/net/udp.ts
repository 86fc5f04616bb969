/** UDP (RFC 768). Offsets count from the UDP header. */
import { write16 } from './bytes.ts';

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
