import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from './clock.ts';
import { OneShots } from './one-shots.ts';

test('each place fires once, at the earliest time that was asked, and not when it was cancelled', () => {
  const clock = new VirtualClock();
  const fired: [place: number, at: number][] = [];
  const shots = new OneShots(3, clock, (place) => fired.push([place, clock.now()]));
  shots.start(0, 100);
  shots.start(0, 10);
  shots.start(0, 200);
  shots.start(1, 50);
  shots.cancel(1);
  shots.start(2, 0);
  clock.advance(1000);
  assert.deepEqual(fired, [
    [2, 0],
    [0, 10],
  ]);
  shots.start(0, 5);
  shots.start(1, 5);
  shots.cancelAll();
  clock.advance(1000);
  assert.equal(fired.length, 2);
});
