import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MsixTable, pbaBytes, tableBytes } from './msix.ts';

const layout = { vectors: 65, tableBar: 1, tableOffset: 0x100, pbaBar: 1, pbaOffset: 0x800 };

test('every vector starts masked and takes what software writes', () => {
  const table = new MsixTable(layout);
  assert.equal(table.isMasked(64), true);
  table.write(1, 0x100 + 64 * 16 + 12, 4, 0);
  table.write(1, 0x100 + 64 * 16, 4, 0xfee0_0000);
  assert.equal(table.isMasked(64), false);
  assert.equal(table.isMasked(63), true);
  assert.equal(table.read(1, 0x100 + 64 * 16, 4), 0xfee0_0000);
  assert.equal(table.read(1, 0x100 + 64 * 16 + 2, 2), 0xfee0);
  table.reset();
  assert.equal(table.isMasked(64), true);
});

test('software cannot write the pending bits', () => {
  const table = new MsixTable(layout);
  table.setPending(33, true);
  table.write(1, 0x804, 4, 0);
  assert.equal(table.read(1, 0x804, 4), 2);
  table.setPending(33, false);
  assert.equal(table.read(1, 0x804, 1), 0);
});

test('only the table and the pending bits are covered', () => {
  const table = new MsixTable(layout);
  assert.equal(tableBytes(65), 1040);
  assert.equal(pbaBytes(65), 16);
  const cases: [number, number, boolean][] = [
    [1, 0xff, false],
    [1, 0x100, true],
    [1, 0x100 + 1039, true],
    [1, 0x100 + 1040, false],
    [1, 0x80f, true],
    [1, 0x810, false],
    [0, 0x100, false],
  ];
  for (const [bar, offset, want] of cases) assert.equal(table.covers(bar, offset), want);
});
