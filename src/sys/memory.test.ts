import assert from 'node:assert/strict';
import { fstatSync, ftruncateSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { closeFd, F_SEAL_GROW, F_SEAL_SHRINK, sealsOf } from './fd.ts';
import { createSharedMemory, mapFile, mappedNow } from './memory.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Lets collected buffers be found: finalizers run from the event loop. */
async function collectUntil(done: () => boolean): Promise<void> {
  for (let i = 0; i < 50 && !done(); i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('two mappings of one file are one memory', () => {
  const memory = createSharedMemory('one', 8192);
  const [piece] = mapFile({ fd: memory.fd, offset: 4096, sizeBytes: 4096, writable: true }).pieces;
  memory.bytes[5000] = 77;
  assert.equal(piece?.bytes[5000 - 4096], 77);
  closeFd(memory.fd);
  (piece as { bytes: Uint8Array }).bytes[0] = 1;
  assert.equal(memory.bytes[4096], 1, 'the mapping outlives the descriptor');
});

test('shared memory cannot be resized by whoever gets its descriptor', () => {
  const { fd } = createSharedMemory('sealed', 4096);
  assert.equal(sealsOf(fd) & (F_SEAL_SHRINK | F_SEAL_GROW), F_SEAL_SHRINK | F_SEAL_GROW);
  assert.throws(() => ftruncateSync(fd, 0), { code: 'EPERM' });
  assert.equal(fstatSync(fd).size, 4096);
  closeFd(fd);
});

test('a mapping that would end after its file is refused', () => {
  const { fd } = createSharedMemory('short', 8192);
  const map = (offset: number, sizeBytes: number) =>
    mapFile({ fd, offset, sizeBytes, writable: true });
  assert.throws(() => map(0, 12288), { code: 'EINVAL' });
  assert.throws(() => map(4096, 8192), { code: 'EINVAL' });
  assert.throws(() => map(0, 0), { code: 'EINVAL' });
  assert.throws(() => map(-4096, 4096), { code: 'EINVAL' });
  assert.throws(() => map(100, 4096), { code: 'EINVAL' }, 'the offset is not a page');
  closeFd(fd);
});

test('a file that is open for reading only cannot be mapped writable', () => {
  const path = join(tmpdir(), `sys-memory-${process.pid}`);
  writeFileSync(path, new Uint8Array(4096).fill(7));
  const fd = openSync(path, 'r');
  assert.throws(() => mapFile({ fd, offset: 0, sizeBytes: 4096, writable: true }), {
    code: 'EACCES',
  });
  const [piece] = mapFile({ fd, offset: 0, sizeBytes: 4096, writable: false }).pieces;
  assert.equal(piece?.bytes[4095], 7);
  closeFd(fd);
  rmSync(path);
});

test('pieces of a mapping overlap, cover it, and are the same bytes', () => {
  const { fd } = createSharedMemory('pieces', 65536);
  const { pieces } = mapFile({
    fd,
    offset: 0,
    sizeBytes: 65536,
    writable: true,
    pieceBytes: 32768,
    overlapBytes: 4096,
  });
  assert.deepEqual(
    pieces.map(({ start, bytes }) => [start, bytes.length]),
    [
      [0, 32768],
      [28672, 32768],
      [57344, 8192],
    ],
  );
  const [first, second] = pieces;
  if (first === undefined || second === undefined) return;
  first.bytes[28672] = 9;
  assert.equal(second.bytes[0], 9);
  closeFd(fd);
});

test('a released mapping lets go of the file at once, and its views harm nobody', () => {
  const name = `released-${process.pid}`;
  const memory = createSharedMemory(name, 8192);
  const isMapped = () => readFileSync('/proc/self/maps', 'utf8').split(`memfd:${name}`).length - 1;
  memory.bytes.fill(7);
  const mapping = mapFile({ fd: memory.fd, offset: 0, sizeBytes: 8192, writable: false });
  const [piece] = mapping.pieces;
  assert.equal(isMapped(), 2);
  mapping.release();
  mapping.release();
  assert.equal(isMapped(), 1);
  assert.equal(piece?.bytes[100], 0);
  piece?.bytes.fill(9);
  assert.equal(memory.bytes[100], 7);
  closeFd(memory.fd);
});

test('memory is unmapped when its last view is collected, and not before', async () => {
  await collectUntil(() => mappedNow() === 0);
  const before = mappedNow();
  const name = `kept-${process.pid}`;
  const isMapped = () => readFileSync('/proc/self/maps', 'utf8').includes(`memfd:${name}`);
  let memory: ReturnType<typeof createSharedMemory> | null = createSharedMemory(name, 2 ** 20);
  closeFd(memory.fd);
  let words: Int32Array | null = new Int32Array(memory.bytes.buffer);
  memory = null;
  for (let i = 0; i < 5; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  words[1000] = 5;
  assert.equal(isMapped(), true, 'another view still holds it');
  words = null;
  await collectUntil(() => mappedNow() === before);
  assert.equal(mappedNow(), before);
  assert.equal(isMapped(), false);
});
