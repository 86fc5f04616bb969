import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frame } from './frame.ts';
import { parseIpv4 } from './ipv4.ts';
import { buildPacket, loadPieces } from './testing-packets.ts';
import { rssInput, Toeplitz } from './toeplitz.ts';

/** The key and the vectors of "Verifying the RSS Hash Calculation" (Microsoft). */
const key = Uint8Array.from(
  Buffer.from(
    '6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa',
    'hex',
  ),
);
const four = (text: string): number[] => {
  const a = parseIpv4(text) >>> 0;
  return [a >>> 24, (a >>> 16) & 255, (a >>> 8) & 255, a & 255];
};
const six = (text: string): number[] => {
  const [left = '', right = ''] = text.split('::');
  const words = (part: string) => part.split(':').filter((w) => w !== '');
  const gap = Array(8 - words(left).length - words(right).length).fill('0');
  return [...words(left), ...gap, ...words(right)].flatMap((w) => {
    const value = Number.parseInt(w, 16);
    return [value >>> 8, value & 255];
  });
};

const vectors4 = [
  ['66.9.149.187', 2794, '161.142.100.80', 1766, 0x323e8fc2, 0x51ccc178],
  ['199.92.111.2', 14230, '65.69.140.83', 4739, 0xd718262a, 0xc626b0ea],
  ['24.19.198.95', 12898, '12.22.207.184', 38024, 0xd2d0a5de, 0x5c2b394a],
  ['38.27.205.30', 48228, '209.142.163.6', 2217, 0x82989176, 0xafc7327f],
  ['153.39.163.191', 44251, '202.188.127.2', 1303, 0x5d1809c5, 0x10e828a2],
] as const;

const vectors6 = [
  ['3ffe:2501:200:1fff::7', 2794, '3ffe:2501:200:3::1', 1766, 0x2cc18cd5, 0x40207d3d],
  ['3ffe:501:8::260:97ff:fe40:efab', 14230, 'ff02::1', 4739, 0x0f0c461c, 0xdde51bbf],
  [
    '3ffe:1900:4545:3:200:f8ff:fe21:67cf',
    44251,
    'fe80::200:f8ff:fe21:67cf',
    38024,
    0x4b61e985,
    0x02d1feef,
  ],
] as const;

function hashes(version: 4 | 6, protocol: 'tcp' | 'udp', vector: readonly unknown[]): number[] {
  const [src, srcPort, dst, dstPort] = vector as [string, number, string, number];
  const address = version === 4 ? four : six;
  const frame = new Frame();
  const packet = { version, protocol, src: address(src), dst: address(dst), srcPort, dstPort };
  loadPieces(frame, buildPacket(packet), 256);
  frame.parse();
  const toeplitz = new Toeplitz(key);
  const all = rssInput.tcp4 | rssInput.udp4 | rssInput.tcp6 | rssInput.udp6;
  const inputs = [rssInput.ipv4 | rssInput.ipv6, all];
  return inputs.map((input) => toeplitz.hashPacket(frame.headers, input) >>> 0);
}

test("the published vectors' hashes come out, with and without ports, for TCP and UDP", () => {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const v of vectors4) assert.deepEqual(hashes(4, protocol, v), [v[4], v[5]]);
    for (const v of vectors6) assert.deepEqual(hashes(6, protocol, v), [v[4], v[5]]);
  }
});

test('plain bytes hash to the same values, and a new key gives others', () => {
  const [src, srcPort, dst, dstPort, , expected] = vectors4[0];
  const ports = [srcPort >>> 8, srcPort & 255, dstPort >>> 8, dstPort & 255];
  const input = Uint8Array.from([...four(src), ...four(dst), ...ports]);
  const toeplitz = new Toeplitz(key);
  assert.equal(toeplitz.hash(input), expected);
  toeplitz.setKey(Uint8Array.from(key).reverse());
  assert.notEqual(toeplitz.hash(input), expected);
  toeplitz.setKey(key);
  assert.equal(toeplitz.hash(input), expected);
});

test('fragments and switched-off inputs fall back to addresses, or to no hash', () => {
  const frame = new Frame();
  const [src, , dst, , addresses] = vectors4[0];
  const bytes = buildPacket({ src: four(src), dst: four(dst) });
  bytes[20] = 0x20;
  loadPieces(frame, bytes, 256);
  frame.parse();
  const toeplitz = new Toeplitz(key);
  assert.equal(toeplitz.hashPacket(frame.headers, rssInput.tcp4 | rssInput.ipv4) >>> 0, addresses);
  assert.equal(toeplitz.hashPacket(frame.headers, rssInput.tcp4), 0);
});
