import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerMs, nsPerSecond, VirtualClock } from '../../lib/clock.ts';
import { R } from '../../net/reasons.ts';
import { buildPacket, type PacketSpec } from '../../net/testing-packets.ts';
import type { SwitchPort } from '../port.ts';
import { Switch } from '../switch.ts';
import { TestEndpoint } from '../testing-endpoint.ts';
import { Allowance, type AllowanceLimits } from './allowance.ts';

const bits = (bitsPerSecond: number) => ({
  ...{ baselineBps: bitsPerSecond, burstBps: bitsPerSecond, creditBits: 0 },
});

/** Endpoint 0 sends under limits; 1 and 2 are sent to. */
class Bench {
  readonly clock = new VirtualClock();
  readonly fabric = new Switch({ clock: this.clock });
  readonly allowance: Allowance;
  readonly ends: TestEndpoint[];

  constructor(limits: AllowanceLimits, limited: readonly number[] = [0]) {
    this.allowance = new Allowance(limits, 0);
    this.ends = [1, 2, 3].map((n, i) => {
      const own = limited.includes(i) ? { allowance: this.allowance } : {};
      const mac = 0x02_00_00_00_00_00 + n;
      return new TestEndpoint(this.fabric.addPort({ name: `p${n}`, mac, ...own }));
    });
  }

  end(index: number): TestEndpoint {
    return this.ends[index] as TestEndpoint;
  }

  port(index: number): SwitchPort {
    return this.end(index).port;
  }

  /** A UDP frame of `bytes`. */
  send(from: number, to: number, bytes: number, spec: PacketSpec = {}): number {
    const mac = (n: number): number[] => [2, 0, 0, 0, 0, n + 1];
    const payload = new Uint8Array(bytes - 42);
    const made = { protocol: 'udp', payload, srcMac: mac(from), dstMac: mac(to), ...spec } as const;
    return this.end(from).send(buildPacket(made));
  }

  /** Sends a frame each `gapNs` for `ns`; returns how many arrived. */
  load(from: number, to: number, bytes: number, gapNs: number, ns: number): number {
    const before = this.end(to).received.length;
    for (let at = 0; at < ns; at += gapNs) {
      this.send(from, to, bytes);
      this.clock.advance(gapNs);
    }
    return this.end(to).received.length - before;
  }
}

test('twice the rate: half arrives, in order, the rest is dropped, and all that waited counts', () => {
  const bench = new Bench({ out: bits(8e6) });
  let sent = 0;
  for (; sent < 2000; sent++) {
    bench.send(0, 1, 1000, { identification: sent });
    bench.clock.advance(nsPerMs / 2);
  }
  const { received } = bench.end(1);
  // In a second 1 MB, and 9 kB at once.
  assert.ok(Math.abs(received.length - 1009) <= 1, `${received.length} frames arrived`);
  const numbers = received.map((b) => new DataView(b.buffer).getUint16(18));
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  bench.clock.advance(nsPerSecond);
  const { tx_frames, tx_bandwidthExceeded, bw_out_allowance_exceeded, ...others } = bench
    .port(0)
    .counters.snapshot() as Record<string, number>;
  assert.equal(tx_frames, sent);
  assert.equal(received.length + (tx_bandwidthExceeded ?? 0), sent, 'nothing waits any more');
  assert.ok((bw_out_allowance_exceeded ?? 0) > sent - 25, 'from the tenth on each had to wait');
  assert.deepEqual(others, { tx_bytes: sent * 1000 });
  assert.equal(bench.port(0).bandwidthOutExceeded, bw_out_allowance_exceeded);
});

test('what keeps the limit never waits', () => {
  const bench = new Bench({ out: bits(8e6), packetsPerSecond: 1000 });
  assert.equal(bench.load(0, 1, 1000, nsPerMs, nsPerSecond), 1000);
  assert.equal(bench.port(0).bandwidthOutExceeded + bench.port(0).packetRateExceeded, 0);
});

test('what an instance is sent has its own limit and counter', () => {
  const bench = new Bench({ in: bits(8e6) });
  const arrived = bench.load(1, 0, 1000, nsPerMs / 4, nsPerSecond);
  assert.ok(Math.abs(arrived - 1009) <= 1, `${arrived}`);
  assert.equal(bench.load(0, 1, 1000, nsPerMs / 4, nsPerSecond), 4000, 'it may send as it likes');
  assert.ok(bench.port(0).bandwidthInExceeded > 3900);
  assert.equal(bench.port(1).bandwidthOutExceeded, 0, "the sender's allowance was not exceeded");
  const counters = bench.port(0).counters.snapshot() as Record<string, number>;
  assert.ok((counters['rx_bandwidthExceeded'] ?? 0) > 2900);
});

test('packets of all ports of an allowance count together, both ways', () => {
  const bench = new Bench({ packetsPerSecond: 1000, queueMs: 0 }, [0, 1]);
  let arrived = 0;
  for (let i = 0; i < 4000; i++) {
    if (bench.send(i & 1, 2, 100) === R.delivered) arrived++;
    if (i % 4 === 0) bench.send(2, 0, 100);
    bench.clock.advance(nsPerMs / 4);
  }
  arrived += bench.end(0).received.length;
  assert.ok(Math.abs(arrived - 1004) <= 2, `${arrived} packets in a second`);
  assert.ok(bench.port(0).packetRateExceeded > 0 && bench.port(1).packetRateExceeded > 0);
});

test('a flow above its own limit waits by itself; another one is not held up', () => {
  const bench = new Bench({ out: bits(80e6), flowBps: 8e6 });
  const ports = { fat: 7, thin: 9 };
  const count = { fat: 0, thin: 0 };
  for (let i = 0; i < 4000; i++) {
    bench.send(0, 1, 1000, { dstPort: ports.fat });
    if (i % 8 === 0) bench.send(0, 1, 1000, { dstPort: ports.thin });
    bench.clock.advance(nsPerMs / 4);
  }
  for (const bytes of bench.end(1).received) {
    const port = new DataView(bytes.buffer).getUint16(36);
    if (port === ports.fat) count.fat++;
    else count.thin++;
  }
  assert.equal(count.thin, 500);
  // All flows together have what may go at once, and then each by itself.
  assert.ok(Math.abs(count.fat - 1018) <= 3, `${count.fat} of the fat flow`);
});

test('a frame that is cut up counts as the frames that the wire sees', () => {
  const bench = new Bench({ packetsPerSecond: 1000 });
  const mac = (n: number): number[] => [2, 0, 0, 0, 0, n];
  const payload = new Uint8Array(20_000);
  const bytes = buildPacket({ protocol: 'tcp', payload, srcMac: mac(1), dstMac: mac(2) });
  for (let i = 0; i < 100; i++) {
    bench.end(0).send(bytes, 0, 1000);
    bench.clock.advance(10 * nsPerMs);
  }
  const arrived = bench.end(1).received.length;
  assert.ok(arrived >= 1000 && arrived <= 1040, `${arrived} frames in a second`);
  assert.equal(arrived % 20, 0, 'all or none of each');
  const counters = bench.port(0).counters.snapshot() as Record<string, number>;
  assert.ok((counters['pps_allowance_exceeded'] ?? 0) >= 1900, JSON.stringify(counters));
});

test('other limits count from the next frame on; without any, nothing waits', () => {
  const bench = new Bench({ out: bits(8e6) });
  bench.load(0, 1, 1000, nsPerMs / 4, nsPerSecond);
  bench.port(0).setAllowance(new Allowance({ out: bits(16e6) }, bench.clock.now()));
  const faster = bench.load(0, 1, 1000, nsPerMs / 4, nsPerSecond);
  assert.ok(Math.abs(faster - 2010) <= 10, `${faster}`);
  bench.port(0).setAllowance(null);
  assert.equal(bench.load(0, 1, 1000, nsPerMs / 4, nsPerSecond), 4000);
});

test('without a link what waits is lost, and nothing is left of it', () => {
  const bench = new Bench({ out: bits(8e6) });
  for (let i = 0; i < 16; i++) bench.send(0, 1, 1000);
  bench.port(0).setLink(false);
  bench.clock.advance(nsPerSecond);
  assert.equal(bench.end(1).received.length, 10);
  const counters = bench.port(0).counters.snapshot() as Record<string, number>;
  assert.equal(counters['tx_linkDown'], 6);
  bench.port(0).setLink(true);
  assert.equal(bench.send(0, 1, 1000), R.delivered);
});
