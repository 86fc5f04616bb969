import assert from 'node:assert/strict';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { EfaFuzz } from './efa-fuzz.ts';

const steps = 3000;
const guests = 4;

function run(seed: number): EfaFuzz {
  const fuzz = new EfaFuzz(seed);
  try {
    fuzz.run(steps);
  } catch (cause) {
    throw new Error(`guest ${seed}: ${fuzz.log.join(', ')}`, { cause });
  }
  return fuzz;
}

seededTimes(3, 'hostile EFA guests break rules, and harm nobody', (_, seed) => {
  const broken = new Set<string>();
  for (let guest = seed * guests; guest < (seed + 1) * guests; guest++)
    for (const rule of Object.keys(run(guest).refusals.counts())) broken.add(rule);
  assert.ok(broken.size > 30, `they broke only ${broken.size} rules`);
});
