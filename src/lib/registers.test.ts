import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegisterBank, reg, regArray, registerMap } from './registers.ts';

const map = registerMap('sample', 0x100, {
  VERSION: reg(0x0, 'ro', 'version', { reset: 0x1234 }),
  CONTROL: reg(0x4, 'rw', 'control'),
  DOORBELL: reg(0x8, 'wo', 'doorbell'),
  CAUSE: reg(0xc, 'rw1c', 'cause'),
  COUNT: reg(0x10, 'rc', 'count'),
  LENGTH: reg(0x14, 'rw', 'length', { writable: 0xfff80 }),
  TIMER: reg(0x18, 'ro', 'timer'),
  TAIL: regArray(0x40, 4, 0x10, 'rw', 'tail'),
});

test('each access mode does what its name says', () => {
  const bank = new RegisterBank(map);
  bank.write32(0x0, 0xffff);
  assert.equal(bank.read32(0x0), 0x1234);
  bank.write32(0x4, 0xffff_ffff);
  assert.equal(bank.read32(0x4), 0xffff_ffff);
  bank.write32(0x8, 7);
  assert.equal(bank.read32(0x8), 0);
  assert.equal(bank.get('DOORBELL'), 7);
  bank.set('CAUSE', 0b111);
  bank.write32(0xc, 0b010);
  assert.equal(bank.read32(0xc), 0b101);
  bank.set('COUNT', 9);
  assert.equal(bank.read32(0x10), 9);
  assert.equal(bank.read32(0x10), 0);
});

test('bits that cannot be written keep their value, and a source is asked at each read', () => {
  let time = 1;
  const bank = new RegisterBank(map, {}, { TIMER: () => time++ });
  bank.write32(0x14, 0xffff_ffff);
  assert.equal(bank.read32(0x14), 0xfff80);
  assert.equal(bank.read32(0x18), 1);
  assert.equal(bank.read32(0x18), 2);
});

test('a hook is told what was written, what stood there before, and which copy', () => {
  const calls: number[][] = [];
  const bank = new RegisterBank(map, { TAIL: (...call) => calls.push(call) });
  bank.write32(0x60, 5);
  bank.write32(0x60, 6);
  assert.deepEqual(calls, [
    [5, 0, 2],
    [6, 5, 2],
  ]);
  assert.equal(bank.nameAt(0x60), 'TAIL[2]');
});

test('an offset the map does not name reads zero, ignores writes and is counted', () => {
  const bank = new RegisterBank(map);
  bank.write32(0x44, 1);
  bank.write32(0xffff_fffc, 1);
  assert.equal(bank.read32(0x44), 0);
  assert.equal(bank.unknownAccesses, 3);
});

test('reset restores every declared value', () => {
  const bank = new RegisterBank(map);
  bank.write32(0x4, 1);
  bank.write32(0x70, 1);
  bank.reset();
  assert.deepEqual([bank.read32(0x0), bank.read32(0x4), bank.read32(0x70)], [0x1234, 0, 0]);
});

test('overlapping or stray registers are refused when they are declared', () => {
  assert.throws(() => registerMap('bad', 8, { A: reg(0, 'rw', ''), B: reg(0, 'rw', '') }), /A/);
  assert.throws(() => registerMap('bad', 8, { A: reg(8, 'rw', '') }), /outside/);
  assert.throws(() => registerMap('bad', 8, { A: reg(2, 'rw', '') }), /outside/);
});
