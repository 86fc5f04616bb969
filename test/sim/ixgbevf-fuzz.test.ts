import { test } from 'node:test';
import { IxgbevfFuzz } from './ixgbevf-fuzz.ts';

/** As for ENA's fuzzer: VIRTFN_FUZZ_SECONDS how long, VIRTFN_FUZZ_SEED from which seed. */
const seconds = process.env['VIRTFN_FUZZ_SECONDS'];
const firstSeed = Number(process.env['VIRTFN_FUZZ_SEED'] ?? 1);
const stepsPerSeed = 300;
const defaultSeeds = 8;

function runSeed(seed: number): void {
  const fuzz = new IxgbevfFuzz(seed);
  try {
    fuzz.run(stepsPerSeed);
  } catch (error) {
    const steps = fuzz.log.map((line) => `  ${line}`).join('\n');
    throw new Error(`VIRTFN_FUZZ_SECONDS=0 VIRTFN_FUZZ_SEED=${seed} replays this:\n${steps}`, {
      cause: error,
    });
  }
}

test('a hostile driver of an 82599 VF breaks nothing but its own function, until its reset', () => {
  const end = performance.now() + Number(seconds ?? 0) * 1000;
  const last = firstSeed + (seconds === undefined ? defaultSeeds - 1 : 0);
  for (let seed = firstSeed; seed <= last || performance.now() < end; seed++) runSeed(seed);
});
