// What becomes of memory that a client maps: in a linear memory, and as usual.
import assert from 'node:assert/strict';
import { ftruncateSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { closeFd } from '../sys/fd.ts';
import { LinearMemory } from '../sys/linear-memory.ts';
import { createSharedMemory, mapFile } from '../sys/memory.ts';
import type { Reply } from './testing-client.ts';
import { Harness } from './testing-harness.ts';

const wordsOf = (reply: Reply): number[] =>
  Array.from({ length: reply.payload.byteLength >>> 2 }, (_, i) =>
    reply.payload.getUint32(4 * i, true),
  );

const linear = new LinearMemory();

for (const [where, mapper] of [
  ['anywhere', mapFile],
  ['in linear memory', linear.mapper],
] as const) {
  test(`mapped memory keeps the permissions and the place in the file that the client gave: ${where}`, () => {
    const harness = new Harness({ mapper });
    const client = harness.connect();
    const { fd, bytes } = createSharedMemory('guest', 0x4000);
    bytes[0x2001] = 0x77;
    assert.equal(client.map(0x10000, 0x2000, { fds: [fd], flags: 1, offset: 0x2000 }).errno, 0);
    const { memory } = harness.endpoint;
    const into = new Uint8Array(1);
    assert.equal(memory.read(0x10001, 1, into, 0), true);
    assert.equal(into[0], 0x77);
    assert.equal(memory.write(0x10001, into, 0, 1), false);
    assert.equal(memory.range(0x10000, 16, 'both'), null);
    assert.equal(memory.read(0x11fff, 2, new Uint8Array(2), 0), false, 'past the end');
    closeFd(fd);
  });

  test(`an unmapped range is gone, its neighbours stay, and all can go at once: ${where}`, () => {
    const harness = new Harness({ mapper });
    const client = harness.connect();
    for (const iova of [0, 0x10000, 0x20000]) client.share(iova, 0x10000);
    const { memory } = harness.endpoint;
    const generation = memory.generation;
    assert.deepEqual(wordsOf(client.unmap(0x10000, 0x10000)), [24, 0, 0x10000, 0, 0x10000, 0]);
    assert.notEqual(memory.generation, generation);
    const found = () => [0, 0x10000, 0x20000].map((iova) => memory.locate(iova, 0x10000) !== null);
    assert.deepEqual(found(), [true, false, true]);
    assert.deepEqual(wordsOf(client.unmap(0, 0, 2)), [24, 2, 0, 0, 0, 0]);
    assert.deepEqual(found(), [false, false, false]);
  });

  test(`what still holds an unmapped range reaches nothing through it: ${where}`, () => {
    const harness = new Harness({ mapper });
    const client = harness.connect();
    const shared = client.share(0, 0x10000);
    const range = harness.endpoint.memory.range(0x100, 64, 'both');
    client.unmap(0, 0x10000);
    if (range) range.words[range.base] = 0x1234;
    assert.equal(shared.bytes[0x100], 0);
  });

  test(`a guest of several gibibytes is reached everywhere, across the seams as well: ${where}`, () => {
    const harness = new Harness({ mapper });
    const client = harness.connect();
    const size = 5 * 2 ** 30;
    const path = join(tmpdir(), `vfio-user-guest-${process.pid}`);
    const fd = openSync(path, 'w+');
    rmSync(path);
    ftruncateSync(fd, size);
    assert.equal(client.map(2 ** 32, size, { fds: [fd] }).errno, 0);
    closeFd(fd);
    const { memory } = harness.endpoint;
    for (const at of [0, 2 ** 30 - 8, 2 ** 30, 2 ** 31 - 4096, 3 * 2 ** 30 - 50_000, size - 16]) {
      const mark = Uint8Array.from({ length: 16 }, (_, i) => (at / 7 + i) % 251);
      assert.equal(memory.write(2 ** 32 + at, mark, 0, 16), true);
      const back = new Uint8Array(16);
      assert.equal(memory.read(2 ** 32 + at, 16, back, 0), true);
      assert.deepEqual(back, mark);
    }
    assert.equal(memory.locate(2 ** 32 + size - 8, 16), null);
  });

  test(`a window says where it lies in linear memory, or that it does not: ${where}`, () => {
    const harness = new Harness({ mapper });
    const client = harness.connect();
    const { bytes } = client.share(0x4_0000, 0x10000);
    bytes[0x123] = 77;
    const { linear: at } = harness.endpoint.memory.locate(0x4_0000, 1) ?? { linear: 0 };
    const isLinear = mapper !== mapFile;
    assert.equal(at >= 0, isLinear);
    if (isLinear) assert.equal(new Uint8Array(linear.memory.buffer, at)[0x123], 77);
    client.unmap(0x4_0000, 0x10000);
    if (isLinear) assert.equal(new Uint8Array(linear.memory.buffer, at)[0x123], 0);
  });
}
