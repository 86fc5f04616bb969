import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { fold, internetChecksum, pseudoHeaderSum, sumBytes } from './checksum.ts';
import { naiveChecksum, naiveSum } from './testing-packets.ts';

test('the example of RFC 1071 section 3 sums to ddf2', () => {
  const example = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(sumBytes(example, 0, 8), 0xddf2);
  assert.equal(internetChecksum(example, 0, 8), 0x220d);
});

seeded('sums equal the naive ones for any length at any alignment of any view', (random) => {
  const buffer = new ArrayBuffer(70_000);
  const all = new Uint8Array(buffer);
  for (let i = 0; i < all.length; i++) all[i] = random.next();
  for (let n = 0; n < 1500; n++) {
    const view = new Uint8Array(buffer, random.below(9), 60_000 + random.below(9000));
    const start = random.below(500);
    const length = random.below(random.oneIn(50) ? 59_500 : 300);
    const expected = naiveSum(view.subarray(start, start + length));
    const what = `offset ${view.byteOffset}, ${length} bytes at ${start}`;
    assert.equal(sumBytes(view, start, length), expected, what);
  }
});

test('all ones and all zeroes keep their sums, up to the largest frame', () => {
  const ones = new Uint8Array(66_000).fill(255);
  assert.equal(sumBytes(ones, 0, 65_792), 0xffff);
  assert.equal(sumBytes(ones, 1, 65_791), naiveSum(ones.subarray(1, 65_792)));
  assert.equal(sumBytes(new Uint8Array(100), 0, 100), 0);
});

test('the pseudo-header sum takes addresses, protocol and a length of up to 32 bits', () => {
  const addresses = Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2);
  const sum = pseudoHeaderSum(addresses, 0, 4, 17, 0x1_2345);
  assert.equal(sum, naiveSum([10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 1, 0x23, 0x45]));
  assert.equal(naiveChecksum([0xff, 0xff]), 0);
  assert.equal(fold(0x1_fffe), 0xffff);
});
