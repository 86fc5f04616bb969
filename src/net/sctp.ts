/** SCTP (RFC 9260): where its checksum stands, and how it is made: CRC32c, least byte first. */
import type { Frame } from './frame.ts';

export const sctp = { checksum: 8, minBytes: 12 } as const;

/** CRC32c (RFC 9260, appendix A), reflected, by bytes. */
const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f6_3b78;
  return crc;
});

function update(start: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = start;
  for (let i = from; i < to; i++)
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return crc;
}

/** Computes the checksum of the SCTP packet that begins at `at`; false: its header is not in the head. */
export function writeSctpChecksum(frame: Frame, at: number): boolean {
  if (at + sctp.minBytes > frame.headLength) return false;
  const { headView } = frame;
  headView.setUint32(at + sctp.checksum, 0);
  let crc = update(-1, frame.head, at, frame.headLength);
  for (let i = 0; i < frame.segmentCount; i++) {
    const start = frame.segmentStart[i] as number;
    const end = start + (frame.segmentLength[i] as number);
    crc = update(crc, frame.segmentBytes[i] as Uint8Array, start, end);
  }
  headView.setUint32(at + sctp.checksum, ~crc, true);
  return true;
}
