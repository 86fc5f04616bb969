import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressHi, addressLo, DmaArena } from './dma-arena.ts';

test('allocations are aligned, zeroed, and reachable by their DMA addresses only', () => {
  const arena = new DmaArena(16384, 2 ** 40);
  const first = arena.alloc(10, 64);
  const second = arena.alloc(100, 4096);
  assert.equal(first, 2 ** 40);
  assert.equal(second, 2 ** 40 + 4096);
  assert.equal(addressHi(second), 256);
  assert.equal(addressLo(second), 4096);
  assert.ok(arena.memory.write(second, Uint8Array.of(7), 0, 1));
  assert.equal(arena.bytes[arena.offset(second)], 7);
  assert.equal(arena.memory.write(0, Uint8Array.of(7), 0, 1), false);
});

test('releasing to a mark makes room again, and the room is zeroed', () => {
  const arena = new DmaArena(8192);
  const mark = arena.mark();
  arena.bytes.fill(0xff);
  arena.alloc(8192);
  assert.throws(() => arena.alloc(1), RangeError);
  arena.bytes.fill(0xff);
  arena.release(mark);
  const again = arena.alloc(4096);
  assert.deepEqual([...arena.bytes.subarray(again, again + 3)], [0, 0, 0]);
});
