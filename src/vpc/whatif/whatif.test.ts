import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CapturedPacket } from '../../lib/capture-reader.ts';
import { nsPerMs, nsPerSecond } from '../../lib/clock.ts';
import { buildPacket, type PacketSpec } from '../../net/testing-packets.ts';
import { networkAllowance } from '../allowance.ts';
import { InstanceTypes } from '../instance-types.ts';
import { switchLimits, valuesOf } from '../limits.ts';
import { CapturedTraffic, parseEnds } from './captured.ts';
import { parseSteady } from './steady-text.ts';
import { summaryOf } from './summary.ts';
import { type Packet, WhatIf } from './whatif.ts';

const allowance = networkAllowance(InstanceTypes.load().get('c5.large'));
const c5Large = switchLimits(valuesOf(allowance));
const bits = (baselineBps: number) => ({ baselineBps, burstBps: baselineBps, creditBits: 0 });
const close = (a: number, b: number, by: number): void =>
  assert.ok(Math.abs(a - b) <= by, `${a}, expected ${b}`);

const mtu = 9001;
const traffic = new CapturedTraffic(parseEnds({ address: '10.0.0.10', mtu }));

/** A captured packet of the instance 10.0.0.10, as it is read. */
function captured(bytes: Uint8Array, more: Partial<CapturedPacket> = {}): CapturedPacket {
  const { length } = bytes;
  const place = { bytes, start: 0, captured: length, length };
  return { timeNs: 0, ...place, link: 1, direction: 0, ...more };
}

const sent = (spec: PacketSpec = {}, payloadBytes = 958): Packet => {
  const payload = new Uint8Array(payloadBytes);
  const packet = traffic.read(captured(buildPacket({ protocol: 'udp', payload, ...spec })));
  assert.ok(packet);
  return packet;
};

test('packet by packet: a kilobyte each half millisecond at 8 Mbit/s', () => {
  const run = new WhatIf({ out: bits(8e6), queueMs: 10 }, null);
  const packet = sent();
  assert.equal(packet.bytes, 1000);
  for (let i = 0; i < 2000; i++) run.packet(packet, i * 0.5 * nsPerMs);
  const { out, limits } = summaryOf(run, 'x', allowance, []);
  // In a second 1 MB; 9234 bytes at once, 10 kB that still wait.
  close(2000 - out.dropped_packets, 1000 + 9 + 10, 1);
  close(out.longest_wait_ms, 10, 1);
  const [only] = limits;
  assert.equal(only?.limit, 'baselineOutGbps');
  // Debt grows by 1 kB each ms: after 9 ms a packet waits first, after 19 one is lost.
  close(only?.first_queued_s ?? 0, 0.0092, 0.0006);
  close(only?.first_dropped_s ?? 0, 0.0192, 0.0011);
});

test('an hour at full burst: credits of 7 minutes, and then the baseline', () => {
  const run = new WhatIf(c5Large, 1024, (3600 * nsPerSecond) / 399.5);
  const { steady, seconds } = parseSteady('rate=10Gbps,size=9014,duration=1h,flows=8');
  run.steady(steady, seconds * nsPerSecond);
  const { out, limits, series } = summaryOf(run, 'c5.large', allowance, []);
  close(out.credits.dry_at_s ?? 0, 420 + 0.003 / 9.25, 1e-6);
  const passed = 10 * 420 + 0.75 * 3180;
  close(out.passed_gbps * 3600, passed, passed * 1e-4);
  assert.deepEqual(
    limits.map(({ limit }) => limit),
    ['baselineOutGbps'],
  );
  assert.equal(series.out.length, 400);
  close(series.out[399]?.passed_gbps ?? 0, 0.75, 1e-9);
});

test('one flow at 10 Gbit/s is held to 5 by the limit of one flow', () => {
  const run = new WhatIf({ ...c5Large, packetsPerSecond: 1e9 }, 1024, nsPerSecond);
  const { steady } = parseSteady('rate=10Gbps,size=9014,duration=1m');
  run.steady(steady, 60 * nsPerSecond);
  const { out, limits } = summaryOf(run, 'c5.large', allowance, []);
  close(out.passed_gbps, 5, 0.01);
  assert.equal(limits[0]?.limit, 'singleFlowGbps');
  const byPackets = new WhatIf({ ...c5Large, packetsPerSecond: 1e9 }, 1024);
  const packet = sent({}, 8972);
  const gapNs = (packet.bytes * 8) / 10;
  for (let i = 0; i * gapNs < nsPerSecond / 2; i++) byPackets.packet(packet, i * gapNs);
  const same = summaryOf(byPackets, 'c5.large', allowance, []);
  assert.equal(same.limits[0]?.limit, 'singleFlowGbps');
  // All flows together have 4 ms at once, the flow its own, and 10 ms wait.
  close(same.out.passed_gbps * 0.5, 5 * (0.5 + 0.004 + 0.004 + 0.01), 0.02);
});

test('what is below everything meets nothing, and credits are said to last', () => {
  const run = new WhatIf(c5Large, 1024);
  for (let i = 0; i < 1000; i++) run.packet(sent(), i * nsPerMs);
  const { out, limits } = summaryOf(run, 'c5.large', allowance, []);
  assert.deepEqual([limits, out.queued_packets, out.dropped_packets], [[], 0, 0]);
  assert.deepEqual([out.credits.last_for_s, out.credits.dry_at_s], [null, null]);
  const fast = new WhatIf(c5Large, 1024, nsPerSecond);
  fast.steady(parseSteady('rate=2Gbps,duration=60s').steady, 60 * nsPerSecond);
  const later = summaryOf(fast, 'c5.large', allowance, []).out.credits;
  close(later.last_for_s ?? 0, (9.25 * 420 - 1.25 * 60) / 1.25, 1);
});

test('link-local packets, fragments, connections and gateways have their own limits', () => {
  const run = new WhatIf({ connections: 2, gatewayBps: 8e6, linkLocalPps: 3, queueMs: 0 }, 2);
  const dns = sent({ dst: [169, 254, 169, 253] });
  assert.equal(dns.isLinkLocal, true);
  for (let i = 0; i < 5; i++) run.packet(dns, i);
  for (const dstPort of [1, 2, 3, 3]) run.packet(sent({ dstPort }), 10);
  for (let i = 0; i < 20; i++) run.packet(sent({ dst: [192, 0, 2, 1], dstPort: 1 }), 20);
  const dropped = Object.fromEntries(run.tallies.map((one) => [one.limit, one.dropped]));
  assert.deepEqual(dropped, { linkLocalPps: 2, conntrackEntries: 22 });
  const outside = new WhatIf({ gatewayBps: 8e6, queueMs: 0 }, 2);
  const away = sent({ dst: [192, 0, 2, 1] });
  assert.equal(away.leaves, true);
  for (let i = 0; i < 20; i++) outside.packet(away, 20);
  assert.deepEqual(outside.tallies[0], {
    ...{ limit: 'gatewayGbps', queued: 0, dropped: 10, firstQueued: null, firstDropped: 20 },
  });
});

test('which way a packet went: by address, MAC, the capture itself, or all alike', () => {
  const bytes = buildPacket({ protocol: 'udp' });
  const way = (ends: object, more: Partial<CapturedPacket> = {}) =>
    new CapturedTraffic(parseEnds({ mtu, ...ends })).read(captured(bytes, more))?.way;
  assert.equal(way({ address: '10.0.0.10' }), 'out');
  assert.equal(way({ address: '10.0.0.11' }), 'in');
  assert.equal(way({ address: '10.0.0.12' }), undefined);
  assert.equal(way({ mac: '02:00:00:00:00:0a' }), 'out');
  assert.equal(way({ mac: '02:00:00:00:00:0b' }), 'in');
  assert.equal(way({}, { direction: 1 }), 'in');
  assert.equal(way({}, { direction: 2 }), 'out');
  assert.equal(way({ direction: 'in' }), 'in');
  const unknown = new CapturedTraffic(parseEnds({ mtu }));
  assert.equal(unknown.read(captured(bytes)), null);
  assert.deepEqual(unknown.busiest(1), ['--mac 02:00:00:00:00:0b']);
  assert.throws(() => unknown.read(captured(bytes, { link: 105 })), /link type 105/);
});

test('captures without Ethernet headers, and of frames that the card cut up', () => {
  const ip = buildPacket({ protocol: 'udp' }).slice(14);
  const raw = traffic.read(captured(ip, { link: 101 }));
  assert.deepEqual([raw?.way, raw?.bytes], ['out', ip.length + 14]);
  const cooked = Uint8Array.of(0, 4, ...Array(12).fill(0), 8, 0, ...ip);
  const own = new CapturedTraffic(parseEnds({ mtu })).read(captured(cooked, { link: 113 }));
  assert.deepEqual([own?.way, own?.bytes], ['out', ip.length + 14]);
  const large = buildPacket({ protocol: 'tcp', payload: new Uint8Array(20_000) });
  const narrow = new CapturedTraffic(parseEnds({ address: '10.0.0.10', mtu: 1500 }));
  const cut = narrow.read(captured(large));
  // 1460 bytes in each but the last; 54 bytes of headers in all.
  assert.deepEqual([cut?.packets, cut?.bytes], [14, 20_000 + 14 * 54]);
});

test('a flow in words is checked word by word', () => {
  assert.deepEqual(parseSteady('rate=2.5Mbps,size=64,duration=1.5m,direction=in,gateway'), {
    steady: { way: 'in', bitsPerSecond: 2.5e6, bytesPerPacket: 64, flows: 1, leaves: true },
    seconds: 90,
  });
  for (const [text, message] of [
    ['size=64,duration=1h', /^rate: expected a number with its unit/],
    ['rate=1Gbps,duration=1', /^duration: expected a number with its unit/],
    ['rate=1Gbps,duration=60d', /^duration/],
    ['rate=1Gbps,duration=1h,size=1', /^size: expected a whole number from 60/],
    ['rate=1Gbps,duration=1h,colour=red', /^there is no 'colour' in a flow/],
    ['rate=1Gbps,duration=1h,direction=up', /^direction: expected in or out/],
    ['rate=1Gbps,duration=1000h', /31 days at most/],
  ] as const)
    assert.throws(() => parseSteady(text), { name: 'RangeError', message });
});
