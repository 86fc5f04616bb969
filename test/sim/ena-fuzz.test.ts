import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EnaFuzz } from './ena-fuzz.ts';

/**
 * VIRTFN_FUZZ_SECONDS: how long to go on with new seeds; by default a fixed, small set runs.
 * VIRTFN_FUZZ_SEED: the first seed; with VIRTFN_FUZZ_SECONDS=0 the only one, to replay a failure.
 */
const seconds = process.env['VIRTFN_FUZZ_SECONDS'];
const firstSeed = Number(process.env['VIRTFN_FUZZ_SEED'] ?? 1);
const stepsPerSeed = 300;
const defaultSeeds = 16;

/** @returns how the function was reached */
function runSeed(seed: number): string {
  const fuzz = new EnaFuzz(seed);
  try {
    fuzz.run(stepsPerSeed);
  } catch (error) {
    const steps = fuzz.log.map((line) => `  ${line}`).join('\n');
    const replay = `VIRTFN_FUZZ_SECONDS=0 VIRTFN_FUZZ_SEED=${seed} replays this (${fuzz.ways})`;
    throw new Error(`${replay}:\n${steps}`, { cause: error });
  }
  return fuzz.ways;
}

test('a hostile driver breaks nothing but its own function, and that only until its reset', () => {
  const end = performance.now() + Number(seconds ?? 0) * 1000;
  const last = firstSeed + (seconds === undefined ? defaultSeeds - 1 : 0);
  const ways = new Set<string>();
  for (let seed = firstSeed; seed <= last || performance.now() < end; seed++)
    ways.add(runSeed(seed));
  if (seconds !== undefined || firstSeed !== 1) return;
  for (const way of ['posted', 'llq', 'polled', 'shared', 'messages', 'both'])
    assert.match([...ways].join(), new RegExp(way), 'the small set goes every way');
});
