import assert from 'node:assert/strict';
import { seeded } from '../lib/testing-seed.ts';
import { copyBytes } from './copy.ts';
import { Frame } from './frame.ts';
import { frameBytes, loadPieces } from './testing-packets.ts';

seeded('copies are exact at any alignment and length, between many memories', (random) => {
  const memories = Array.from({ length: 7 }, (_, i) => {
    const bytes = new Uint8Array(new ArrayBuffer(4096), i, 3000);
    for (let j = 0; j < bytes.length; j++) bytes[j] = random.next();
    return bytes;
  });
  for (let n = 0; n < 2000; n++) {
    const from = random.pick(memories);
    const to = random.pick(memories.filter((memory) => memory !== from));
    const length = random.below(300);
    const start = random.below(2000);
    const at = random.below(2000);
    const expected = to.slice();
    expected.set(from.subarray(start, start + length), at);
    copyBytes(from, start, to, at, length);
    assert.deepEqual(to, expected, `copy ${n}`);
  }
});

seeded('any part of a frame can be copied, wherever its pieces begin', (random) => {
  const bytes = Uint8Array.from({ length: 2000 }, () => random.next());
  const frame = new Frame();
  for (let n = 0; n < 500; n++) {
    const pieces = Array.from({ length: random.below(30) }, () => random.below(200));
    loadPieces(frame, bytes.subarray(0, random.below(2000)), random.below(257), pieces);
    const from = random.below(frame.length + 1);
    const length = random.below(frame.length - from + 1);
    const into = new Uint8Array(length + 7);
    frame.copyPart(from, length, into, 3);
    assert.deepEqual(into.subarray(3, 3 + length), bytes.subarray(from, from + length));
    assert.deepEqual([...into.subarray(0, 3), ...into.subarray(3 + length)], Array(7).fill(0));
    assert.equal(frameBytes(frame).length, frame.length);
  }
});
