import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PathSpec } from './path-spec.ts';
import { ThreadedBed } from './threaded-bed.ts';

const spec: PathSpec = { nic: 'ena', fabric: 'vpc', bytes: 101, pairs: 2, flows: 5 };

test('guests on a thread of their own: all arrives, at full load and each at its time, and a changed byte is found', async () => {
  const bed = await ThreadedBed.start(spec, 1);
  try {
    const slice = await someOf(() => bed.run(5));
    assert.ok(slice.ns > 0 && slice.guestsNs > 0 && slice.realNs >= 5e6);
    for (const of of ['frames', 'lines', 'served'] as const) {
      const { latency, frames } = await someOf(() => bed.pace(10, 1e-4, of));
      assert.equal(
        latency?.counts.reduce((sum, count) => sum + count, 0),
        frames,
      );
    }
    bed.firstFrame[100] = (bed.firstFrame[100] as number) ^ 1;
    assert.throws(() => {
      for (let i = 0; i < 100; i++) bed.run(5);
    }, /byte \d+ of \d+ arrived changed/);
  } finally {
    await bed.close();
  }
});

/** On a machine that is too busy nothing may have had a turn. */
async function someOf<T extends { frames: number }>(run: () => T | Promise<T>): Promise<T> {
  for (let left = 100; ; left--) {
    const found = await run();
    if (found.frames > 0) return found;
    assert.ok(left > 0, 'no frame was carried');
  }
}
