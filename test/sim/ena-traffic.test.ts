import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { Prng } from '../../src/lib/prng.ts';
import { Toeplitz } from '../../src/net/toeplitz.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

/** Transmit rings in host memory, and in the device's (low-latency queues). */
const placements = ['host', 'device'] as const;

/** Sends one frame and takes what arrives. */
function carry(from: SimGuest, to: SimGuest, frame: Uint8Array): Uint8Array[] {
  assert.ok(from.send(frame), 'no room to send');
  from.driver.poll();
  return to.receive();
}

test('a device comes up in the order that Linux uses, without breaking a rule', () => {
  const [lab, a] = pair();
  lab.clock.advance(1);
  a.driver.poll();
  assert.deepEqual(a.refusals, []);
  assert.equal(a.driver.mac, a.mac);
  assert.equal(a.driver.events.linkUp, true);
  assert.equal(a.driver.linkSpeedMbps(), 10_000);
  assert.equal(a.driver.attributes.max_mtu, 9216);
  assert.equal(a.driver.tx.length, 1);
  assert.equal(a.driver.tx[0]?.isInDevice, false);
  assert.equal(pair({ driver: { placement: 'device' } })[1].driver.tx[0]?.isInDevice, true);
});

for (const placement of placements)
  test(`${placement}: frames of 60 to 9014 bytes cross byte for byte, both ways, in any number of buffers`, () => {
    const [, a, b] = pair({ driver: { placement, mtu: 9000, txDepth: 64, rxDepth: 64 } });
    let crossed = 0;
    for (let length = 60; length <= 9014; length += length < 300 ? 1 : 37) {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const frame = plainFrame(from.mac, to.mac, length, length);
        assert.deepEqual(carry(from, to, frame), [frame], `${length} bytes`);
        crossed++;
      }
    }
    assert.ok(crossed > 900);
    assert.deepEqual([a.refusals, b.refusals], [[], []]);
  });

for (const placement of placements)
  test(`${placement}: rings wrap around many times, in bursts of any size`, () => {
    const [, a, b] = pair({ driver: { placement, txDepth: 32, rxDepth: 64 } });
    const prng = new Prng(1);
    let next = 0;
    let expected = 0;
    while (next < 10_000) {
      const tx = a.driver.tx[0];
      assert.ok(tx);
      for (let burst = 1 + prng.below(28); burst > 0; burst--) {
        const frame = plainFrame(a.mac, b.mac, 60 + (next % 1400), next);
        if (tx.send(frame, 0, frame.length)) next++;
      }
      tx.kick();
      a.driver.poll();
      for (const frame of b.receive()) {
        assert.deepEqual(frame, plainFrame(a.mac, b.mac, 60 + (expected % 1400), expected));
        expected++;
      }
    }
    assert.equal(expected, next);
    assert.equal(a.driver.fault, null);
    assert.equal(b.driver.fault, null);
  });

for (const placement of placements)
  test(`${placement}: a frame may be sent in any pieces, headers torn apart included`, () => {
    const [, a, b] = pair({ driver: { placement } });
    const prng = new Prng(2);
    const address = a.arena.alloc(16_384);
    const tx = a.driver.tx[0];
    assert.ok(tx);
    for (let round = 0; round < 300; round++) {
      const frame = plainFrame(a.mac, b.mac, 60 + prng.below(1454), round);
      a.arena.bytes.set(frame, a.arena.offset(address));
      const pieces = 1 + prng.below(15);
      const cuts = Array.from({ length: pieces - 1 }, () => 1 + prng.below(frame.length - 1));
      const ends = [...new Set([...cuts, frame.length])].sort((x, y) => x - y);
      const starts = [0, ...ends.slice(0, -1)];
      const lengths = ends.map((end, i) => end - (starts[i] as number));
      const at = starts.map((start) => address + start);
      assert.ok(tx.sendPieces(at, lengths, at.length));
      tx.kick();
      a.driver.poll();
      assert.deepEqual(b.receive(), [frame], `round ${round}: ${lengths}`);
    }
  });

test('flows spread over the receive queues by the Toeplitz hash that the completion reports', () => {
  const [, a, b] = pair({ memoryBytes: 32 << 20, driver: { queuePairs: 4 } });
  const rss = b.driver.rss.getFunction();
  const table = b.driver.rss.getTable();
  assert.ok(rss !== null && table !== null);
  const toeplitz = new Toeplitz(rss.key.slice().reverse());
  const used = new Set<number>();
  for (let port = 1; port < 200; port++) {
    const frame = packet({
      from: a.mac,
      to: b.mac,
      ip: 4,
      l4: 'udp',
      sourcePort: port,
      payload: new Uint8Array(20),
    });
    assert.ok(a.send(frame, port % 4));
    const input = Uint8Array.from([...frame.subarray(26, 34), ...frame.subarray(34, 38)]);
    const hash = toeplitz.hash(input);
    const queue = b.driver.rx.find((rx) => rx.next());
    assert.ok(queue);
    assert.equal(queue.hash >>> 0, hash);
    assert.equal(queue.sqIndex, table[hash % table.length]);
    used.add(queue.sqIndex);
    a.driver.poll();
  }
  assert.equal(used.size, 4);
});

test('an indirection table that names one queue sends everything there', () => {
  const [, a, b] = pair({ memoryBytes: 32 << 20, driver: { queuePairs: 4 } });
  const third = b.driver.rx[2];
  assert.ok(third);
  b.driver.rss.setTable(new Array(128).fill(third.sqIndex));
  assert.deepEqual([...new Set(b.driver.rss.getTable())], [third.sqIndex]);
  for (let port = 1; port < 20; port++) {
    const ports = { sourcePort: port, destinationPort: port * 3 };
    const payload = new Uint8Array(9);
    assert.ok(a.send(packet({ from: a.mac, to: b.mac, ip: 6, l4: 'tcp', ...ports, payload })));
    assert.ok(third.next());
  }
});

test('frames longer than the MTU are not sent, and after a change of MTU they are', () => {
  const [, a, b] = pair();
  const frame = plainFrame(a.mac, b.mac, 3014, 5);
  assert.deepEqual(carry(a, b, frame), []);
  assert.equal(a.driver.stats().txDrops, 1);
  a.driver.setMtu(3000);
  assert.deepEqual(carry(a, b, frame), [], 'the receiver still has 1500');
  assert.equal(b.driver.stats().rxDrops, 1);
  b.driver.setMtu(3000);
  assert.deepEqual(carry(a, b, frame), [frame]);
  assert.throws(() => a.driver.setMtu(100), /SET_FEATURE MTU: ILLEGAL_PARAMETER/);
  assert.throws(() => a.driver.setMtu(9217), /ILLEGAL_PARAMETER/);
  assert.equal(a.driver.mtu, 3000);
});

test('a receiver without buffers loses nothing that its port can hold, and counts the rest', () => {
  const [, a, b] = pair({ driver: { txDepth: 512, rxDepth: 32 }, port: { queueBytes: 70_000 } });
  const sent = 300;
  const bytes = 1014;
  const tx = a.driver.tx[0];
  assert.ok(tx);
  for (let i = 0; i < sent; i++) assert.ok(tx.send(plainFrame(a.mac, b.mac, bytes, i), 0, bytes));
  tx.kick();
  const frames: Uint8Array[] = [];
  for (let more = b.receive(); more.length > 0; more = b.receive()) frames.push(...more);
  const counted = b.counters();
  const lost = counted['rx_queueFull'] ?? 0;
  assert.ok(frames.length > 31 + 60 && lost > 0);
  assert.equal(frames.length + lost, sent);
  for (const [i, frame] of frames.entries())
    assert.deepEqual(frame, plainFrame(a.mac, b.mac, bytes, i));
  const one = plainFrame(a.mac, b.mac, 60, 0);
  a.driver.poll();
  assert.deepEqual(carry(a, b, one), [one]);
});

test('statistics are exact', () => {
  const [, a, b] = pair();
  let bytes = 0;
  for (let i = 0; i < 500; i++) {
    bytes += 60 + i;
    assert.equal(carry(a, b, plainFrame(a.mac, b.mac, 60 + i, i)).length, 1);
  }
  const sender = a.driver.stats();
  const receiver = b.driver.stats();
  assert.deepEqual([sender.txPackets, sender.txBytes, sender.txDrops], [500, bytes, 0]);
  assert.deepEqual([receiver.rxPackets, receiver.rxBytes, receiver.rxDrops], [500, bytes, 0]);
  assert.deepEqual([receiver.rxOverruns, sender.rxPackets, receiver.txPackets], [0, 0, 0]);
  const { tx_frames, tx_bytes } = a.counters();
  assert.deepEqual([tx_frames, tx_bytes], [500, bytes]);
});

test('a keep-alive comes every second, as long as the driver returns its events', () => {
  const [lab, a] = pair();
  for (let second = 1; second <= 100; second++) {
    lab.clock.advance(nsPerSecond);
    a.driver.poll();
    assert.equal(a.driver.events.keepAlives, second);
  }
  lab.clock.advance(40 * nsPerSecond);
  a.driver.poll();
  const { keepAlives } = a.driver.events;
  assert.ok(keepAlives >= 115 && keepAlives <= 116, 'events wait in 16 entries at most');
  lab.clock.advance(nsPerSecond);
  a.driver.poll();
  assert.equal(a.driver.events.keepAlives, keepAlives + 1);
});

test('a vector is raised once, then not before it was armed again, and nothing is lost', () => {
  const [, a, b] = pair();
  const raised = (): number => b.interrupts[1] ?? 0;
  const before = raised();
  for (let i = 0; i < 5; i++) a.send(plainFrame(a.mac, b.mac, 60, i));
  assert.equal(raised(), before + 1);
  b.driver.arm();
  assert.equal(raised(), before + 2, 'frames came while it was silent');
  assert.equal(b.receive().length, 5);
  b.driver.arm();
  assert.equal(raised(), before + 2);
  a.send(plainFrame(a.mac, b.mac, 60, 9));
  assert.equal(raised(), before + 3);
});

test('without interrupt mode no vector is raised', () => {
  const [, a, b] = pair({ driver: { interrupts: false } });
  assert.equal(carry(a, b, plainFrame(a.mac, b.mac, 60, 1)).length, 1);
  assert.deepEqual([a.interrupts[1] ?? 0, b.interrupts[1] ?? 0], [0, 0]);
});

test('three guests: frames for one are seen by no other, broadcasts by all but the sender', () => {
  const lab = new SimLab();
  const [a, b, c] = [lab.add(), lab.add(), lab.add()];
  for (const guest of [a, b, c]) guest.driver.start();
  const one = plainFrame(a.mac, b.mac, 100, 3);
  a.send(one);
  assert.deepEqual([a.receive(), b.receive(), c.receive()], [[], [one], []]);
  const all = plainFrame(a.mac, 0xffff_ffff_ffff, 100, 3);
  a.send(all);
  assert.deepEqual([a.receive(), b.receive(), c.receive()], [[], [all], [all]]);
});
