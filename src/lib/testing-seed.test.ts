import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSeeds } from './testing-seed.ts';

const context = { name: 'x', diagnostic: () => {} };

async function seedsOf(count: number, env: NodeJS.ProcessEnv): Promise<number[]> {
  const seen: number[] = [];
  await withSeeds(count, (_, seed) => void seen.push(seed), env)(context);
  return seen;
}

test('in CI the seeds are the same each time; elsewhere they differ', async () => {
  assert.deepEqual(await seedsOf(3, { CI: 'true' }), [1, 2, 3]);
  const [one = 0, two = 0] = await seedsOf(2, {});
  assert.equal(two, one + 1);
  const others = await Promise.all([1, 2, 3, 4].map(() => seedsOf(1, {})));
  assert.ok(new Set([one, ...others.flat()]).size > 1);
});

test('a seed that is given is the only one, wherever; a time goes on from it', async () => {
  assert.deepEqual(await seedsOf(3, { VIRTFN_FUZZ_SEED: '7', CI: 'true' }), [7]);
  const many = await seedsOf(1, { VIRTFN_FUZZ_SEED: '7', VIRTFN_FUZZ_SECONDS: '0.01' });
  assert.ok(many.length > 1 && many.every((seed, i) => seed === 7 + i));
});

test('a failure says which seed it was, and how to see it again', async () => {
  const body = (_: unknown, seed: number): void => assert.notEqual(seed, 3);
  await assert.rejects(withSeeds(5, body, { CI: '1' })(context), (error: Error) => {
    assert.match(error.message, /VIRTFN_FUZZ_SEED=3 node --test \S*testing-seed\.test\.js replays/);
    return error.cause instanceof assert.AssertionError;
  });
});
