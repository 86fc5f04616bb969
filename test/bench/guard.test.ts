/**
 * Whether the data path is as fast as it was, roughly: ratios of things that take turns, with bounds
 * that a busy machine keeps, too. A ratio that does not is measured once more before it counts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, ratioOf } from '../../src/host/bench/figures.ts';
import { copyContender, pathContender } from '../../src/host/bench/own.ts';
import { type Contender, measureByTurns } from '../../src/host/bench/turns.ts';

/** A third to a half of what was seen on a machine that had other work to do. */
const bounds: readonly { of: string; to: string; least: number }[] = [
  { of: 'path.bridge.64', to: 'copy.64', least: 0.03 },
  { of: 'path.bridge.1500', to: 'copy.1500', least: 0.04 },
  { of: 'path.vpc.64', to: 'path.bridge.64', least: 0.25 },
];
const turns = { rounds: 5, ms: 80 };

test('frames cost no more copies than they did, and a VPC no more Ethernets', async () => {
  const contenders: Contender[] = [];
  try {
    for (const bytes of [64, 1500]) {
      contenders.push(await copyContender(bytes));
      const [id, title] = [`path.bridge.${bytes}`, `Ethernet, ${bytes} B`];
      contenders.push(await pathContender(id, title, { fabric: 'bridge', bytes }));
    }
    contenders.push(await pathContender('path.vpc.64', 'VPC, 64 B', {}));
    const first = await tooSmall(contenders);
    const again = first.length === 0 ? [] : await tooSmall(contenders);
    assert.deepEqual(again, [], `twice: ${first.join(', ')}`);
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()));
  }
});

/** What is below its bound now, in words. */
async function tooSmall(contenders: readonly Contender[]): Promise<string[]> {
  const { signal } = new AbortController();
  const { figures, absent } = await measureByTurns('guard', contenders, turns, () => {}, signal);
  assert.deepEqual(absent, []);
  const byId = new Map(figures.map((figure): [string, Figure] => [figure.id, figure]));
  return bounds.flatMap(({ of, to, least }) => {
    const ratio = ratioOf(byId.get(of), byId.get(to));
    assert.ok(ratio !== null, `${of} and ${to} were measured`);
    return ratio.median >= least ? [] : [`${of} is ${ratio.median.toFixed(3)} of ${to}`];
  });
}
