import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bits, describe, layout, u16, u32 } from './layout.ts';

const format = layout(
  'sample',
  12,
  {
    length: bits(0, 15, 0, 'length'),
    phase: bits(0, 24, 24, 'phase'),
    top: bits(0, 31, 31, 'top bit'),
    address: u32(4, 'address'),
    high: u16(8, 'high'),
  },
  { publishes: 'phase' },
);

test('every field reads back what was written and leaves its neighbours alone', () => {
  const record = format.create();
  for (const field of ['length', 'phase', 'top', 'address', 'high'] as const) {
    record.clear();
    record[field] = 0xffff_ffff;
    for (const other of ['length', 'phase', 'top', 'address', 'high'] as const) {
      const { msb, lsb } = format.fields[other];
      assert.equal(
        record[other],
        other === field ? 2 ** (msb - lsb + 1) - 1 : 0,
        `${field}/${other}`,
      );
    }
  }
});

test('load takes a copy that later writes to the memory do not change', () => {
  const memory = new Int32Array(8);
  memory[2] = 0x8100_0040 | 0;
  memory[3] = -1;
  const record = format.create();
  record.load(memory, 2);
  memory.fill(0);
  assert.deepEqual(describe(format, record), {
    length: 0x40,
    phase: 1,
    top: 1,
    address: 0xffff_ffff,
    high: 0,
  });
  record.store(memory, 5);
  assert.deepEqual([...memory.subarray(4)], [0, 0x8100_0040 | 0, -1, 0]);
});

test('a declaration with an overlap, a stray word or a bad range is refused', () => {
  const declare = (fields: Parameters<typeof layout>[2]) => () => layout('bad', 4, fields);
  assert.throws(declare({ a: bits(0, 7, 0, ''), b: bits(0, 8, 7, '') }), /overlaps/);
  assert.throws(declare({ a: bits(1, 7, 0, '') }), /no word 1/);
  assert.throws(declare({ a: bits(0, 3, 4, '') }), /bad 3:4/);
  assert.throws(() => layout('bad', 6, {}), /whole words/);
});

test('one copy can be read in two formats', () => {
  const other = layout('other', 12, { low: bits(0, 7, 0, 'low'), address_high: u16(6, 'high') });
  const record = format.create();
  record.length = 0x1234;
  record.address = 0xabcd_0000;
  const view = other.create();
  view.view(record);
  assert.deepEqual([view.low, view.address_high], [0x34, 0xabcd]);
});
