/** TCP packets that their card is asked to cut up: of all shapes, and of shapes that no driver sends. */
import { noOffload, TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import type { Prng } from '../../src/lib/prng.ts';
import { buildPacket } from '../../src/net/testing-packets.ts';
import type { Frame } from './twins.ts';

const noise = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 2_654_435_761) >>> 11);
const mostPieces = 18;
/** Options of TCP are words; the last ones do not fit into what is looked at. */
const optionWords = [0, 0, 3, 5, 10] as const;

/** From one address and MAC to another, as bytes. */
export type Ends = {
  readonly srcMac: readonly number[];
  readonly dstMac: readonly number[];
  readonly src: readonly number[];
  readonly dst: readonly number[];
};

/** Cuts a length into pieces as a driver's buffers would be, headers and all. */
function cutAnywhere(random: Prng, length: number): number[] {
  const pieces: number[] = [];
  let left = length;
  const count = 1 + random.below(random.oneIn(3) ? mostPieces : 3);
  while (pieces.length < count - 1) {
    const most = pieces.length === 0 || random.oneIn(4) ? 80 : (2 * left) / (count - pieces.length);
    const piece = Math.min(left, 0xffff, random.below(most + 1));
    pieces.push(piece);
    left -= piece;
  }
  for (; left > 0; left -= Math.min(left, 0xffff)) pieces.push(Math.min(left, 0xffff));
  return pieces;
}

/** Mostly what the fast path takes: a packet of a flow that goes on, and its segments. */
export function largePacket(random: Prng, ends: Ends): Frame {
  const mss = random.pick([48, 536, 700, 1001, 1446, 1448, 1460, 1461, random.below(9500)]);
  const options = Array<number>(4 * random.pick(optionWords)).fill(1);
  const most = random.pick([mss, 10 * mss, 64_000]);
  const payload = random.pick([0, 1, mss - 1, mss, mss + 1, 3 * mss, random.below(most)]);
  const headers = buildPacket({
    ...ends,
    ...{ srcPort: 1 + random.below(4), dstPort: 5201, tcpOptions: options },
    tcpFlags: random.pick([0x10, 0x10, 0x18, 0x90, 0x19, 0xd9, random.below(256)]),
    sequence: random.pick([1, 0xffff_ff00, random.next()]),
    identification: random.pick([7, 0xfffe, random.below(65_536)]),
    ...(random.oneIn(30) && { version: 6, src: Array(16).fill(1), dst: Array(16).fill(2) }),
    ...(random.oneIn(30) && { vlans: [5] }),
  });
  const withOptions = random.oneIn(10) ? ipOptions(headers, random.pick([4, 12, 40])) : headers;
  const from = random.below(noise.length - 66_000);
  const length = Math.min(Math.max(0, payload), 65_700 - withOptions.length);
  const bytes = Buffer.concat([withOptions, noise.subarray(from, from + length)]);
  if (random.oneIn(15)) bytes[12 + random.below(50)] = random.below(256);
  const isLying = random.oneIn(30);
  const spec = {
    ...({ l3: 'ipv4', l4: 'tcp', mss, l3Length: isLying ? random.below(256) : 20 } as const),
    l4Length: isLying ? 4 * random.below(64) : 20 + options.length,
    l3Csum: random.oneIn(2),
    l4Csum: random.pick(['none', 'full', 'partial'] as const),
    l3Offset: isLying ? random.below(256) : 14,
  };
  return { bytes, offload: new TxOffload(spec), pieces: cutAnywhere(random, bytes.length) };
}

/** The same with words of options behind the IPv4 header. */
function ipOptions(bytes: Uint8Array, length: number): Uint8Array {
  const longer = Buffer.concat([
    bytes.subarray(0, 34),
    Buffer.alloc(length, 1),
    bytes.subarray(34),
  ]);
  longer[14] = 0x40 | (5 + length / 4);
  return longer;
}

/** A small one of the same guests, with or without sums to be made. */
export function smallPacket(random: Prng, ends: Ends): Frame {
  const bytes = buildPacket({
    ...ends,
    ...{ srcPort: 1 + random.below(4), dstPort: 5201 },
    payload: noise.subarray(0, random.below(1400)),
  });
  const l4Csum = random.pick(['full', 'partial'] as const);
  const lengths = { l3Length: 20, l4Length: 20 };
  const sums = new TxOffload({ l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum, ...lengths });
  return { bytes, offload: random.oneIn(2) ? noOffload : sums };
}
