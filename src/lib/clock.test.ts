import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MonotonicClock, nsPerMs, VirtualClock } from './clock.ts';

test('a virtual clock runs each timer at its own time, ties in the order they were set', () => {
  const clock = new VirtualClock();
  const seen: [string, number][] = [];
  const note = (name: string) => () => seen.push([name, clock.now()]);
  clock.after(30, note('c'));
  clock.after(10, note('a'));
  clock.after(10, note('b'));
  clock.after(20, note('never')).cancel();
  clock.advance(29);
  assert.deepEqual(seen, [
    ['a', 10],
    ['b', 10],
  ]);
  clock.advance(1);
  assert.deepEqual(seen.at(-1), ['c', 30]);
  assert.equal(clock.now(), 30);
});

test('a timer may set the next one: a second of keep-alives is ten at 100 ms', () => {
  const clock = new VirtualClock();
  let beats = 0;
  const beat = (): void => {
    beats++;
    clock.after(100 * nsPerMs, beat);
  };
  clock.after(100 * nsPerMs, beat);
  clock.advance(1000 * nsPerMs);
  assert.equal(beats, 10);
});

test('a real clock reports how long its owner may sleep', () => {
  const clock = new MonotonicClock();
  assert.equal(clock.runDue(), Infinity);
  let ran = false;
  clock.after(0, () => {
    ran = true;
  });
  clock.after(600_000 * nsPerMs, () => assert.fail('too early'));
  const sleep = clock.runDue();
  assert.ok(ran);
  assert.ok(sleep > 0 && sleep <= 600_000 * nsPerMs, String(sleep));
});

test('timers that were cancelled wake nobody, wherever they stood', () => {
  const clock = new MonotonicClock();
  const timers = [300, 100, 200, 400].map((ms) => clock.after(ms * nsPerMs, () => assert.fail()));
  for (const i of [2, 1]) timers[i]?.cancel(); // one in the middle, then the first
  assert.ok(clock.runDue() > 250 * nsPerMs);
  for (const timer of timers) timer.cancel();
  assert.equal(clock.runDue(), Infinity);
});

test('a clock that is read says the same as one that is asked', () => {
  const clock = new VirtualClock();
  const time = new Float64Array(1);
  clock.advance(7);
  clock.read(time);
  assert.equal(time[0], 7);
  const real = new MonotonicClock();
  const before = real.now();
  real.read(time);
  assert.ok(before <= (time[0] as number) && (time[0] as number) <= real.now());
});
