import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePolicy } from './compile.ts';
import type { VpcModel } from './model.ts';
import { shareModel } from './share-model.ts';
import { everything, nic, testModel } from './testing-model.ts';

const model = testModel({
  securityGroups: [everything('sg-0'), everything('sg-1'), everything('sg-2')],
});
const copy = (): VpcModel => structuredClone(model);

test('a copy of a model becomes the model again, list by list', () => {
  const shared = shareModel(model, copy());
  for (const list of Object.keys(model) as (keyof VpcModel)[])
    assert.equal(shared[list], model[list], list);
  assert.equal(shareModel(model, model), model);
});

test('what differs stays as it is, and what has moved is found', () => {
  const next = copy();
  const [zero, one, two] = next.securityGroups;
  assert.ok(zero && one && two);
  const changed = { ...one, inbound: one.inbound.slice(1) };
  const shared = shareModel(model, { ...next, securityGroups: [two, changed, everything('sg-9')] });
  assert.equal(shared.securityGroups[0], model.securityGroups[2]);
  assert.deepEqual(shared.securityGroups[1], changed);
  assert.equal(shared.securityGroups[2]?.id, 'sg-9');
  assert.equal(shared.interfaces, model.interfaces);
});

test('a field more, a field less, another order or kind is another thing', () => {
  const others: Partial<VpcModel>[] = [
    { interfaces: [nic('a', 0, { sourceDestCheck: false }), nic('b', 0), nic('c', 1)] },
    { interfaces: [nic('a', 0), nic('b', 0), nic('c', 1, { groups: [] })] },
    { interfaces: [nic('a', 0, { groups: ['sg-1', 'sg-2'] }), nic('b', 0), nic('c', 1)] },
  ];
  for (const other of others) {
    const next = { ...copy(), ...other };
    assert.deepEqual(shareModel(model, next), next);
    assert.deepEqual(shareModel(next, copy()), copy());
  }
  const { ipv6Addresses: _gone, ...without } = nic('a', 0);
  const next = { ...copy(), interfaces: [without, nic('b', 0), nic('c', 1)] };
  assert.deepEqual(shareModel(model, next), next);
  assert.deepEqual(shareModel(next, copy()), copy());
});

test('a model that came by message costs what has changed in it', () => {
  const first = compilePolicy(model, 1);
  const next = shareModel(model, {
    ...copy(),
    securityGroups: copy().securityGroups.map((group) =>
      group.id === 'sg-1' ? { ...group, inbound: [] } : group,
    ),
  });
  const second = compilePolicy(next, 2, first);
  assert.deepEqual(
    second.groups.map((group, i) => group === first.groups[i]),
    [true, false, true],
  );
  assert.equal(second.nics, first.nics);
});
