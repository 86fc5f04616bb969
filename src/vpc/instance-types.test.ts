import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from './instance-types.ts';

const types = InstanceTypes.load();

test('the catalogue says when it was made and where its facts are from', () => {
  assert.match(types.provenance, /from published API results .* as of 20\d\d-\d\d-\d\d/);
  assert.ok(types.names().length > 1300);
});

test('known types have the network that EC2 publishes for them', () => {
  assert.deepEqual(types.get('c6i.large'), {
    name: 'c6i.large',
    vcpus: 2,
    memoryMib: 4096,
    hypervisor: 'nitro',
    architectures: ['x86_64'],
    ena: 'required',
    enaExpress: false,
    efaInterfaces: 0,
    vf82599: false,
    encryptionInTransit: true,
    performance: 'Up to 12.5 Gigabit',
    baselineGbps: 0.781,
    peakGbps: 12.5,
    networkCards: 1,
    cards: [
      {
        maxInterfaces: 3,
        baselineGbps: 0.781,
        peakGbps: 12.5,
        queues: 2,
        maxQueuesPerInterface: 2,
        maxQueues: 6,
        flexibleInterfaces: 0,
      },
    ],
    maxInterfaces: 3,
    ipv4PerInterface: 10,
    ipv6PerInterface: 10,
    queues: 2,
    maxQueues: 2,
    flexibleQueues: true,
    bandwidthWeightings: [],
    currentGeneration: null,
    bootModes: null,
    placementStrategies: null,
    asOf: '2026-08-02',
  });
  assert.equal(types.linkMbps('c6i.large'), 12_500);
  assert.equal(types.linkMbps('c5n.18xlarge'), 100_000);
  assert.equal(types.linkMbps('p4d.24xlarge'), 100_000, '400 Gbps over four cards');
  const m4 = types.get('m4.large');
  assert.deepEqual([m4.hypervisor, m4.ena, m4.vf82599], ['xen', 'unsupported', true]);
  assert.ok(types.get('c5n.18xlarge').efaInterfaces > 0);
});

test('every type can be read, and its peak is not below its baseline', () => {
  for (const name of types.names()) {
    const type = types.get(name);
    assert.ok(type.baselineGbps > 0 && type.peakGbps >= type.baselineGbps, name);
    assert.ok(type.maxInterfaces > 0 && type.vcpus > 0, name);
  }
});

test('an unknown type is refused, and near names are suggested', () => {
  assert.throws(() => types.get('c6i.larg'), /'c6i.larg' is not .* did you mean c6i\.large/);
  assert.throws(() => types.get('zzzz'), /^Error: 'zzzz' is not an instance type/);
  assert.equal(types.has('C6I.large'), false);
  assert.deepEqual(types.near('C6I.large')[0], 'c6i.large');
});

test('what is not a catalogue is refused', () => {
  assert.throws(() => InstanceTypes.parse('# x\ntype\tvcpus\n'), /other columns/);
});
