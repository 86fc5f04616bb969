import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from '../../lib/clock.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { Allowance, type AllowanceLimits } from './allowance.ts';
import { flowThrough, type Stretch } from './fluid.ts';
import { verdict } from './gate.ts';
import { Meter } from './meter.ts';

const close = (a: number, b: number, by: number, what: string): void =>
  assert.ok(Math.abs(a - b) <= by, `${what}: ${a}, expected ${b}`);

test('a meter lets so much go at once, so much wait, and nothing more', () => {
  // 1000 units a second, 10 at once, 5 may wait.
  const meter = new Meter({ perSecond: 1000, atOnce: 10, patience: 5 }, 0);
  meter.take(10);
  assert.deepEqual([meter.isOpen, meter.isShut, meter.delayNs()], [false, false, 0]);
  meter.take(4);
  assert.equal(meter.delayNs(), 4e6, 'four units at one a millisecond');
  meter.take(1);
  assert.equal(meter.isShut, true);
  meter.refresh(3e6);
  assert.equal(meter.level, -2);
  meter.refresh(nsPerSecond);
  assert.equal(meter.level, 10, 'no more than may go at once');
});

test('credits are spent last, and earned by what was not used', () => {
  const spec = { perSecond: 1000, atOnce: 10, patience: 5, credits: 100, refill: 0.5 };
  const meter = new Meter(spec, 0);
  meter.take(60);
  assert.deepEqual([meter.level, meter.credits], [0, 50]);
  meter.refresh(10e6);
  assert.deepEqual([meter.level, meter.credits], [10, 50], 'the level first');
  meter.refresh(30e6);
  assert.deepEqual([meter.level, meter.credits], [10, 60], 'half of 20');
  meter.take(75);
  assert.deepEqual([meter.level, meter.credits, meter.isOpen], [-5, 0, false]);
});

/** As c5.large has them: 0.75 Gbit/s, 10 for 7 minutes. */
const large: AllowanceLimits = {
  out: { baselineBps: 0.75e9, burstBps: 10e9, creditBits: 420 * 9.25e9 },
  queueMs: 10,
};

test('at full burst the credits of 7 minutes last 7 minutes', () => {
  const { out } = new Allowance(large, 0);
  const stretches: (Stretch & { at: number })[] = [];
  let at = 0;
  const traffic = { bytesPerNs: 10 / 8, bytesPerPacket: 9014 };
  flowThrough(out, traffic, 3600 * nsPerSecond, (stretch) => {
    stretches.push({ ...stretch, at });
    at += stretch.ns;
  });
  // What may go at once (4 ms of the baseline: 3 Mbit) lasts a third of a millisecond longer.
  const dry = (420 + 0.003 / 9.25) * nsPerSecond;
  const first = stretches.find(({ waits }) => waits);
  close(first?.at ?? 0, dry, 1, 'runs dry');
  const last = stretches.at(-1);
  assert.equal(last?.taken, 0.075, 'from then on the baseline');
  // The queue, 10 ms of the baseline, fills by 9.25 Gbit/s.
  close(last?.at ?? 0, dry + (0.0075 / 9.25) * nsPerSecond, 1, 'drops');
  close(at, 3600 * nsPerSecond, 1, 'all of the hour');
});

test('an idle hour earns what an hour of the baseline is', () => {
  const { out } = new Allowance(large, 0);
  const [baseline] = out.bytes;
  const ignore = (): void => {};
  flowThrough(out, { bytesPerNs: 10 / 8, bytesPerPacket: 1514 }, 1000 * nsPerSecond, ignore);
  assert.equal(baseline?.credits, 0);
  flowThrough(out, { bytesPerNs: 0, bytesPerPacket: 1514 }, 3600 * nsPerSecond, ignore);
  // 10 ms of debt and 4 ms to go at once are paid first.
  close((baseline?.credits ?? 0) * 8, 0.75e9 * (3600 - 0.014), 100, 'bits of credit');
});

seeded('frame by frame and by rates, random traffic comes to the same within a frame', (random) => {
  for (let run = 0; run < 20; run++) {
    const baselineBps = 1e6 * (1 + random.below(50));
    const limits: AllowanceLimits = {
      out: {
        baselineBps,
        burstBps: baselineBps * (1 + random.below(8)),
        creditBits: baselineBps * random.below(5),
      },
      packetsPerSecond: 2000 + random.below(20_000),
      creditRefill: random.pick([1, 1, 0.5]),
      queueMs: random.below(20),
    };
    const byRate = new Allowance(limits, 0).out;
    const byFrame = new Allowance(limits, 0).out;
    let now = 0;
    let bytes = 0;
    let taken = 0;
    let segments = 0;
    for (let segment = 0; segment < 8; segment++) {
      const size = 64 + random.below(1450);
      const gapNs = Math.round(
        (size * 8 * nsPerSecond) / (baselineBps * (0.2 + random.below(40) / 4)),
      );
      const frames = 500 + random.below(2000);
      const ns = frames * gapNs;
      for (let i = 0; i < frames; i++) {
        if (byFrame.judge(now + i * gapNs) === verdict.never) continue;
        byFrame.take(size, 1);
        bytes += size;
      }
      flowThrough(byRate, { bytesPerNs: size / gapNs, bytesPerPacket: size }, ns, (stretch) => {
        taken += (stretch.ns * stretch.taken * size) / gapNs;
      });
      now += ns;
      segments++;
      byFrame.judge(now);
      // A frame of slack for each change of the rate.
      const slack = 2 * 1514 * segments;
      close(bytes, taken, slack, `run ${run}, segment ${segment}: bytes`);
    }
  }
});

test('both directions share the packets, and each has its own bits', () => {
  const both = { baselineBps: 8e6, burstBps: 8e6, creditBits: 0 };
  const { in: into, out } = new Allowance({ in: both, out: both, packetsPerSecond: 1000 }, 0);
  assert.equal(into.packets, out.packets);
  out.take(9234, 2);
  assert.equal(out.judge(0), verdict.later);
  assert.equal(into.judge(0), verdict.now, 'its bytes are all there');
  into.take(100, 2);
  assert.equal(into.judge(0), verdict.later);
});
