import assert from 'node:assert/strict';
import { ftruncateSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { instantiateFastpath } from '../fastpath/module.ts';
import { closeFd } from './fd.ts';
import { checked, memfd_create } from './libc.ts';
import { type LinearMapping, LinearMemory } from './linear-memory.ts';
import { createSharedMemory, mapFile } from './memory.ts';

const GiB = 2 ** 30;

/** A file in memory that costs nothing until it is touched. */
function sparse(sizeBytes: number): number {
  const fd = checked('memfd_create', memfd_create('sparse', 1));
  ftruncateSync(fd, sizeBytes);
  return fd;
}

function mapped(linear: LinearMemory, fd: number, sizeBytes: number, offset = 0): LinearMapping {
  const mapping = linear.map({ fd, offset, sizeBytes, writable: true });
  assert.ok(mapping !== null);
  return mapping;
}

test('4 GiB of linear memory cost addresses, not memory', () => {
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const before = rss();
  const linear = new LinearMemory();
  linear.int32(2 ** 22);
  assert.equal(linear.memory.buffer.byteLength, 4 * GiB);
  assert.ok(rss() - before < 8192, `${rss() - before} kB`);
});

test('tables are zeroed, aligned, apart from each other and what the module sees', () => {
  const linear = new LinearMemory();
  const wasm = instantiateFastpath(linear.memory);
  const words = linear.int32(3);
  const times = linear.float64(1);
  assert.equal(words.byteOffset % 64, 0);
  assert.equal(times.byteOffset, words.byteOffset + 64);
  words[2] = 5;
  times[0] = 1.5;
  assert.equal(wasm.load32(words.byteOffset + 8), 5);
  linear.free(words);
  const again = linear.int32(16);
  assert.equal(again.byteOffset, words.byteOffset);
  assert.deepEqual([...again], new Array(16).fill(0));
  assert.equal(times[0], 1.5);
  assert.throws(() => linear.int32(2 ** 27), RangeError);
});

test("what the module was compiled with lies before the tables' place", () => {
  const linear = new LinearMemory();
  const wasm = instantiateFastpath(linear.memory);
  assert.ok(wasm.dataEnd() <= linear.int32(1).byteOffset);
});

test('two mappings of one file are one memory, for JavaScript and for WebAssembly', () => {
  const linear = new LinearMemory();
  const wasm = instantiateFastpath(linear.memory);
  const { fd, bytes } = createSharedMemory('one', 65_536);
  const one = mapped(linear, fd, 65_536);
  const two = mapped(linear, fd, 8192, 4096);
  closeFd(fd);
  wasm.store32(one.linear + 4100, 77);
  assert.equal(wasm.load32(two.linear + 4), 77);
  assert.equal(bytes[4100], 77);
  two.bytes[8] = 9;
  assert.equal(wasm.load32(one.linear + 4104), 9);
  assert.deepEqual([one.linear % 4096, two.linear % 4096, two.bytes.length], [0, 0, 8192]);
  wasm.copy(one.linear + 60_000, one.linear + 4096, 12);
  assert.deepEqual([...bytes.subarray(60_004, 60_009)], [77, 0, 0, 0, 9]);
});

test('a released mapping reaches nobody, and its views read zeros', () => {
  const linear = new LinearMemory();
  const wasm = instantiateFastpath(linear.memory);
  const { fd, bytes } = createSharedMemory('released', 8192);
  bytes.fill(7);
  const mapping = mapped(linear, fd, 8192);
  const view = mapping.bytes;
  assert.equal(view[5000], 7);
  mapping.release();
  mapping.release();
  assert.equal(view[5000], 0);
  view.fill(9);
  wasm.store32(mapping.linear, 1);
  assert.equal(bytes[0], 7);
  assert.equal(bytes[5000], 7);
  closeFd(fd);
});

test('what is too large, misaligned, or not allowed is refused, and leaves no trace', () => {
  const linear = new LinearMemory();
  const { fd } = createSharedMemory('short', 8192);
  const map = (offset: number, sizeBytes: number) => () =>
    linear.map({ fd, offset, sizeBytes, writable: true });
  assert.throws(map(0, 12_288), { code: 'EINVAL' });
  assert.throws(map(4096, 8192), { code: 'EINVAL' });
  assert.throws(map(0, 0), { code: 'EINVAL' });
  assert.throws(map(-4096, 4096), { code: 'EINVAL' });
  assert.throws(map(100, 4096), { code: 'EINVAL' }, 'the offset is not a page');
  closeFd(fd);
  const path = join(tmpdir(), `linear-memory-${process.pid}`);
  writeFileSync(path, new Uint8Array(4096).fill(7));
  const file = openSync(path, 'r');
  const spec = { fd: file, offset: 0, sizeBytes: 4096 };
  assert.throws(() => linear.map({ ...spec, writable: true }), { code: 'EACCES' });
  const own = linear.pages(4096);
  own?.bytes.fill(1);
  const read = linear.map({ ...spec, writable: false });
  assert.equal(read?.writable, false);
  assert.equal(read?.bytes[4095], 7);
  assert.equal((read?.linear ?? 0) - (own?.linear ?? 0), 4096, 'the place was given back');
  closeFd(file);
  rmSync(path);
});

test('pieces of a large mapping overlap, and each says where it lies', () => {
  const linear = new LinearMemory();
  const fd = sparse(5 * 2 ** 20);
  const cut = { pieceBytes: 3 * 2 ** 20, overlapBytes: 2 ** 20 };
  const mapping = linear.map({ fd, offset: 0, sizeBytes: 5 * 2 ** 20, writable: true, ...cut });
  assert.ok(mapping !== null);
  assert.deepEqual(
    mapping.pieces.map(({ start, bytes, linear: at }) => [start, bytes.length, at - start]),
    [
      [0, 3 * 2 ** 20, mapping.linear],
      [2 ** 21, 3 * 2 ** 20, mapping.linear],
    ],
  );
  closeFd(fd);
});

test('without room there is null, and the mapper maps elsewhere', () => {
  const linear = new LinearMemory();
  const fd = sparse(GiB);
  const spec = { fd, offset: 0, sizeBytes: GiB, writable: true };
  const others = [sparse(GiB), sparse(GiB), sparse(GiB)];
  const taken = others.map((other) => mapped(linear, other, GiB));
  for (const other of others) closeFd(other);
  assert.ok(linear.map(spec) === null);
  assert.ok(linear.pages(GiB) === null);
  const elsewhere = linear.mapper(spec);
  assert.deepEqual(
    elsewhere.pieces.map((piece) => piece.linear),
    [-1],
  );
  elsewhere.release();
  assert.ok(taken.every((mapping) => mapping.linear >= 0));
  closeFd(fd);
});

test('a file that is mapped anew lies where it lay, whatever part of it', () => {
  const linear = new LinearMemory();
  const fd = sparse(GiB);
  const map = (offset: number, sizeBytes: number, writable = true): LinearMapping => {
    const mapping = linear.map({ fd, offset, sizeBytes, writable });
    assert.ok(mapping !== null);
    return mapping;
  };
  const home = map(0, GiB);
  home.bytes[0x10_0000] = 7;
  home.release();
  assert.equal(home.bytes[0x10_0000], 0);
  const low = map(0, 0xc_0000);
  const high = map(0x10_0000, GiB - 0x10_0000);
  assert.deepEqual([low.linear, high.linear], [home.linear, home.linear + 0x10_0000]);
  assert.equal(home.bytes[0x10_0000], 7, 'the same bytes');
  const across = map(0, 0x20_0000);
  assert.notEqual(across.linear, home.linear, 'what is mapped there is not mapped over');
  across.release();
  low.release();
  assert.equal(high.bytes[0], 7);
  const read = map(0, 0xc_0000, false);
  assert.notEqual(read.linear, home.linear, 'old views may be stored into');
  for (let i = 0; i < 100; i++) map(0, 0xc_0000).release();
  closeFd(fd);
});

test('functions of one guest share its place, and the last one to go empties it', () => {
  const linear = new LinearMemory();
  const path = join(tmpdir(), `linear-memory-shared-${process.pid}`);
  writeFileSync(path, new Uint8Array(0x10000).fill(7));
  const fd = openSync(path, 'r+');
  const readable = openSync(path, 'r');
  const whole = mapped(linear, fd, 0x10000);
  const middle = mapped(linear, fd, 0x4000, 0x4000);
  assert.equal(middle.linear, whole.linear + 0x4000);
  const stolen = { fd: readable, offset: 0x4000, sizeBytes: 0x4000, writable: true };
  assert.throws(
    () => linear.map(stolen),
    { code: 'EACCES' },
    'a descriptor gives its own rights only',
  );
  whole.release();
  const seen = [0, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xffff].map((at) => whole.bytes[at]);
  assert.deepEqual(seen, [0, 0, 7, 7, 0, 0]);
  middle.bytes[1] = 9;
  assert.equal(mapped(linear, fd, 0x4000, 0x4000).bytes[1], 9);
  middle.release();
  closeFd(fd);
  closeFd(readable);
  rmSync(path);
});

test('a place is used for another file when the views of it are gone, and not before', async () => {
  const linear = new LinearMemory({ collectEveryMs: 0 });
  const views: Uint8Array[] = [];
  /** Maps a new file, keeps a view of its second piece, and lets go. */
  const mapOnce = (): number => {
    const fd = sparse(2 * GiB);
    const mapping = linear.map({ fd, offset: 0, sizeBytes: 2 * GiB, writable: true });
    views.push(...(mapping?.pieces.slice(1).map(({ bytes }) => bytes) ?? []));
    mapping?.release();
    closeFd(fd);
    return mapping?.linear ?? -1;
  };
  const first = mapOnce();
  assert.ok(first > 0);
  await sleep(1);
  assert.equal(mapOnce(), -1, 'a view of it is around');
  views.splice(0);
  await sleep(1);
  assert.equal(mapOnce(), first);
});

test('collections on behalf of clients have a pause between them', async () => {
  const linear = new LinearMemory();
  const mapOnce = (): boolean => {
    const fd = sparse(2 * GiB);
    const mapping = linear.map({ fd, offset: 0, sizeBytes: 2 * GiB, writable: true });
    mapping?.release();
    closeFd(fd);
    return mapping !== null;
  };
  assert.equal(mapOnce(), true);
  await sleep(1);
  assert.equal(mapOnce(), true);
  await sleep(1);
  assert.equal(mapOnce(), false);
});

test('many small files take no more than a bounded number of places', async () => {
  const linear = new LinearMemory();
  const mapOnce = (): number => {
    const fd = sparse(4096);
    const mapping = linear.map({ fd, offset: 0, sizeBytes: 4096, writable: true });
    mapping?.release();
    closeFd(fd);
    return mapping?.linear ?? -1;
  };
  const first = mapOnce();
  for (let i = 1; i < 2048; i++) mapOnce();
  await sleep(1);
  assert.equal(mapOnce(), first);
});

test('mapFile says of its pieces that they are elsewhere', () => {
  const { fd } = createSharedMemory('elsewhere', 4096);
  const [piece] = mapFile({ fd, offset: 0, sizeBytes: 4096, writable: true }).pieces;
  assert.equal(piece?.linear, -1);
  closeFd(fd);
});
