import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyModel } from '../../vpc/defaults.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { captureOf } from './captures.ts';
import type { FunctionConfig } from './config.ts';
import { placeFunctions } from './placement.ts';

/** `a` is instance a's ENA, `a*` its EFA. */
const functions = (text: string): FunctionConfig[] =>
  text.split(' ').map((one, i) => ({
    ...{ name: `vf${i}`, instance: one.replace('*', ''), socket: `${i}`, mac: '', linkMbps: 1 },
    model: one.endsWith('*') ? 'efa' : 'ena',
  }));

const placed = (text: string, workers: number): string =>
  placeFunctions(functions(text), workers).join(' ');

test('functions are spread evenly, those of an instance together', () => {
  assert.equal(placed('a b c d', 1), '0 0 0 0');
  assert.equal(placed('a b c d', 2), '0 1 0 1');
  assert.equal(placed('a a a b c', 2), '0 0 0 1 1');
  assert.equal(placed('a b a', 2), '0 1 0');
});

test('EFAs, and what else their instances have, are in the first worker', () => {
  assert.equal(placed('a b c* c', 2), '1 1 0 0');
  assert.equal(placed('a* b* c*', 4), '0 0 0');
  assert.equal(placed('a b* c d', 3), '1 0 2 0');
});

test('a cluster placement group fills one worker before the next one, and takes nobody more than its share', () => {
  /** `x` and `y` are clusters, `s` is spread; an instance `xa` is in `x`, `a` in none. */
  const vpcOf = (text: string): VpcModel => ({
    ...emptyModel,
    placementGroups: ['x', 'y', 's'].map((id) => ({
      ...{ id, name: id, strategy: id === 's' ? 'spread' : 'cluster' },
    })),
    instances: text.split(' ').map((id) => ({
      ...{ id, name: id, type: 'c6i.large' },
      ...(id.length > 1 && { placementGroup: id.slice(0, 1) }),
    })),
    interfaces: text.split(' ').map((instance, i) => ({
      ...{ id: `eni-${i}`, subnet: '', mac: `02:00:00:00:00:a${i}`, addresses: [], groups: [] },
      instance,
    })),
  });
  const placedIn = (text: string, workers: number): string => {
    const all = functions(text).map((fn, i) => ({ ...fn, mac: `02:00:00:00:00:A${i}` }));
    return placeFunctions(all, workers, vpcOf(text)).join(' ');
  };
  assert.equal(placedIn('xa a xb b', 2), '0 1 0 1');
  assert.equal(placedIn('xa ya xb yb', 2), '0 1 0 1');
  assert.equal(placedIn('sa sb xa xb', 2), '1 1 0 0');
  assert.equal(placedIn('xa xb xc xd', 2), '0 0 1 1');
  assert.equal(placedIn('a b xa xb xc c', 2), '1 1 0 0 0 1');
  assert.equal(placedIn('sa sb sc sd', 2), '0 1 0 1');
});

test('functions without an instance stand alone, and workers without functions are not there', () => {
  const alone = functions('a b c').map(({ instance: _, ...fn }) => fn);
  assert.deepEqual(placeFunctions(alone, 8), [0, 1, 2]);
  assert.deepEqual(placeFunctions([], 8), []);
});

test('each worker captures to a file of its own', () => {
  assert.equal(captureOf('a.b/run.pcapng', 0), 'a.b/run.pcapng');
  assert.equal(captureOf('a.b/run.pcapng', 2), 'a.b/run-2.pcapng');
  assert.equal(captureOf('a.b/run', 1), 'a.b/run-1');
});
