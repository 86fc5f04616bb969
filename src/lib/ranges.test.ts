import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from './prng.ts';
import { Ranges } from './ranges.ts';

test('ranges are taken from the start, aligned, until there is no room', () => {
  const ranges = new Ranges(10, 100);
  assert.equal(ranges.take(5, 16), 16);
  assert.equal(ranges.take(6), 10, 'what was left out for the alignment is free');
  assert.equal(ranges.take(80), -1);
  assert.equal(ranges.take(79), 21);
  assert.equal(ranges.take(1), -1);
  ranges.give(16, 5);
  assert.equal(ranges.take(5), 16);
});

test('an alignment may be that of another origin', () => {
  const ranges = new Ranges(0, 1000);
  assert.equal((ranges.take(10, 64, 7) + 7) % 64, 0);
});

test('whatever is taken and given back in whatever order, nothing overlaps and nothing is lost', () => {
  const random = new Prng(5);
  const ranges = new Ranges(0, 4096);
  const taken: { start: number; size: number }[] = [];
  const owner = new Uint8Array(4096);
  for (let i = 0; i < 2000; i++) {
    if (random.below(2) === 0) {
      const size = 1 + random.below(300);
      const start = ranges.take(size, 1 << random.below(6));
      if (start < 0) continue;
      assert.ok(owner.subarray(start, start + size).every((byte) => byte === 0));
      owner.fill(1, start, start + size);
      taken.push({ start, size });
    } else {
      const [one] = taken.splice(random.below(taken.length + 1), 1);
      if (one === undefined) continue;
      owner.fill(0, one.start, one.start + one.size);
      ranges.give(one.start, one.size);
    }
    assert.equal(ranges.freeBytes, owner.filter((byte) => byte === 0).length);
  }
  for (const { start, size } of taken) ranges.give(start, size);
  assert.equal(ranges.take(4096), 0, 'it is one range again');
});
