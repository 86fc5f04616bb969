import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeCpio } from '../guest/cpio.ts';
import { CpioReader } from './cpio-reader.ts';

const file = (path: string, size = 10) =>
  ({ kind: 'file', path, content: Buffer.alloc(size, 1), executable: false }) as const;

function read(pieces: readonly Buffer[]): { names: string[]; reader: CpioReader } {
  const names: string[] = [];
  const reader = new CpioReader((name) => names.push(name));
  for (const piece of pieces) if (!reader.push(piece)) break;
  return { names, reader };
}

test('names come out of archives behind each other, whatever the pieces', () => {
  const data = Buffer.concat([
    writeCpio([file('a/b', 5000)]),
    Buffer.alloc(512),
    writeCpio([file('c')]),
  ]);
  for (const size of [1, 7, 110, 4096, data.length]) {
    const pieces = Array.from({ length: Math.ceil(data.length / size) }, (_, i) =>
      data.subarray(i * size, (i + 1) * size),
    );
    const { names, reader } = read(pieces);
    assert.deepEqual(names, ['a', 'a/b', 'c']);
    assert.ok(reader.complete);
  }
});

test('an archive that is cut off is not complete', () => {
  const data = writeCpio([file('a', 1000)]);
  assert.equal(read([data.subarray(0, 600)]).reader.complete, false);
});

test('what is no archive is refused where it begins', () => {
  const first = writeCpio([file('a')]);
  const { names, reader } = read([Buffer.concat([first, Buffer.alloc(200, 0x28)])]);
  assert.deepEqual(names, ['a']);
  assert.equal(reader.used, first.length);
  assert.match(reader.problem ?? '', /no archive/);
});

test('lengths that make no sense are refused', () => {
  const data = writeCpio([file('a')]);
  data.write('ffffffff', 94); // c_namesize
  assert.match(read([data]).reader.problem ?? '', /bad header/);
});
