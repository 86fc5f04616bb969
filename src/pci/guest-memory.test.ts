import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../lib/prng.ts';
import { GuestMemory, maxDmaAddress, type RemoteDma } from './guest-memory.ts';

const mapped = (iova: number, memory: Uint8Array, access = 'rw') => ({
  iova,
  memory,
  readable: access.includes('r'),
  writable: access.includes('w'),
});

/** The peer's memory, as a peer of its own would serve it. */
function remote(iova: number, bytes: Uint8Array) {
  const dma: RemoteDma = {
    read: (at, into) => {
      into.set(bytes.subarray(at - iova, at - iova + into.length));
      return true;
    },
    write: (at, from) => {
      bytes.set(from, at - iova);
      return true;
    },
  };
  return { iova, memory: { sizeBytes: bytes.length, remote: dma }, readable: true, writable: true };
}

test('windows are found in any order of their addresses, and nothing between them', () => {
  const memory = new GuestMemory();
  for (const iova of [0x5000, 0x1000, 0x9000, 0x3000])
    memory.add(mapped(iova, new Uint8Array(0x1000)));
  const random = new Prng(1);
  for (let i = 0; i < 2000; i++) {
    const iova = random.below(0xb000);
    const length = random.below(0x1100);
    const start = iova - (iova % 0x1000);
    const exists = [0x1000, 0x3000, 0x5000, 0x9000].includes(start);
    const window = memory.locate(iova, length);
    if (length === 0) continue;
    assert.equal(window !== null, exists && iova + length <= start + 0x1000);
    if (window !== null) assert.equal(window.iova, start);
  }
});

test('a range in the overlap of two windows is found in the one that reaches further', () => {
  const bytes = new Uint8Array(0x3000);
  const memory = new GuestMemory();
  memory.add(mapped(0, bytes.subarray(0, 0x2000)));
  memory.add(mapped(0x1000, bytes.subarray(0x1000)));
  assert.notEqual(memory.locate(0x1800, 0x1000), null);
  assert.notEqual(memory.locate(0x1800, 0x1800), null);
  assert.notEqual(memory.locate(0x800, 0x1800), null);
  assert.equal(memory.locate(0x800, 0x1801), null);
});

test('copies of every length arrive whole', () => {
  const bytes = new Uint8Array(4096);
  const memory = GuestMemory.over(bytes, 0x10000);
  for (const length of [1, 63, 64, 65, 1500]) {
    const data = Uint8Array.from({ length: length + 3 }, (_, i) => i + length);
    assert.equal(memory.write(0x10100, data, 3, length), true);
    assert.deepEqual(bytes.subarray(0x100, 0x100 + length), data.subarray(3));
    const back = new Uint8Array(length + 5);
    assert.equal(memory.read(0x10100, length, back, 5), true);
    assert.deepEqual(back.subarray(5), data.subarray(3));
  }
});

test('a window is used only as it permits', () => {
  const memory = new GuestMemory();
  memory.add(mapped(0, new Uint8Array(64), 'r'));
  memory.add(mapped(64, new Uint8Array(64), 'w'));
  const some = new Uint8Array(4);
  assert.deepEqual([memory.read(0, 4, some, 0), memory.write(0, some, 0, 4)], [true, false]);
  assert.deepEqual([memory.read(64, 4, some, 0), memory.write(64, some, 0, 4)], [false, true]);
  const [first, second] = [memory.locate(0, 4), memory.locate(64, 4)];
  assert.ok(first?.toRead instanceof Uint8Array);
  assert.equal(first.toWrite, null);
  assert.equal(second?.toRead, null);
  assert.ok(second.toWrite instanceof Uint8Array);
  const uses = ['read', 'write', 'both'] as const;
  assert.deepEqual(
    [0, 64].map((iova) => uses.map((use) => memory.range(iova, 4, use) !== null)),
    [
      [true, false, false],
      [false, true, false],
    ],
  );
});

test('removing takes whole windows and changes the generation, adding does not', () => {
  const memory = new GuestMemory();
  memory.add(mapped(0, new Uint8Array(4096)));
  memory.add(mapped(4096, new Uint8Array(4096)));
  assert.equal(memory.generation, 0);
  assert.equal(memory.remove(0, 100), 0);
  assert.equal(memory.generation, 0);
  assert.equal(memory.remove(0, 4096), 1);
  assert.equal(memory.generation, 1);
  assert.deepEqual([memory.locate(0, 1), memory.locate(4096, 1)?.iova], [null, 4096]);
  memory.clear();
  assert.equal(memory.locate(4096, 1), null);
});

test('a remote window is reached by copies only', () => {
  const bytes = new Uint8Array(256);
  const memory = new GuestMemory();
  memory.add(remote(0x1000, bytes));
  const window = memory.locate(0x1000, 256);
  assert.deepEqual([window?.toRead, window?.toWrite], [null, null]);
  assert.equal(memory.write(0x1010, Uint8Array.of(1, 2, 3), 1, 2), true);
  assert.deepEqual([...bytes.subarray(0x10, 0x12)], [2, 3]);
  const range = memory.range(0x1010, 8, 'both');
  range?.pull(0, 1);
  assert.equal(range?.words[0], 0x0302);
});

test('windows that cannot be are refused', () => {
  const memory = new GuestMemory();
  const bad = [
    mapped(0, new Uint8Array(0)),
    mapped(2, new Uint8Array(8)),
    mapped(-4, new Uint8Array(8)),
  ];
  for (const spec of bad) assert.throws(() => memory.add(spec), RangeError);
  assert.throws(() => memory.add(mapped(maxDmaAddress - 4, new Uint8Array(8))), RangeError);
  const huge = { ...remote(0, new Uint8Array(8)) };
  const tooLarge = { ...huge, memory: { ...huge.memory, sizeBytes: 2 ** 32 } };
  assert.throws(() => memory.add(tooLarge), RangeError);
});

test('ranges that are not whole words are refused', () => {
  const memory = GuestMemory.over(new Uint8Array(64));
  assert.equal(memory.range(2, 8, 'read'), null);
  assert.equal(memory.range(0, 6, 'read'), null);
  assert.equal(memory.range(0, 0, 'read'), null);
  assert.equal(memory.range(60, 8, 'read'), null);
});

test('whoever copies the list of windows sees that it is another one', () => {
  const memory = GuestMemory.over(new Uint8Array(64));
  const before = memory.layout;
  memory.add({ ...mapped(0x1000, new Uint8Array(64)), linear: 0x8000 });
  assert.notEqual(memory.layout, before);
  assert.deepEqual(
    memory.windows.map(({ linear }) => linear),
    [-1, 0x8000],
  );
  assert.equal(memory.range(0x1010, 8, 'read')?.linearAt, 0x8010 / 4);
  assert.equal(memory.range(0x10, 8, 'read')?.linearAt, -1);
  const added = memory.layout;
  memory.remove(0x1000, 64);
  assert.notEqual(memory.layout, added);
});
