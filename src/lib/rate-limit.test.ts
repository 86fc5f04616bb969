import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerMs, nsPerSecond } from './clock.ts';
import { RateLimit } from './rate-limit.ts';

const taken = (limit: RateLimit, tries: number, now: number): number => {
  let count = 0;
  for (let i = 0; i < tries; i++) if (limit.take(now)) count++;
  return count;
};

test('a second holds exactly its events, however they come', () => {
  const limit = new RateLimit(1024, 0);
  assert.equal(taken(limit, 5000, 0), 1024, 'all at once');
  assert.equal(taken(limit, 5000, nsPerSecond / 2), 512, 'half a second later');
  assert.equal(taken(limit, 5000, 100 * nsPerSecond), 1024, 'an idle time earns no more');
});

test('what comes no faster than the rate is never refused', () => {
  const limit = new RateLimit(1000, 0, 1);
  for (let ms = 0; ms < 3000; ms++) assert.ok(limit.take(ms * nsPerMs), `at ${ms} ms`);
  assert.ok(!limit.take(2999 * nsPerMs));
});
