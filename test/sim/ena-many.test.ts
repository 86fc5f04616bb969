import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

test('64 functions on one switch; one that fails or is reset disturbs no other', () => {
  const lab = new SimLab();
  const small = { queuePairs: 1, txDepth: 32, rxDepth: 32 };
  const guests = Array.from({ length: 64 }, () => lab.add({ memoryBytes: 1 << 20, driver: small }));
  for (const guest of guests) guest.driver.start();
  const ring = (skip: number): void => {
    for (const [i, from] of guests.entries()) {
      const to = guests[(i + 1) % 64];
      if (to === undefined || i === skip || (i + 1) % 64 === skip) continue;
      const frame = plainFrame(from.mac, to.mac, 100, i);
      assert.ok(from.send(frame));
      assert.deepEqual(to.receive(), [frame], `${i} to the next`);
    }
  };
  ring(-1);
  const bad = guests[7];
  assert.ok(bad);
  bad.device.write(0, bad.driver.tx[0]?.doorbellOffset ?? 0, 4, 0x7fff);
  assert.match(bad.refusals.at(-1) ?? '', /^ena\/doorbell-range/);
  ring(7);
  lab.clock.advance(nsPerSecond);
  bad.driver.start();
  ring(-1);
  bad.device.reset('function');
  ring(7);
  for (const guest of guests) if (guest !== bad) assert.deepEqual(guest.refusals, []);
});

test('in the accelerated mode a doorbell adds a bounded burst, and no meta descriptor is kept', () => {
  const lab = new SimLab();
  const driver = { queuePairs: 1, placement: 'device', txDepth: 256 } as const;
  const [a, b] = [lab.add({ driver }), lab.add({ driver })];
  for (const guest of [a, b]) guest.driver.start();
  for (let i = 0; i < 200; i++) {
    const frame = plainFrame(a.mac, b.mac, 300, i);
    assert.ok(a.send(frame));
    assert.deepEqual(b.receive(), [frame]);
    a.driver.poll();
  }
  assert.deepEqual(a.refusals, []);
  const tail = 200;
  a.device.write(0, a.driver.tx[0]?.doorbellOffset ?? 0, 4, tail + 200);
  assert.match(a.refusals.at(-1) ?? '', /^ena\/tx-burst/);
});
