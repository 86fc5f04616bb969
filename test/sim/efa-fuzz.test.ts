import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EfaFuzz } from './efa-fuzz.ts';

const steps = 3000;
const fixedSeeds = [1, 2, 3, 4];
const seconds = Number(process.env['VIRTFN_FUZZ_SECONDS'] ?? 5);
const given = process.env['VIRTFN_FUZZ_SEED'];

function run(seed: number): EfaFuzz {
  const fuzz = new EfaFuzz(seed);
  try {
    fuzz.run(steps);
  } catch (error) {
    console.error(`replay with VIRTFN_FUZZ_SEED=${seed}\n${fuzz.log.join(', ')}`);
    throw error;
  }
  return fuzz;
}

test('a hostile EFA guest harms nobody', () => {
  const broken = new Set<string>();
  for (const seed of given === undefined ? fixedSeeds : [Number(given)])
    for (const rule of Object.keys(run(seed).refusals.counts())) broken.add(rule);
  if (given === undefined) assert.ok(broken.size > 30, `it broke only ${broken.size} rules`);
});

test('a hostile EFA guest harms nobody, by seeds of today', () => {
  const end = performance.now() + seconds * 1000;
  for (let seed = Date.now() % 1e9; performance.now() < end && given === undefined; seed++)
    run(seed);
});
