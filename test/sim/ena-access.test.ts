/** Three ways to reach the card, the same results: doorbells trapped and posted, awaited, polled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../src/lib/prng.ts';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { plainFrame } from './naive-packets.ts';

const accesses = ['posted', 'llq', 'polled'] as const;

/** Everything that a driver could notice of a run: frames, completions, interrupts, statistics. */
function run(access: (typeof accesses)[number], seed: number): unknown[] {
  const prng = new Prng(seed);
  const [lab, a, b] = pair({
    device: { access },
    driver: { queuePairs: 2, txDepth: 64, rxDepth: 32, placement: 'device' },
    memoryBytes: 4 << 20,
  });
  const look = (): void => {
    while ([a, b].some(({ device }) => device.poll()));
  };
  look();
  const noticed: unknown[] = [];
  const both: [SimGuest, SimGuest][] = [
    [a, b],
    [b, a],
  ];
  for (let round = 0; round < 200; round++) {
    const [from, to] = prng.pick(both);
    const queue = prng.below(2);
    for (let i = prng.below(6); i >= 0; i--) {
      const frame = plainFrame(from.mac, to.mac, 60 + prng.below(1400), round);
      from.driver.tx[queue]?.send(frame, 0, frame.length);
    }
    from.driver.tx[queue]?.kick();
    look();
    if (prng.oneIn(2)) from.driver.arm(prng.below(3) * 50, prng.below(3) * 50);
    if (prng.oneIn(3)) lab.clock.advance(prng.below(200_000));
    if (!prng.oneIn(4)) noticed.push(to.receive().map((frame) => [...frame]));
    look();
    from.driver.poll();
    look();
    noticed.push([...from.interrupts], [...to.interrupts]);
    noticed.push(from.driver.tx.map((tx) => [tx.sentFrames, tx.completedFrames]));
  }
  noticed.push(a.driver.stats(), b.driver.stats(), a.counters(), b.counters());
  assert.deepEqual([...a.refusals, ...b.refusals], []);
  assert.deepEqual([a.driver.fault, b.driver.fault], [null, null]);
  return noticed;
}

const alike = 'doorbells posted, awaited and polled have the same results, interrupts included';
seededTimes(5, alike, (_, seed) => {
  const [posted, ...others] = accesses.map((access) => run(access, seed));
  for (const other of others) assert.deepEqual(other, posted);
});

test('an unmask between two looks at mapped doorbells is not lost', () => {
  for (const access of accesses) {
    const [, a, b] = pair({ device: { access } });
    const look = (): void => {
      while ([a, b].some(({ device }) => device.poll()));
    };
    look();
    for (let i = 0; i < 50; i++) {
      const before = b.interrupts[1] ?? 0;
      assert.ok(a.send(plainFrame(a.mac, b.mac, 100, i)));
      if (i % 2 === 0) look();
      b.driver.arm(); // the doorbell may be seen before or after this
      b.driver.arm();
      look();
      assert.equal(b.interrupts[1], before + 1, `${access}, ${i}`);
      assert.equal(b.receive().length, 1);
      look();
    }
  }
});
