import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkVpcModel } from './check-model.ts';
import type { NetworkInterface } from './model.ts';
import { nic, testModel } from './testing-model.ts';

const instances = [{ id: 'i-1', name: 'one', type: 'p5.48xlarge' }];
const own = (letter: string, more: Partial<NetworkInterface>): NetworkInterface =>
  nic(letter, 0, { instance: 'i-1', ...more });
const alone = { interfaceType: 'efa-only', addresses: [], ipv6Addresses: [] } as const;
const problemsOf = (...interfaces: readonly NetworkInterface[]): readonly string[] =>
  checkVpcModel(testModel({ instances, interfaces }));

test('an EFA beside an ENA, and one by itself on each other card, are what EC2 attaches', () => {
  assert.deepEqual(
    problemsOf(
      own('a', { interfaceType: 'efa' }),
      own('b', { ...alone, networkCardIndex: 1, deviceIndex: 0 }),
      own('c', { ...alone, networkCardIndex: 2, deviceIndex: 0 }),
    ),
    [],
  );
  assert.deepEqual(problemsOf(own('a', {}), own('b', { ...alone, deviceIndex: 1 })), []);
});

test('an EFA alone has no address', () => {
  const [problem, ...more] = problemsOf(
    own('a', {}),
    own('b', { interfaceType: 'efa-only', deviceIndex: 1 }),
  );
  assert.match(problem ?? '', /^eni-b is efa-only and has the address 10\.0\.0\.12: /);
  assert.deepEqual(more, []);
});

test('a primary interface is no EFA alone', () => {
  assert.deepEqual(problemsOf(own('a', alone)), [
    'eni-a is efa-only and the primary interface of i-1: give it a device index above 0',
  ]);
});

test('a network card has one EFA', () => {
  assert.deepEqual(
    problemsOf(own('a', { interfaceType: 'efa' }), own('b', { ...alone, deviceIndex: 1 })),
    ["eni-b: network card 0 of i-1 has eni-a's EFA: a card has one, choose another"],
  );
});
