import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../lib/prng.ts';
import { seeded } from '../../lib/testing-seed.ts';
import type { PacketSpec } from '../../net/testing-packets.ts';
import type { Nic } from './nic.ts';
import { account, packetOf, seconds, someNics } from './testing-nics.ts';
import { timeouts } from './timeouts.ts';
import { Tracker } from './tracker.ts';

const flags = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

/** One tracker, and its interfaces' packets by their first and second direction. */
class Bench {
  readonly #clock = new Float64Array(1);
  readonly nics: readonly Nic[];
  readonly tracker: Tracker;

  constructor(capacity = 64, accounts = [account()]) {
    this.nics = someNics(...accounts);
    this.tracker = new Tracker(capacity, this.nics, new Prng(7), this.#clock);
  }

  get now(): number {
    return this.#clock[0] as number;
  }

  set now(value: number) {
    this.#clock[0] = value;
  }

  /** The connection's slot, or -1. */
  find(spec: PacketSpec, outward = true, slot = 0): number {
    packetOf(spec).writeKey(this.tracker.key, slot, outward);
    return this.tracker.find();
  }

  begin(spec: PacketSpec, outward = true, slot = 0): number {
    const packet = packetOf(spec);
    packet.writeKey(this.tracker.key, slot, outward);
    return this.tracker.begin(this.nics[slot] as Nic, packet, outward, 'rule');
  }

  /** A packet of a connection that is there. */
  pass(slot: number, outward: boolean, tcpFlags = 0): boolean {
    const generation = this.tracker.generation(slot);
    return this.tracker.touch(slot, generation, outward, tcpFlags);
  }

  /** Whether the connection is there after `n` idle seconds. */
  livesAfter(n: number, spec: PacketSpec): boolean {
    this.now += seconds(n);
    return this.find(spec) >= 0;
  }
}

const tcp: PacketSpec = { tcpFlags: flags.syn };
const udp: PacketSpec = { protocol: 'udp' };
const back = (spec: PacketSpec): PacketSpec => ({
  ...spec,
  ...{ src: [10, 0, 0, 11], dst: [10, 0, 0, 10], srcPort: 5201, dstPort: 40_000 },
});

test('both directions of a connection are one, at its own interface only', () => {
  const bench = new Bench(64, [account(), account()]);
  const slot = bench.begin(udp);
  assert.equal(bench.find(udp), slot);
  assert.equal(bench.find(back(udp), false), slot);
  assert.equal(bench.find(udp, false), -1, 'the same ports the other way are another one');
  assert.equal(bench.find(udp, true, 1), -1);
  assert.equal(bench.find({ ...udp, dstPort: 5202 }), -1);
  assert.equal(bench.tracker.rules[slot], 'rule');
});

test('UDP lasts 30 seconds, and 180 after a second answer to a second request', () => {
  const bench = new Bench();
  const slot = bench.begin(udp);
  assert.ok(bench.livesAfter(29, udp));
  for (const outward of [true, false, false, true]) assert.ok(bench.pass(slot, outward));
  assert.ok(!bench.livesAfter(30, udp), 'one answer is no stream');
  const again = bench.begin(udp);
  for (const outward of [false, true, false]) assert.ok(bench.pass(again, outward));
  assert.ok(bench.livesAfter(179, udp));
  assert.ok(bench.pass(again, true));
  assert.ok(!bench.livesAfter(180, udp));
});

test('TCP lasts while it opens, when it is established, and shortly after its end', () => {
  const { tcpOpening, tcpEstablished, tcpClosing } = timeouts;
  const bench = new Bench();
  bench.begin(tcp);
  assert.ok(!bench.livesAfter(tcpOpening.seconds, tcp));
  const slot = bench.begin(tcp);
  assert.ok(bench.pass(slot, false, flags.syn | flags.ack));
  assert.ok(bench.livesAfter(tcpEstablished.seconds - 1, tcp));
  assert.ok(bench.pass(slot, true, flags.fin | flags.ack));
  assert.ok(bench.livesAfter(tcpClosing.seconds, tcp), 'half closed is not closed');
  assert.ok(!bench.tracker.isClosing(slot));
  assert.ok(bench.pass(slot, false, flags.fin | flags.ack));
  assert.ok(bench.tracker.isClosing(slot));
  assert.ok(!bench.livesAfter(tcpClosing.seconds, tcp));
  const reset = bench.begin(tcp);
  assert.ok(bench.pass(reset, false, flags.rst));
  assert.ok(!bench.livesAfter(tcpClosing.seconds, tcp));
});

test('a record that is used again is no longer the one that was remembered', () => {
  const bench = new Bench();
  const slot = bench.begin(udp);
  const generation = bench.tracker.generation(slot);
  bench.tracker.end(slot);
  assert.equal(bench.begin({ ...udp, srcPort: 9 }), slot);
  assert.equal(bench.tracker.touch(slot, generation, true, 0), false);
});

test('a full table refuses new connections until old ones are over; an account fills its share only', () => {
  const shared = account(10);
  const bench = new Bench(16, [shared, shared, account()]);
  const flow = (i: number): PacketSpec => ({ ...udp, srcPort: 1000 + i });
  for (let i = 0; i < 10; i++) assert.ok(bench.begin(flow(i), true, i & 1) >= 0);
  assert.equal(bench.begin(flow(10)), -1, 'two interfaces of an instance share');
  for (let i = 0; i < 6; i++) assert.ok(bench.begin(flow(i), true, 2) >= 0);
  assert.equal(bench.begin(flow(7), true, 2), -1, 'all 16 are taken');
  assert.ok(bench.find(flow(3), true, 1) >= 0, 'what is there stays');
  bench.now = seconds(30);
  assert.ok(bench.begin(flow(11)) >= 0);
  assert.ok(bench.begin(flow(8), true, 2) >= 0);
});

test('a small full account has room the moment that its first connection is over', () => {
  const bench = new Bench(64, [account(3)]);
  const flow = (i: number): PacketSpec => ({ ...udp, srcPort: 1000 + i });
  for (let i = 0; i < 3; i++) {
    bench.now = seconds(i);
    bench.begin(flow(i));
  }
  assert.equal(bench.begin(flow(3)), -1);
  bench.now = seconds(30) - 1;
  assert.equal(bench.begin(flow(3)), -1);
  bench.now = seconds(30);
  assert.ok(bench.begin(flow(3)) >= 0);
  assert.equal(bench.begin(flow(4)), -1);
  const open = bench.begin({ ...tcp, srcPort: 7 });
  assert.equal(open, -1);
  bench.now = seconds(31);
  const slot = bench.begin({ ...tcp, srcPort: 7 });
  assert.equal(bench.begin(flow(4)), -1);
  assert.ok(bench.pass(slot, false, flags.rst));
  bench.now += seconds(timeouts.tcpClosing.seconds);
  bench.pass(bench.find(flow(3)), true);
  assert.ok(bench.begin(flow(4)) >= 0, 'a connection that was reset ends sooner');
});

test('a large full account finds what is over bit by bit, and soon', () => {
  const bench = new Bench(4096, [account(1000)]);
  for (let i = 0; i < 1000; i++) {
    bench.now = i < 900 ? seconds(20) : 0;
    bench.begin({ ...udp, srcPort: i + 1 });
  }
  let refused = 0;
  bench.now = seconds(31);
  while (bench.begin({ ...udp, srcPort: 5000 }) < 0) {
    assert.equal(bench.begin({ ...udp, srcPort: 6000 }), -1, 'in the same millisecond');
    refused++;
    bench.now += 1e6;
  }
  assert.ok(refused < 10, `${refused} ms`);
});

test('what others left behind is found when the whole table is full', () => {
  const bench = new Bench(16, [account(), account()]);
  for (let i = 0; i < 16; i++) bench.begin({ ...udp, srcPort: i + 1 }, true, 0);
  bench.now = seconds(31);
  assert.ok(bench.begin(udp, true, 1) >= 0);
  assert.ok(bench.tracker.count <= 16);
});

test("all connections of an interface end with it, and nobody else's", () => {
  const shared = account();
  const bench = new Bench(64, [shared, shared]);
  for (let i = 0; i < 20; i++) bench.begin({ ...udp, srcPort: i + 1 }, true, i & 1);
  bench.tracker.endAll(bench.nics[0] as Nic);
  assert.equal(bench.tracker.count, 10);
  assert.equal(shared.count, 10);
  for (let i = 0; i < 20; i++)
    assert.equal(bench.find({ ...udp, srcPort: i + 1 }, true, i & 1) >= 0, (i & 1) === 1);
});

seeded('it agrees with a plain map, whatever begins, passes and ends when', (random) => {
  const bench = new Bench(128, [account(40), account(100)]);
  /** When each connection is over. */
  const model = new Map<string, number>();
  for (let step = 0; step < 20_000; step++) {
    bench.now += seconds(random.oneIn(50) ? 31 : 0.01);
    const nic = random.below(2);
    const port = 1 + random.below(60);
    const spec = { ...udp, srcPort: port };
    const key = `${nic} ${port}`;
    const isThere = (model.get(key) ?? -1) > bench.now;
    const slot = bench.find(spec, true, nic);
    assert.equal(slot >= 0, isThere, `step ${step}`);
    if (slot >= 0) {
      bench.pass(slot, true);
      model.set(key, bench.now + seconds(30));
    } else if (bench.begin(spec, true, nic) >= 0) model.set(key, bench.now + seconds(30));
    else {
      const alive = [...model].filter(([k, end]) => k.startsWith(`${nic} `) && end > bench.now);
      assert.ok(alive.length >= 40 || bench.tracker.count === 128, `step ${step}`);
    }
  }
});
