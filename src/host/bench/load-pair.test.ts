import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../lib/clock.ts';
import { makeFabric } from './fabrics.ts';
import { loadedPair } from './load-ends.ts';
import { LoadPair } from './load-pair.ts';
import { mappedGuest } from './load-rings.ts';
import type { PathSpec } from './path-spec.ts';

const small: PathSpec = { nic: 'ena', fabric: 'vpc', bytes: 64, pairs: 1, flows: 3 };
const whole: PathSpec = { ...small, fabric: 'bridge', profile: 'large-receive' };

/** Guests and functions by turns, in one thread. */
function bedOf(spec: PathSpec) {
  const clock = new VirtualClock();
  const fabric = makeFabric(spec, clock);
  const { load, functions, firstFrame } = loadedPair(0, spec, { fabric, clock, checkEvery: 1 });
  const pair = new LoadPair(load.spec, mappedGuest(load.from), mappedGuest(load.to));
  const [sender, receiver] = functions;
  const settle = (): void => {
    sender.poll();
    while (pair.receive() > 0);
    pair.reap();
    receiver.poll();
  };
  return { pair, firstFrame, settle };
}

/** How many frames: past the ends of the receiver's rings. */
for (const [what, spec, frames, pieces] of [
  ['small frames', small, 1100, 1],
  ['frames of an Ethernet', { ...small, fabric: 'bridge', bytes: 1500 }, 1100, 1],
  ['jumbo frames in several buffers', { ...small, bytes: 9001 }, 400, 1],
  ['TSO frames, as their segments', { ...small, bytes: 65_054, mss: 1448 }, 30, 45],
  [...(['TSO frames that stay together', { ...whole, bytes: 65_054, mss: 1448 }, 80, 1] as const)],
] as const satisfies readonly (readonly [string, PathSpec, number, number])[])
  test(`${what}: all that the lean guests send arrives, and a changed byte is found`, () => {
    const { pair, firstFrame, settle } = bedOf(spec);
    let sent = 0;
    while (sent < frames) {
      sent += pair.send();
      settle();
    }
    assert.ok(pair.isQuiet);
    assert.deepEqual([pair.sent, pair.received], [sent, pieces * sent]);
    firstFrame[spec.bytes - 1] = (firstFrame[spec.bytes - 1] as number) ^ 1;
    assert.throws(() => {
      for (let i = 0; i < 1024; i++) {
        pair.send();
        settle();
      }
    }, /byte \d+ of \d+ arrived changed/);
  });

test('no more is on its way than there are buffers for, and nothing is sent for want of completions', () => {
  const { pair, settle } = bedOf(small);
  let sent = 0;
  for (let i = 0; i < 100; i++) sent += pair.send();
  assert.equal(sent, 480);
  assert.equal(pair.sendUpTo(1), 0);
  assert.ok(!pair.isQuiet);
  settle();
  assert.ok(pair.isQuiet);
  assert.equal(pair.sendUpTo(7), 7);
});
