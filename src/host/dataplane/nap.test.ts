import assert from 'node:assert/strict';
import { test } from 'node:test';
import { napMs } from './nap.ts';

test('a worker spins after work, then naps longer and longer, twenty milliseconds at most', () => {
  const cases: readonly [idleMs: number, napMs: number][] = [
    [0, 0],
    [0.04, 0],
    [0.05, 0.05],
    [5, 0.05],
    [100, 1],
    [500, 5],
    [1000, 10],
    [2000, 20],
    [1e9, 20],
  ];
  for (const [idle, nap] of cases) assert.equal(napMs(idle), nap, `after ${idle} ms`);
});

test('an hour of idleness is fifty looks a second', () => {
  let looks = 0;
  for (let idleMs = 0.05; idleMs < 3_600_000; idleMs += napMs(idleMs)) looks++;
  assert.ok(looks / 3600 < 51, `${looks} looks`);
});
