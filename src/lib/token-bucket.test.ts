import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond } from './clock.ts';
import { TokenBucket } from './token-bucket.ts';

test('a second at 8 Mbit/s is a megabyte, after the first burst', () => {
  const bucket = new TokenBucket(8e6, 10_000, 0);
  let now = 0;
  let sent = 0;
  while (now < nsPerSecond) {
    const wait = bucket.waitNs(now);
    if (wait > 0) {
      now += wait;
      continue;
    }
    bucket.spend(1500);
    sent += 1500;
  }
  assert.ok(Math.abs(sent - 1_010_000) <= 3000, String(sent));
});

test('idle time fills the bucket up to its size and no further', () => {
  const bucket = new TokenBucket(8e6, 10_000, 0);
  bucket.spend(10_000);
  assert.equal(bucket.waitNs(3600 * nsPerSecond), 0);
  bucket.spend(10_001);
  assert.ok(bucket.waitNs(3600 * nsPerSecond) > 0);
});
