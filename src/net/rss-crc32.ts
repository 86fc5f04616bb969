/**
 * The other hash of receive-side scaling: CRC-32 (IEEE 802.3, reflected) over the same input that
 * Toeplitz hashes. How the card orders the bits is not published; this is the usual CRC.
 */

import { write32 } from './bytes.ts';
import { ipProtocol } from './ipv4.ts';
import { fragment, type Headers } from './parse.ts';
import { rssInput } from './toeplitz.ts';

const table = Int32Array.from({ length: 256 }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  return crc;
});

/** Two IPv6 addresses and two ports. */
const input = new Uint8Array(36);

/** The CRC-32 of `length` bytes, from `initial` (0 for the usual one); signed. */
export function crc32(bytes: Uint8Array, length: number, initial: number): number {
  let crc = ~initial;
  for (let i = 0; i < length; i++)
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return ~crc;
}

/** As `Toeplitz.hashPacket`: by the inputs that are switched on; 0: none. */
export function crc32OfPacket(h: Headers, inputs: number, initial: number): number {
  if (h.ipVersion === 0) return 0;
  const four = h.ipVersion === 4;
  const addresses = (inputs & (four ? rssInput.ipv4 : rssInput.ipv6)) !== 0;
  const ports = hasPorts(h) && (inputs & portsBit(h.l4Protocol, four)) !== 0;
  if (!addresses && !ports) return 0;
  let at = 0;
  const put = (word: number): void => {
    write32(input, at, word);
    at += 4;
  };
  if (four) for (const word of [h.src, h.dst]) put(word);
  else for (const word of [h.src0, h.src1, h.src2, h.src, h.dst0, h.dst1, h.dst2, h.dst]) put(word);
  if (ports) put((h.srcPort << 16) | h.dstPort);
  return crc32(input, at, initial);
}

const hasPorts = (h: Headers): boolean => h.fragment === fragment.none && h.l4Offset >= 0;

function portsBit(protocol: number, four: boolean): number {
  if (protocol === ipProtocol.tcp) return four ? rssInput.tcp4 : rssInput.tcp6;
  if (protocol === ipProtocol.udp) return four ? rssInput.udp4 : rssInput.udp6;
  return 0;
}
