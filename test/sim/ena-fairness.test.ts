import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

/** A flow for which the receiver's hash chooses queue `index`. */
function flowTo(a: SimGuest, b: SimGuest, index: number): Uint8Array {
  const table = b.driver.rss.getTable();
  assert.ok(table !== null);
  for (let port = 1; port < 1000; port++) {
    const payload = new Uint8Array(40);
    const flow = { from: a.mac, to: b.mac, ip: 4, l4: 'udp', sourcePort: port, payload } as const;
    a.send(packet(flow));
    a.driver.poll();
    const queue = b.driver.rx.findIndex((rx) => rx.next());
    for (const rx of b.driver.rx) rx.replenish();
    if (queue === index) return packet(flow);
  }
  return assert.fail(`no flow goes to queue ${index}`);
}

test('a receive queue without buffers does not hold up the others', () => {
  const [, a, b] = pair({ driver: { queuePairs: 2, rxDepth: 32 }, memoryBytes: 16 << 20 });
  const [slow, quick] = [flowTo(a, b, 0), flowTo(a, b, 1)];
  for (let i = 0; i < 40; i++) {
    a.send(slow);
    a.driver.poll();
  }
  for (let i = 0; i < 40; i++) {
    a.send(quick);
    a.driver.poll();
    assert.ok(b.driver.rx[1]?.next(), `frame ${i} of the quick flow`);
    b.driver.rx[1]?.replenish();
  }
});

test('frames that wait for a queue that is not theirs any more hold up nobody', () => {
  const [, a, b] = pair({ driver: { queuePairs: 2, rxDepth: 32 }, memoryBytes: 16 << 20 });
  const [first, second] = [flowTo(a, b, 0), flowTo(a, b, 1)];
  const [q0, q1] = b.driver.rx;
  assert.ok(q0 && q1);
  const send = (flow: Uint8Array, count: number): void => {
    for (let i = 0; i < count; i++) {
      a.send(flow);
      a.driver.poll();
    }
  };
  send(first, 40);
  const waiting = b.port.waiting;
  assert.ok(waiting > 0);
  send(second, 40 - waiting); // takes the last buffer of its queue
  assert.equal(b.port.waiting, waiting);
  // The table is turned round while frames of the first flow wait in their old lane.
  const swap = (index: number): number => (index === q0.sqIndex ? q1.sqIndex : q0.sqIndex);
  b.driver.rss.setTable(b.driver.rss.getTable()?.map(swap) ?? []);
  let received = 0;
  for (let round = 0; round < 10; round++)
    for (const queue of [q0, q1]) {
      while (queue.next()) received++;
      queue.replenish();
    }
  assert.equal(received, 80 - waiting, 'all that waited have come');
  for (const flow of [first, second]) {
    a.send(flow);
    a.driver.poll();
    assert.ok(q0.next() || q1.next(), 'and so does what is new');
    for (const queue of [q0, q1]) queue.replenish();
  }
});

test('a frame that waited for a buffer and was delivered is not counted as overrun', () => {
  const [, a, b] = pair({ driver: { rxDepth: 32 } });
  for (let i = 0; i < 60; i++) {
    a.send(plainFrame(a.mac, b.mac, 60, i));
    a.driver.poll();
  }
  let received = 0;
  for (let more = b.receive().length; more > 0; more = b.receive().length) received += more;
  assert.equal(received, 60);
  assert.equal(b.driver.stats().rxOverruns, 0);
});

test('segments longer than the MTU do not leave', () => {
  const [, a, b] = pair();
  b.driver.setMtu(9000);
  const payload = new Uint8Array(8000);
  const whole = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload });
  const lengths = { l3Length: 20, l4Length: 20 };
  const offload = new TxOffload({ l3: 'ipv4', l4: 'tcp', l4Csum: 'full', mss: 4000, ...lengths });
  const tx = a.driver.tx[0];
  assert.ok(tx?.send(whole, 0, whole.length, offload));
  a.driver.tx[0]?.kick();
  assert.deepEqual(
    b.receive().map((frame) => frame.length),
    [],
  );
});

test('a link that its owner took down stays down when the guest resets the function', () => {
  const [, a, b] = pair();
  a.device.setLink(false);
  a.device.reset('function');
  a.driver.start();
  a.driver.poll();
  assert.equal(a.driver.events.linkUp, false);
  b.send(plainFrame(b.mac, a.mac, 60, 1));
  assert.deepEqual(a.receive(), []);
});

test('one doorbell is a bounded amount of work, whatever is asked for', () => {
  const [, a, b] = pair({ driver: { txDepth: 1024 } });
  const payload = new Uint8Array(60_000);
  const whole = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload });
  const address = a.arena.alloc(65_536);
  a.arena.bytes.set(whole, a.arena.offset(address));
  const lengths = { l3Length: 20, l4Length: 20 };
  const offload = new TxOffload({ l3: 'ipv4', l4: 'tcp', l4Csum: 'full', mss: 48, ...lengths });
  const tx = a.driver.tx[0];
  assert.ok(tx);
  const fit = [address, address + 30_000];
  const sizes = [30_000, whole.length - 30_000];
  for (let i = 0; i < 64; i++) tx.sendPieces(fit, sizes, 2, offload);
  tx.kick();
  const frames = a.counters()['tx_frames'] ?? 0;
  assert.ok(frames < 8192, `${frames} frames for 64 packets in one access`);
});
