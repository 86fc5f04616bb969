import assert from 'node:assert/strict';
import { test } from 'node:test';
import { familyOf } from '../instance-type.ts';
import { InstanceTypes } from '../instance-types.ts';
import { conditionsOf, select, type Wishes } from './select.ts';

const types = InstanceTypes.load().all();
const find = (wishes: Wishes) => select(types, conditionsOf(wishes));
const names = (wishes: Wishes) => find(wishes).found.map(({ name }) => name);

test('each condition holds for all that is found, and for nothing that is left out', () => {
  const wishes: [Wishes, (type: (typeof types)[number]) => boolean][] = [
    [{ ena: 'supported' }, ({ ena }) => ena === 'supported'],
    [{ efa: true }, ({ efaInterfaces }) => efaInterfaces > 0],
    [{ efa: false }, ({ efaInterfaces }) => efaInterfaces === 0],
    [{ vf82599: true }, ({ vf82599 }) => vf82599],
    [{ hypervisor: 'metal' }, ({ hypervisor }) => hypervisor === 'metal'],
    [{ arch: 'arm64' }, ({ architectures }) => architectures.includes('arm64')],
    [{ minGbps: 100 }, ({ peakGbps }) => peakGbps >= 100],
    [{ minBaselineGbps: 100 }, ({ baselineGbps }) => baselineGbps >= 100],
    [{ minVcpus: 64, maxVcpus: 96 }, ({ vcpus }) => vcpus >= 64 && vcpus <= 96],
    [{ minMemoryGib: 1024 }, ({ memoryMib }) => memoryMib >= 1024 * 1024],
    [{ minInterfaces: 15 }, ({ maxInterfaces }) => maxInterfaces >= 15],
    [{ minQueues: 32 }, ({ maxQueues }) => maxQueues !== null && maxQueues >= 32],
    [{ enaExpress: true }, ({ enaExpress }) => enaExpress],
    [{ encryption: true }, ({ encryptionInTransit }) => encryptionInTransit],
    [{ family: 'c*' }, (type) => familyOf(type).startsWith('c')],
    [{ pattern: '*.metal' }, ({ name }) => name.endsWith('.metal')],
  ];
  for (const [wish, holds] of wishes) {
    const { found } = find(wish);
    assert.deepEqual(found, types.filter(holds), JSON.stringify(wish));
    assert.ok(found.length > 0 && found.length < types.length, JSON.stringify(wish));
  }
});

test('a pattern without a dot is a family, and dots are dots', () => {
  assert.ok(names({ pattern: 'c6in' }).every((name) => name.startsWith('c6in.')));
  assert.ok(names({ pattern: 'C6?n' }).includes('c6gn.large'));
  assert.deepEqual(names({ pattern: 'c5.l*' }), ['c5.large']);
  assert.deepEqual(names({ pattern: 'c5.larg.' }), []);
  assert.deepEqual(names({ pattern: '(c5|m5).large' }), []);
});

test('nothing found: each condition that alone is in the way, and what comes nearest', () => {
  const { found, misses } = find({ minGbps: 500, maxVcpus: 16 });
  assert.equal(found.length, 0);
  assert.deepEqual(
    misses.map(({ condition }) => condition.said),
    ['--min-gbps 500', '--max-vcpus 16'],
  );
  const [gbps, vcpus] = misses;
  const small = types.filter((type) => type.vcpus <= 16);
  assert.equal(gbps?.others, small.length);
  assert.equal(gbps?.nearest.peakGbps, Math.max(...small.map(({ peakGbps }) => peakGbps)));
  const fast = types.filter(({ peakGbps }) => peakGbps >= 500);
  assert.equal(vcpus?.nearest.vcpus, Math.min(...fast.map((type) => type.vcpus)));
});

test('where two conditions must go there is no single one to name', () => {
  const { misses } = find({ vf82599: true, efa: true, minGbps: 100_000 });
  assert.deepEqual(misses, []);
});
