import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { modelNames } from '../dataplane/models.ts';
import { hasNic, profileOfType, profileProblem, resolveProfile, specOfType } from './of-type.ts';

const types = InstanceTypes.load();
const named = (name: string) => types.get(name);

test('a card has the link and the queues of its instance type', () => {
  assert.deepEqual(specOfType(named('c6in.32xlarge'), 'ena'), {
    ...{ linkMbps: 170_000, queuePairs: 32 },
  });
  assert.deepEqual(specOfType(named('t3.micro'), 'ena'), { linkMbps: 5000, queuePairs: 2 });
  assert.deepEqual(specOfType(named('m4.large'), '82599vf'), { linkMbps: 10_000 });
  assert.deepEqual(specOfType(named('p5.48xlarge'), 'efa'), { linkMbps: 100_000 });
  assert.deepEqual(specOfType(named('p3.2xlarge'), 'ena'), { linkMbps: 10_000 }, 'not published');
});

test('who has which NIC', () => {
  const of = (name: string) => modelNames.filter((model) => hasNic(named(name), model));
  assert.deepEqual(of('c6in.32xlarge'), ['ena', 'efa']);
  assert.deepEqual(of('c6in.large'), ['ena']);
  assert.deepEqual(of('c4.large'), ['82599vf']);
  assert.deepEqual(of('t2.micro'), []);
});

test('the generation of a card is that of its Nitro version', () => {
  assert.equal(profileOfType(named('m5.large'), 'ena'), 'nitro-v2');
  assert.equal(profileOfType(named('m8i.large'), 'ena'), 'nitro-v6');
  assert.equal(profileOfType(named('i3.large'), 'ena'), null, 'Xen');
  assert.equal(profileOfType(named('c5n.18xlarge'), 'efa'), 'efa0');
  assert.equal(profileOfType(named('p6-b200.48xlarge'), 'efa'), 'efa3');
  assert.notEqual(profileOfType(named('c4.large'), '82599vf'), null);
});

test('a profile is named, or that of the type is asked for', () => {
  assert.equal(resolveProfile('type', named('c6in.large'), 'ena'), 'nitro-v4');
  assert.equal(resolveProfile('nitro-v5', named('c6in.large'), 'ena'), 'nitro-v5');
  assert.equal(profileProblem('type', named('c6in.large'), 'ena'), undefined);
  assert.match(
    profileProblem('type', named('i3.large'), 'ena') ?? '',
    /by its name, as the generation of i3\.large is not known: permissive, .*nitro-v2/,
  );
  assert.match(
    profileProblem('nitro-v9', named('c6in.large'), 'ena') ?? '',
    /^expected a profile of ENA: permissive, .*nitro-v6.*; or type: that of the instance type$/,
  );
});
