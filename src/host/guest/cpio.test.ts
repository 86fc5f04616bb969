import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CpioEntry, writeCpio } from './cpio.ts';

/** Reads an archive back: path, mode, content. */
function readCpio(archive: Buffer): { path: string; mode: number; content: string }[] {
  const entries = [];
  for (let at = 0; ; ) {
    assert.equal(archive.toString('latin1', at, at + 6), '070701');
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const path = archive.toString('latin1', at + 110, at + 110 + nameSize - 1);
    const start = (at + 110 + nameSize + 3) & ~3;
    if (path === 'TRAILER!!!') {
      assert.equal(start + size, archive.length);
      return entries;
    }
    entries.push({ path, mode, content: archive.toString('latin1', start, start + size) });
    at = (start + size + 3) & ~3;
  }
}

const entries: CpioEntry[] = [
  { kind: 'file', path: 'usr/bin/a', content: Buffer.from('abcde'), executable: true },
  { kind: 'link', path: 'bin', target: 'usr/bin' },
  { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
  { kind: 'file', path: 'usr/bin/a', content: Buffer.from('second'), executable: false },
];

test('an archive holds what was put in, parents first, the first of a name winning', () => {
  assert.deepEqual(readCpio(writeCpio(entries)), [
    { path: 'usr', mode: 0o040755, content: '' },
    { path: 'usr/bin', mode: 0o040755, content: '' },
    { path: 'usr/bin/a', mode: 0o100755, content: 'abcde' },
    { path: 'bin', mode: 0o120777, content: 'usr/bin' },
    { path: 'dev', mode: 0o040755, content: '' },
    { path: 'dev/console', mode: 0o020600, content: '' },
  ]);
});

test('the same entries give the same bytes', () => {
  assert.deepEqual(writeCpio(entries), writeCpio(entries));
});
