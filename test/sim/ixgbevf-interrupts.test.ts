/** Causes, masks, throttles and vectors: 82599 datasheet, section 7.3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EITR, IVAR } from '../../src/defs/ixgbevf-regs.ts';
import { SimLab } from './ena-lab.ts';
import { VfGuest, vfPair } from './ixgbevf-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

test('a message clears its cause and masks its vector, as the driver asked for', () => {
  const [, a, b] = vfPair();
  const { registers } = b.driver;
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  a.send(frame);
  assert.deepEqual(b.interrupts, [1, 0, 0]);
  assert.equal(registers.read('VFEIMS'), 6);
  a.send(frame);
  assert.deepEqual(b.interrupts, [1, 0, 0], 'masked');
  registers.write('VFEIMS', 1);
  assert.deepEqual(b.interrupts, [2, 0, 0], 'what came meanwhile is told now');
  registers.write('VFEIAM', 0);
  registers.write('VFEIMS', 1);
  a.send(frame);
  a.send(frame);
  assert.deepEqual(b.interrupts, [4, 0, 0], 'unmasked, each burst is a message');
  assert.equal(a.interrupts[0], 1, 'the sender is told of what was sent');
});

test('causes stay without auto-clear, are written away, and vanish when they are read', () => {
  const guest = new VfGuest(new SimLab(), 1);
  const { registers } = guest.driver;
  registers.write('VFEICS', 7);
  registers.write('VFEICR', 1);
  assert.equal(registers.read('VFEICR'), 6);
  assert.equal(registers.read('VFEICR'), 0);
  registers.write('VFEICS', 2);
  registers.write('VFEIMS', 2);
  assert.deepEqual(guest.interrupts, [0, 1, 0]);
  registers.write('VFEIMC', 2);
  registers.write('VFEICS', 2);
  assert.deepEqual(guest.interrupts, [0, 1, 0]);
  assert.equal(registers.read('VFEICR'), 2);
  assert.equal(registers.read('VFEIMS'), 0);
});

test('queues and the mailbox have the vectors that VFIVAR gives them, or none', () => {
  const [, a, b] = vfPair();
  const { registers } = b.driver;
  const everything = {
    from: a.mac,
    to: b.mac,
    ip: 4,
    l4: 'tcp',
    payload: new Uint8Array(9),
  } as const;
  for (let port = 1; port < 20; port++) a.send(packet({ ...everything, sourcePort: port }));
  assert.deepEqual(b.interrupts, [1, 1, 0]);
  b.driver.setVlan(7, true);
  assert.deepEqual(b.interrupts, [1, 1, 1], 'the mailbox');
  registers.write('VFIVAR', 0);
  registers.write('VFIVAR_MISC', 0);
  registers.write('VFEIMS', 7);
  const before = [...b.interrupts];
  for (let port = 1; port < 20; port++) a.send(packet({ ...everything, sourcePort: port }));
  b.driver.setVlan(8, true);
  assert.deepEqual(b.interrupts, before);
  registers.write('VFIVAR', 0xffff_ffff);
  assert.equal(registers.read('VFIVAR'), 0x8181_8181);
  registers.write('VFIVAR_MISC', IVAR.VALID | 1);
  registers.write('VFEIMS', 7);
  b.driver.setVlan(9, true);
  assert.equal(b.interrupts[1], (before[1] ?? 0) + 1);
});

test('a throttled vector has so much time between two messages, the first at once', () => {
  const [lab, a, b] = vfPair();
  const { registers } = b.driver;
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  registers.write('VFEIAM', 0);
  registers.write('VFEITR', 50 << EITR.INTERVAL, 0);
  for (let i = 0; i < 100; i++) {
    a.send(frame);
    lab.clock.advance(10_000);
    b.receive();
  }
  assert.equal(b.interrupts[0], 11, 'at 0, 100, .. 1000 us');
  lab.clock.advance(1e6);
  const before = b.interrupts[0] ?? 0;
  a.send(frame);
  assert.equal(b.interrupts[0], before + 1, 'after a pause the first is not held up');
  a.send(frame);
  registers.write('VFEITR', 0, 0);
  a.send(frame);
  assert.equal(b.interrupts[0], before + 2, 'no interval, no waiting');
});

test('CNT_WDIS leaves the count alone; without it the driver sets what is left', () => {
  const [lab, a, b] = vfPair();
  const { registers } = b.driver;
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  registers.write('VFEIAM', 0);
  registers.write('VFEITR', (100 << EITR.INTERVAL) + EITR.CNT_WDIS, 0);
  assert.equal(registers.read('VFEITR', 0), 100 << EITR.INTERVAL);
  a.send(frame);
  registers.write('VFEITR', (100 << EITR.INTERVAL) + EITR.CNT_WDIS, 0);
  a.send(frame);
  assert.equal(b.interrupts[0], 1);
  lab.clock.advance(200_000);
  assert.equal(b.interrupts[0], 2);
  registers.write('VFEITR', (100 << EITR.INTERVAL) | (5 << EITR.COUNTER), 0);
  a.send(frame);
  lab.clock.advance(9_000);
  assert.equal(b.interrupts[0], 2);
  lab.clock.advance(2_000);
  assert.equal(b.interrupts[0], 3, 'after 10 us');
});

test('a reset takes pending messages with it', () => {
  const [lab, a, b] = vfPair();
  b.driver.registers.write('VFEITR', 400 << EITR.INTERVAL, 0);
  b.driver.registers.write('VFEIAM', 0);
  for (let i = 0; i < 3; i++) a.send(plainFrame(a.mac, b.mac, 100, i));
  assert.equal(b.interrupts[0], 1);
  b.driver.stop();
  lab.clock.advance(1e9);
  assert.equal(b.interrupts[0], 1);
  assert.equal(b.driver.registers.read('VFEITR', 0), 0);
});
