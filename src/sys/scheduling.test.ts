import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { askForShortTurns } from './scheduling.ts';

/** The calling thread's turn as the kernel has it, in nanoseconds; null where it does not say. */
function turnNs(): number | null {
  let text: string;
  try {
    text = readFileSync('/proc/thread-self/sched', 'utf8');
  } catch {
    return null; // a kernel without CONFIG_SCHED_DEBUG
  }
  const found = /^se\.slice\s*:\s*(\d+)/m.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

test('a thread that asks for short turns has them', (t) => {
  const before = turnNs();
  if (before === null) return t.skip('the kernel does not say how long a turn is');
  for (const ns of [200_000, 100_000]) {
    assert.ok(askForShortTurns(ns), 'an ordinary thread may ask');
    assert.equal(turnNs(), ns);
  }
  assert.notEqual(before, 100_000);
});
