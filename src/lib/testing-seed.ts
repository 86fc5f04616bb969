/**
 * Chance in tests. In CI a random test runs with the same seeds each time, so that it fails for what
 * was changed and never by luck; elsewhere each run begins at a seed of its own and sees something
 * new. A failure names its seed: VIRTFN_FUZZ_SEED repeats it, VIRTFN_FUZZ_SECONDS goes on from there.
 */
import { relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Prng } from './prng.ts';

/** What is tested, with what `seed` makes of it. */
type Body = (random: Prng, seed: number) => void | Promise<void>;
type TestFunction = (t: Pick<TestContext, 'name' | 'diagnostic'>) => Promise<void>;

const fixedSeed = 1;

/** A test with one seed of the run's own choice. */
export const seeded = (name: string, body: Body): void => seededTimes(1, name, body);

/** A test with `count` seeds, from the first one on. */
export function seededTimes(count: number, name: string, body: Body): void {
  test(name, withSeeds(count, body));
}

/** The function of a test with `count` seeds; who gives a seed wants that one alone. */
export function withSeeds(count: number, body: Body, env = process.env): TestFunction {
  const [, url] = /(file:\S+\.test\.[jt]s)/.exec(new Error().stack ?? '') ?? [];
  const file = url === undefined ? '' : relative('', fileURLToPath(url));
  return async (t) => {
    const { CI, VIRTFN_FUZZ_SEED: given, VIRTFN_FUZZ_SECONDS: seconds = '0' } = env;
    const chosen = CI === undefined ? Math.floor(Math.random() * 2 ** 31) : fixedSeed;
    const first = given === undefined ? chosen : Number(given);
    const last = first + (given === undefined ? count : 1) - 1;
    const end = performance.now() + Number(seconds) * 1000;
    let seed = first;
    for (; seed <= last || performance.now() < end; seed++) {
      try {
        await body(new Prng(seed), seed);
      } catch (cause) {
        throw new Error(`VIRTFN_FUZZ_SEED=${seed} node --test ${file} replays this`, { cause });
      }
    }
    if (seconds !== '0') t.diagnostic(`${t.name}: ${seed - first} seeds from ${first} on`);
  };
}
