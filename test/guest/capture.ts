/** Reads a switch's capture (pcapng, draft-ietf-opsawg-pcapng) and checks what is in it. */
import { readFileSync } from 'node:fs';
import { checksumsAreRight, etherBytes, partsOf } from '../sim/naive-packets.ts';

const enhancedPacketBlock = 6;
const packetAt = 28;

export function* framesOf(path: string): Generator<Uint8Array> {
  const file = readFileSync(path);
  for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
    if (file.readUInt32LE(at) !== enhancedPacketBlock) continue;
    yield file.subarray(at + packetAt, at + packetAt + file.readUInt32LE(at + 20));
  }
}

export type ChecksumReport = {
  /** Segments and datagrams by kind: 'tcp4'. */
  readonly counts: Record<string, number>;
  /** The first frames whose checksum is wrong, in words. */
  readonly wrong: string[];
};

/** Checks each TCP and UDP checksum, and that of the IPv4 header. */
export function checkChecksums(path: string): ChecksumReport {
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  for (const frame of framesOf(path)) {
    const type = ((frame[12] as number) << 8) | (frame[13] as number);
    if (type !== 0x0800 && type !== 0x86dd) continue;
    const { ip, protocol } = partsOf(frame);
    if (protocol !== 6 && protocol !== 17) continue;
    const kind = `${protocol === 6 ? 'tcp' : 'udp'}${ip}`;
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (!checksumsAreRight(frame) && wrong.length < 10)
      wrong.push(`${kind}: ${Buffer.from(frame.subarray(etherBytes, 80)).toString('hex')}`);
  }
  return { counts, wrong };
}
