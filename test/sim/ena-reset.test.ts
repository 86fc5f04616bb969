import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acqEntry, createCqCmd, featureCmd, OPCODE, STATUS } from '../../src/defs/ena-admin.ts';
import { DEV_STS, resetReasons } from '../../src/defs/ena-regs.ts';
import { EnaAdminError } from '../../src/drivers/ena/commands.ts';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

function mustCarry(from: SimGuest, to: SimGuest, seed: number): void {
  const frame = plainFrame(from.mac, to.mac, 60 + (seed % 1000), seed);
  assert.ok(from.send(frame));
  from.driver.poll();
  assert.deepEqual(to.receive(), [frame]);
}

test('a function is reset for every reason, under traffic, and carries frames again', () => {
  const [lab, a, b] = pair({ driver: { rxDepth: 32, txDepth: 32 } });
  for (const [i, reason] of resetReasons.entries()) {
    for (let n = 0; n < 40; n++) a.send(plainFrame(a.mac, b.mac, 500, n));
    b.driver.start(reason);
    assert.deepEqual(b.receive(), [], `${reason}: frames of before the reset`);
    a.driver.poll();
    mustCarry(a, b, i);
    mustCarry(b, a, i);
    lab.clock.advance(nsPerSecond);
    for (const guest of [a, b]) guest.driver.poll();
    assert.equal(b.driver.events.linkUp, true);
  }
  assert.deepEqual([a.refusals, b.refusals], [[], []]);
});

test('a hundred resets leak nothing: as many events, queues and buffers as after the first', () => {
  const [lab, a, b] = pair();
  const taken = b.arena.mark();
  for (let i = 0; i < 100; i++) {
    b.driver.start('OS_TRIGGER');
    mustCarry(a, b, i);
  }
  assert.equal(b.arena.mark(), taken);
  const { keepAlives } = b.driver.events;
  lab.clock.advance(nsPerSecond);
  b.driver.poll();
  assert.equal(b.driver.events.keepAlives, keepAlives + 1, 'one timer, not a hundred');
});

test('queues are destroyed and made again without a reset', () => {
  const [, a, b] = pair({ memoryBytes: 32 << 20, driver: { queuePairs: 3 } });
  for (let i = 0; i < 20; i++) {
    b.driver.queues.destroy();
    a.send(plainFrame(a.mac, b.mac, 60, i));
    b.driver.queues.create();
    b.driver.rss.spread(b.driver.rx.map((queue) => queue.sqIndex));
    b.driver.queues.postBuffers();
    assert.deepEqual(b.receive(), []);
    a.driver.poll();
    mustCarry(a, b, i);
  }
  assert.deepEqual(b.refusals, []);
});

test('a reset by the transport leaves a function that a driver can bring up', () => {
  const [, a, b] = pair();
  b.device.reset('detach');
  assert.equal(a.send(plainFrame(a.mac, b.mac, 60, 1)), true);
  b.driver.start();
  mustCarry(a, b, 2);
  mustCarry(b, a, 3);
});

test('nothing reaches a function that has been stopped, and nothing of it moves', () => {
  const [lab, a, b] = pair();
  b.driver.stop();
  const before = b.arena.bytes.slice();
  for (let i = 0; i < 50; i++) a.send(plainFrame(a.mac, b.mac, 60, i));
  lab.clock.advance(10 * nsPerSecond);
  assert.ok(Buffer.compare(before, b.arena.bytes) === 0);
  assert.ok((b.driver.mmio.read('DEV_STS') & DEV_STS.ready) !== 0);
});

test('a refused command says which and why, and the next one works', () => {
  const [, a] = pair();
  assert.throws(
    () => a.driver.commands.getFeature(13, acqEntry),
    (error) =>
      error instanceof EnaAdminError &&
      /^GET_FEATURE 0xd: UNSUPPORTED_OPCODE \(status 3/.test(error.message),
  );
  const odd = featureCmd.create();
  odd.opcode = 99;
  assert.equal(a.driver.admin.execute(odd)?.status, STATUS.BAD_OPCODE);
  const bad = createCqCmd.create();
  bad.opcode = OPCODE.CREATE_CQ;
  bad.cq_depth = 3;
  assert.equal(a.driver.admin.execute(bad)?.status, STATUS.ILLEGAL_PARAMETER);
  assert.equal(a.driver.linkSpeedMbps(), 10_000);
  assert.equal(a.refusals.length, 3);
});

test('the admin queue wraps many times, also when commands come in batches', () => {
  const [, a] = pair();
  const { admin } = a.driver;
  for (let i = 0; i < 200; i++) a.driver.linkSpeedMbps();
  for (let round = 0; round < 50; round++) {
    const ids: number[] = [];
    for (let n = 0; n < 31; n++) {
      const command = featureCmd.create();
      command.opcode = OPCODE.GET_FEATURE;
      command.feature_id = 27;
      command.command_id = n;
      command.phase = admin.phase;
      admin.put(command);
    }
    admin.ring();
    for (let done = admin.poll(); done !== null; done = admin.poll()) {
      assert.equal(done.status, STATUS.SUCCESS);
      ids.push(done.commandId);
    }
    assert.deepEqual(
      ids,
      Array.from({ length: 31 }, (_, n) => n),
    );
  }
});
