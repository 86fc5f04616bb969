import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { EnaFuzz } from './ena-fuzz.ts';

const steps = 300;
let fastFrames = 0;
const name = 'a hostile driver breaks nothing but its own function, and that only until its reset';

seededTimes(16, name, (_, seed) => {
  const fuzz = new EnaFuzz(seed);
  try {
    fuzz.run(steps);
    fastFrames += fuzz.fastFrames;
  } catch (cause) {
    throw new Error([fuzz.ways, ...fuzz.log].join('\n  '), { cause });
  }
});

test('hostile drivers go every way', (t) => {
  t.diagnostic(`${fastFrames} frames by the fast path`);
  const ways = Array.from({ length: 16 }, (_, seed) => new EnaFuzz(1 + seed).ways).join();
  for (const way of ['posted', 'llq', 'polled', 'shared', 'messages', 'both', 'fast'])
    assert.match(ways, new RegExp(way));
});
