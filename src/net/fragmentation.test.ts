import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../lib/prng.ts';
import { Fragmenter } from './fragmentation.ts';
import { Frame } from './frame.ts';
import { buildPacket, frameBytes, naiveChecksum, naiveSum } from './testing-packets.ts';

/** The fragments, and what they make together. */
function cut(bytes: Uint8Array, mtu: number) {
  const frame = new Frame();
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  const fragmenter = new Fragmenter(mtu);
  fragmenter.begin(frame);
  const out = new Frame();
  const pieces: Uint8Array[] = [];
  while (fragmenter.next(out)) pieces.push(frameBytes(out));
  const joined: number[] = [];
  for (const piece of pieces) {
    const header = ((piece[14] as number) & 15) * 4;
    assert.equal(naiveSum(piece.subarray(14, 14 + header)), 0xffff);
    const view = new DataView(piece.buffer, piece.byteOffset);
    assert.equal(view.getUint16(16), piece.length - 14);
    assert.ok(piece.length - 14 <= mtu);
    assert.equal(joined.length, (view.getUint16(20) & 0x1fff) * 8);
    assert.equal((view.getUint16(20) & 0x2000) !== 0, piece !== pieces.at(-1));
    joined.push(...piece.subarray(14 + header));
  }
  return { pieces, joined };
}

const packet = (length: number): Uint8Array => {
  const bytes = buildPacket({ protocol: 'udp', payload: Uint8Array.from({ length }, (_, i) => i) });
  bytes[20] = 0;
  bytes.set([0, 0], 24);
  const sum = naiveChecksum(bytes.subarray(14, 34));
  bytes.set([sum >>> 8, sum & 255], 24);
  return bytes;
};

test('fragments join to the packet, whatever its length and the MTU', () => {
  const random = new Prng(1);
  for (let n = 0; n < 300; n++) {
    const bytes = packet(random.below(9000));
    const { joined } = cut(bytes, 68 + random.below(3000));
    assert.deepEqual(joined, [...bytes.subarray(34)]);
  }
});

test('an Ethernet padding is no part of it, and what fits is one piece', () => {
  const bytes = Uint8Array.from([...packet(4), ...Array(14).fill(7)]);
  const { pieces, joined } = cut(bytes, 1500);
  assert.equal(pieces.length, 1);
  assert.equal(joined.length, 12);
});

test('a fragment that is cut again keeps its place, and its "more"', () => {
  const bytes = packet(2000);
  bytes[20] = 0x20;
  bytes[21] = 10;
  const frame = new Frame();
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  const fragmenter = new Fragmenter(1500);
  fragmenter.begin(frame);
  const out = new Frame();
  const bits: number[] = [];
  while (fragmenter.next(out)) bits.push(out.headView.getUint16(20));
  assert.deepEqual(bits, [0x2000 | 10, 0x2000 | (10 + 1480 / 8)]);
});

test('options that are not copied stand in the first fragment only', () => {
  const plain = packet(3000);
  // Record route (7), 7 bytes, not copied; then a copied one (0x94: router alert), 4 bytes; end.
  const options = [7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0];
  const bytes = Uint8Array.from([...plain.subarray(0, 34), ...options, ...plain.subarray(34)]);
  bytes[14] = 0x48;
  new DataView(bytes.buffer).setUint16(16, bytes.length - 14);
  const { pieces } = cut(bytes, 1500);
  assert.deepEqual([...(pieces[0] as Uint8Array).subarray(34, 46)], options);
  assert.deepEqual(
    [...(pieces[1] as Uint8Array).subarray(34, 46)],
    [1, 1, 1, 1, 1, 1, 1, 0x94, 4, 0, 0, 0],
  );
});
