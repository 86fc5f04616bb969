import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { Frame } from './frame.ts';
import { FrameQueue } from './frame-queue.ts';
import { frameBytes, loadPieces } from './testing-packets.ts';

seeded('frames come out as they went in, in order, through thousands of wraps', (random) => {
  const queue = new FrameQueue(80_000);
  const frame = new Frame();
  const expected: { bytes: Uint8Array; tag: number; sums: number }[] = [];
  let refused = 0;
  for (let n = 0; n < 4000; n++) {
    if (random.oneIn(2)) {
      const bytes = new Uint8Array(14 + random.below(9000)).fill(n);
      loadPieces(frame, bytes, random.below(257), [random.below(3000)]);
      frame.l4Sum = random.below(3);
      const tag = random.below(100) - 1;
      if (queue.push(frame, tag)) expected.push({ bytes, tag, sums: frame.l4Sum });
      else refused++;
    } else if (queue.peek(frame)) {
      const oldest = expected.shift();
      assert.deepEqual(frameBytes(frame), oldest?.bytes, `step ${n}`);
      assert.deepEqual([queue.tag, frame.l4Sum], [oldest?.tag, oldest?.sums]);
      queue.pop();
    }
    assert.equal(queue.count, expected.length);
  }
  assert.ok(refused > 0, 'the bound was met');
});

test('a queue of any capacity takes one largest frame, and is empty after clear', () => {
  const queue = new FrameQueue(0);
  const frame = new Frame();
  frame.load(new Uint8Array(65_000), 0, 65_000);
  assert.ok(queue.push(frame, 0));
  assert.ok(!queue.push(frame, 0));
  queue.clear();
  assert.ok(!queue.peek(frame));
  frame.load(new Uint8Array(65_000), 0, 65_000);
  assert.ok(queue.push(frame, 0));
});
