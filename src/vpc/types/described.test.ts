import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../instance-types.ts';
import { DescribedTypesError, readDescribedTypes } from './described.ts';

const card = {
  NetworkCardIndex: 0,
  NetworkPerformance: 'Up to 12.5 Gigabit',
  MaximumNetworkInterfaces: 3,
  BaselineBandwidthInGbps: 0.781,
  PeakBandwidthInGbps: 12.5,
  DefaultEnaQueueCountPerInterface: 2,
  MaximumEnaQueueCount: 6,
  MaximumEnaQueueCountPerInterface: 2,
  AdditionalFlexibleNetworkInterfaces: 0,
};
/** As the AWS CLI prints it; fields that we do not use are cut. */
const c6i = {
  InstanceType: 'c6i.large',
  CurrentGeneration: true,
  BareMetal: false,
  Hypervisor: 'nitro',
  ProcessorInfo: { SupportedArchitectures: ['x86_64'], SustainedClockSpeedInGhz: 3.5 },
  VCpuInfo: { DefaultVCpus: 2, DefaultCores: 1 },
  MemoryInfo: { SizeInMiB: 4096 },
  NetworkInfo: {
    NetworkPerformance: 'Up to 12.5 Gigabit',
    MaximumNetworkInterfaces: 3,
    MaximumNetworkCards: 1,
    DefaultNetworkCardIndex: 0,
    NetworkCards: [card],
    Ipv4AddressesPerInterface: 10,
    Ipv6AddressesPerInterface: 10,
    Ipv6Supported: true,
    EnaSupport: 'required',
    EfaSupported: false,
    EncryptionInTransitSupported: true,
    EnaSrdSupported: false,
    FlexibleEnaQueuesSupport: 'supported',
  },
  PlacementGroupInfo: { SupportedStrategies: ['cluster', 'partition', 'spread'] },
  SupportedBootModes: ['legacy-bios', 'uefi'],
};

const catalogue = InstanceTypes.load();
const context = { has82599: (name: string) => name === 'c4.large', asOf: '2026-11-01' };
const read = (value: unknown) =>
  readDescribedTypes(JSON.stringify(value, null, 2), 'mine.json', context);

test("an account's own answer becomes the type of the catalogue, with what only it says", () => {
  const [type] = read({ InstanceTypes: [c6i] });
  assert.deepEqual(type, {
    ...catalogue.get('c6i.large'),
    currentGeneration: true,
    bootModes: ['legacy-bios', 'uefi'],
    placementStrategies: ['cluster', 'partition', 'spread'],
    asOf: '2026-11-01',
  });
  assert.deepEqual(
    read([c6i]),
    read({ InstanceTypes: [c6i] }),
    'also what --query InstanceTypes is',
  );
});

test('of several cards the total is what the text says', () => {
  const info = c6i.NetworkInfo;
  const cards = [0, 1].map((i) => ({
    ...{ ...card, NetworkCardIndex: i, BaselineBandwidthInGbps: 200, PeakBandwidthInGbps: 200 },
  }));
  const [type] = read([
    { ...c6i, NetworkInfo: { ...info, NetworkPerformance: '200 Gigabit', NetworkCards: cards } },
  ]);
  assert.deepEqual([type?.peakGbps, type?.baselineGbps, type?.networkCards], [200, 200, 2]);
  const [four] = read([
    { ...c6i, NetworkInfo: { ...info, NetworkPerformance: '2x 100 Gigabit', NetworkCards: cards } },
  ]);
  assert.equal(four?.peakGbps, 200);
});

test('the 82599 VF, of which the API is silent, comes from the catalogue', () => {
  const { Hypervisor: _, ...metal } = c6i;
  const [vf, bare] = read([
    {
      ...c6i,
      InstanceType: 'c4.large',
      NetworkInfo: { ...c6i.NetworkInfo, EnaSupport: 'unsupported' },
    },
    metal,
  ]);
  assert.equal(vf?.vf82599, true);
  assert.equal(bare?.hypervisor, 'metal');
});

const refusals: [what: string, text: string, message: RegExp][] = [
  ['an empty file', '', /^mine\.json:1:1: this is no JSON; expected the output of aws ec2/],
  ['a cut file', '{"InstanceTypes": [\n  {"Instance', /^mine\.json:2:13: this is no JSON/],
  ['a number', '7', /^mine\.json:1:1: expected the output of aws ec2 describe-instance-types$/],
  [
    'another document',
    '{"Reservations": []}',
    /^mine\.json:1:1: InstanceTypes is not .* expected instance types$/,
  ],
  [
    'something else in the list',
    '{"InstanceTypes": [\n 5]}',
    /^mine\.json:2:2: InstanceTypes\[0\] is not as it should be, expected an instance type$/,
  ],
  [
    'another word for ENA',
    JSON.stringify({
      InstanceTypes: [{ ...c6i, NetworkInfo: { ...c6i.NetworkInfo, EnaSupport: true } }],
    }),
    /^mine\.json:1:\d+: InstanceTypes\[0\]\.NetworkInfo\.EnaSupport is not as it should be, expected required, supported or unsupported$/,
  ],
  [
    'an old CLI that knows no cards',
    JSON.stringify([{ ...c6i, NetworkInfo: { ...c6i.NetworkInfo, NetworkCards: undefined } }]),
    /\[0\]\.NetworkInfo\.NetworkCards .* expected network cards, as a current AWS CLI prints them$/,
  ],
  [
    'a card without bandwidth under a text without figures',
    JSON.stringify([
      {
        ...c6i,
        NetworkInfo: {
          ...c6i.NetworkInfo,
          NetworkPerformance: 'Moderate',
          NetworkCards: [{ ...card, PeakBandwidthInGbps: undefined }],
        },
      },
    ]),
    /c6i\.large has no bandwidth; expected BaselineBandwidthInGbps/,
  ],
  [
    'a baseline above the peak',
    JSON.stringify([
      {
        ...c6i,
        NetworkInfo: {
          ...c6i.NetworkInfo,
          NetworkCards: [{ ...card, BaselineBandwidthInGbps: 20 }],
        },
      },
    ]),
    /c6i\.large has a baseline of 20 Gbit\/s above its peak of 12\.5/,
  ],
  ['a type twice', JSON.stringify([c6i, c6i]), /^mine\.json:1:\d+: c6i\.large is there twice$/],
  [
    'half a vCPU',
    JSON.stringify([{ ...c6i, VCpuInfo: { DefaultVCpus: 0.5 } }]),
    /\[0\]\.VCpuInfo\.DefaultVCpus .* number of vCPUs$/,
  ],
  [
    'a name that would move the cursor',
    JSON.stringify([{ ...c6i, InstanceType: '\u001b[2Jc6i.large' }]),
    /\[0\]\.InstanceType is not as it should be, expected the name of an instance type$/,
  ],
  [
    'a thousand cards',
    JSON.stringify([
      { ...c6i, NetworkInfo: { ...c6i.NetworkInfo, NetworkCards: Array(1000).fill(card) } },
    ]),
    /NetworkCards .* expected 64 network cards at most$/,
  ],
  ['endless nesting', '['.repeat(50_000), /^mine\.json:1:\d+: this is no JSON/],
];
for (const [what, text, message] of refusals)
  test(`${what} is refused in one sentence with its place`, () => {
    assert.throws(
      () => readDescribedTypes(text, 'mine.json', context),
      (error: Error) => {
        assert.ok(error instanceof DescribedTypesError, String(error));
        assert.match(error.message, message);
        return true;
      },
    );
  });

test('a file that is broken anywhere is refused and never crashes', () => {
  const whole = JSON.stringify({ InstanceTypes: [c6i] });
  for (let i = 0; i < whole.length; i++) {
    const broken = whole.slice(0, i) + whole.slice(i + 1);
    try {
      readDescribedTypes(broken, 'mine.json', context);
    } catch (error) {
      assert.ok(error instanceof DescribedTypesError, `${i}: ${error}`);
      assert.match(error.message, /^mine\.json:1:\d+: /);
    }
  }
});
