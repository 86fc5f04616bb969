// An hour of virtual time: two ENA functions and their reference drivers, one under an allowance whose
// credits run dry. Of each minute some hundred microseconds are real frames through driver, device, switch,
// device and driver; the rest flows through the same meters by its rate, in one step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { Allowance, type AllowanceLimits } from '../../src/switch/allowance/allowance.ts';
import { flowThrough } from '../../src/switch/allowance/fluid.ts';
import type { Meter } from '../../src/switch/allowance/meter.ts';
import { pair, type SimGuest, type SimLab } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const minute = 60 * nsPerSecond;
const gbps = (rate: number): number => rate * 1e9;
/** 25 Gbit/s for ever, 100 for ten minutes; nothing waits, so that what passes is what is accepted. */
const limits: AllowanceLimits = {
  out: { baselineBps: gbps(25), burstBps: gbps(100), creditBits: gbps(75) * 600 },
  queueMs: 0,
};
const frameBytes = 9015;
const atOnceBits = gbps(25) * 0.004;

class Hour {
  readonly lab: SimLab;
  readonly a: SimGuest;
  readonly b: SimGuest;
  readonly allowance: Allowance;
  readonly frame: Uint8Array;
  sent = 0;
  received = 0;

  constructor() {
    const driver = { mtu: 9001, txBufferBytes: 16_384, rxBufferBytes: 16_384, rxDepth: 256 };
    [this.lab, this.a, this.b] = pair({
      driver: { ...driver, txDepth: 256 },
      memoryBytes: 16 << 20,
    });
    this.allowance = new Allowance(limits, this.lab.clock.now());
    this.a.port.setAllowance(this.allowance);
    this.frame = plainFrame(this.a.mac, this.b.mac, frameBytes, 1);
  }

  get baseline(): Meter {
    this.allowance.out.write();
    return this.allowance.out.bytes[0] as Meter;
  }

  /** Real frames at a rate, for so many; returns the share that arrived. */
  frames(bps: number, count: number): number {
    const gapNs = (frameBytes * 8 * nsPerSecond) / bps;
    let arrived = 0;
    for (let i = 0; i < count; i++) {
      assert.ok(this.a.send(this.frame), 'the driver has room');
      this.a.driver.poll();
      arrived += this.b.receive().length;
      this.lab.clock.advance(gapNs);
    }
    this.sent += count;
    this.received += arrived;
    return arrived / count;
  }

  /** The same without frames, until a time. */
  until(ns: number, bps: number): void {
    const { clock } = this.lab;
    const step = ns - clock.now();
    this.allowance.out.judge(clock.now());
    const traffic = { bytesPerNs: bps / 8 / nsPerSecond, bytesPerPacket: frameBytes };
    flowThrough(this.allowance.out, traffic, step, () => {});
    clock.advance(step);
  }
}

const samples = 1000;
const atOnceFrames = atOnceBits / 8 / frameBytes;

test('an hour at 80 Gbit/s: bursts until the credits are gone, and then the baseline, exactly', () => {
  const hour = new Hour();
  // What may go at once is used before the credits: 0.1 Gbit, and then 45,000 Gbit at 55 a second.
  const full = gbps(75) * 600;
  const drySeconds = (full + atOnceBits) / gbps(80 - 25);
  for (let n = 0; n < 60; n++) {
    const share = hour.frames(gbps(80), samples);
    const spent = (gbps(55) * hour.lab.clock.now()) / nsPerSecond;
    const left = Math.min(full, Math.max(0, full + atOnceBits - spent));
    assert.ok(
      Math.abs(hour.baseline.credits * 8 - left) <= frameBytes * 8 * 2,
      `minute ${n}: ${hour.baseline.credits * 8} bits of credit, expected ${left}`,
    );
    const expected = n * 60 < drySeconds ? 1 : 25 / 80;
    assert.ok(Math.abs(share - expected) <= 2 / samples, `minute ${n}: ${share} arrived`);
    hour.until((n + 1) * minute, gbps(80));
  }
  assert.equal(hour.lab.clock.now(), 60 * minute);
  assert.equal(hour.a.port.bandwidthOutExceeded, hour.sent - hour.received);
  assert.deepEqual([hour.a.refusals, hour.b.refusals], [[], []]);
});

test('idle minutes earn what they did not use, and a burst of that length follows', () => {
  const hour = new Hour();
  hour.until(20 * minute, gbps(100));
  assert.equal(hour.baseline.credits, 0);
  hour.until(30 * minute, 0);
  // Ten minutes of the baseline, less what the bucket takes first: 15,000 Gbit.
  const earned = gbps(25) * 600 - atOnceBits;
  assert.ok(Math.abs(hour.baseline.credits * 8 - earned) < 1000, `${hour.baseline.credits * 8}`);
  // They last 200 s at 100 Gbit/s, 75 above the baseline.
  hour.until(30 * minute + 199 * nsPerSecond, gbps(100));
  assert.equal(hour.frames(gbps(99), samples), 1);
  hour.until(30 * minute + 202 * nsPerSecond, gbps(100));
  const share = hour.frames(gbps(99), samples);
  assert.ok(Math.abs(share - 25 / 99) <= 2 / samples, `${share} arrived`);
});

test('after a pause as much goes at once as 4 ms bring, and everything is the same each time', () => {
  const run = (): number[] => {
    const hour = new Hour();
    hour.until(20 * minute, gbps(100));
    const shares = [hour.frames(gbps(90), samples)];
    hour.until(hour.lab.clock.now() + 0.004 * nsPerSecond, 0);
    shares.push(hour.frames(gbps(90), 2 * samples), hour.baseline.credits, hour.baseline.level);
    return shares;
  };
  const [before = 0, after = 0, ...rest] = run();
  assert.ok(Math.abs(before - 25 / 90) <= 2 / samples);
  const burst = (atOnceFrames * 90) / 65;
  const expected = Math.min(1, (burst + ((2 * samples - burst) * 25) / 90) / (2 * samples));
  assert.ok(Math.abs(after - expected) <= 4 / samples, `${after} arrived, expected ${expected}`);
  assert.deepEqual(run(), [before, after, ...rest]);
});
