import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fullCreditsGbit,
  type LimitName,
  networkAllowance,
  refillSeconds,
  withOverrides,
} from './allowance.ts';
import { InstanceTypes } from './instance-types.ts';

const types = InstanceTypes.load();
const of = (name: string) => networkAllowance(types.get(name));
const limitOf = (name: string, limit: LimitName) => of(name)[limit].value;

test('bandwidth is what EC2 publishes, the same in and out', () => {
  for (const [name, baseline, burst] of [
    ['c5.large', 0.75, 10],
    ['c5.9xlarge', 12, 12],
    ['t3.micro', 0.064, 5],
    ['p5.48xlarge', 3200, 3200],
  ] as const) {
    const { baselineInGbps, baselineOutGbps, burstInGbps, burstOutGbps } = of(name);
    assert.deepEqual([baselineInGbps.value, baselineOutGbps.value], [baseline, baseline], name);
    assert.deepEqual([burstInGbps.value, burstOutGbps.value], [burst, burst], name);
    assert.equal(baselineInGbps.provenance, 'published');
  }
});

test('a card has its own figure; where all repeat the total, what its generation can do', () => {
  const cardOf = (name: string) => {
    const { value, provenance } = of(name).cardGbps;
    return [value, provenance];
  };
  assert.equal(limitOf('c6in.32xlarge', 'burstOutGbps'), 200);
  assert.deepEqual(cardOf('c6in.32xlarge'), [170, 'published']);
  assert.deepEqual(cardOf('g6e.48xlarge'), [100, 'published']);
  assert.deepEqual(cardOf('hpc8a.96xlarge'), [150, 'assumed']);
  assert.deepEqual(cardOf('g7e.48xlarge'), [400, 'published']);
  assert.deepEqual(cardOf('p6-b300.48xlarge'), [350, 'published']);
  assert.equal(limitOf('p6-b200.48xlarge', 'burstOutGbps'), 1600, 'its words count EFA: 3200');
});

test('who cannot be in a cluster placement group has no more for one flow in one', () => {
  assert.equal(limitOf('t3.micro', 'singleFlowPlacedGbps'), 5);
  assert.equal(limitOf('trn1.2xlarge', 'singleFlowPlacedGbps'), 10);
  const told = { ...types.get('m5.large'), placementStrategies: ['partition', 'spread'] };
  assert.equal(networkAllowance(told).singleFlowPlacedGbps.value, 5);
});

test('a bucket holds what lies between baseline and burst for as long as it lasts', () => {
  const allowance = of('c5.xlarge');
  assert.equal(allowance.burstMinutes.provenance, 'measured');
  // 13 minutes at 10 Gbit/s, of which 1.25 are the baseline's.
  assert.equal(fullCreditsGbit(allowance, 'out'), 13 * 60 * 8.75);
  assert.equal(refillSeconds(allowance, 'out'), (13 * 60 * 8.75) / 1.25);
  const fixed = of('c5.9xlarge');
  assert.equal(fullCreditsGbit(fixed, 'in'), 0);
  assert.equal(fixed.burstMinutes.value, 0);
});

test('what a burst lasts stays within what EC2 calls typical', () => {
  for (const name of types.names()) {
    const { burstMinutes } = of(name);
    const type = types.get(name);
    if (type.baselineGbps === type.peakGbps) assert.equal(burstMinutes.value, 0, name);
    else assert.ok(burstMinutes.value >= 5 && burstMinutes.value <= 60, name);
  }
});

test('one flow gets 5 Gbit/s, 10 in a placement group, 25 by ENA Express where there is any', () => {
  const allowance = of('c6in.32xlarge');
  assert.equal(allowance.singleFlowGbps.value, 5);
  assert.equal(allowance.singleFlowPlacedGbps.value, 10);
  assert.equal(allowance.singleFlowExpressGbps.value, 25);
  assert.equal(limitOf('c5.large', 'singleFlowExpressGbps'), null);
});

test('through a gateway goes half from 32 vCPUs on, but no less than 5 Gbit/s; below it is 5', () => {
  assert.equal(limitOf('m5.16xlarge', 'gatewayGbps'), 10, '64 vCPUs, 20 Gbit/s');
  assert.equal(limitOf('m5.8xlarge', 'gatewayGbps'), 5, '32 vCPUs, 10 Gbit/s');
  assert.equal(limitOf('c5.4xlarge', 'gatewayGbps'), 5);
  assert.equal(limitOf('m5a.8xlarge', 'gatewayGbps'), 5, '32 vCPUs, up to 10');
});

test('what is not published says so', () => {
  assert.deepEqual(
    [of('m5.24xlarge'), of('m5.large')].map(({ packetsPerSecond: { value, provenance } }) => [
      value,
      provenance,
    ]),
    [
      [2_200_000, 'measured'],
      [880_000, 'assumed'],
    ],
  );
  assert.equal(of('m5.large').conntrackEntries.provenance, 'assumed');
  assert.deepEqual(
    [limitOf('t2.nano', 'linkLocalPps'), limitOf('t2.nano', 'egressFragmentsPps')],
    [1024, 1024],
  );
});

test('every type has an allowance of positive numbers, each with its source', () => {
  for (const name of types.names())
    for (const [limit, { value, source }] of Object.entries(of(name))) {
      assert.ok(value === null || (Number.isFinite(value) && value >= 0), `${name} ${limit}`);
      assert.ok(source.length > 10, `${name} ${limit}`);
    }
});

test('a person sets what they know better, and it is marked as theirs', () => {
  const mine = withOverrides(of('m5.large'), { packetsPerSecond: 1_000_000, burstMinutes: 0 });
  assert.deepEqual(mine.packetsPerSecond, {
    ...{ value: 1_000_000, provenance: 'userSet', source: 'set by hand' },
  });
  assert.equal(fullCreditsGbit(mine, 'out'), 0);
  assert.equal(mine.conntrackEntries.provenance, 'assumed');
  assert.equal(withOverrides(mine, { egressFragmentsPps: null }).egressFragmentsPps.value, null);
});

test('what cannot be a limit is refused by its name', () => {
  const allowance = of('m5.large');
  const refused = (overrides: object, message: RegExp) =>
    assert.throws(() => withOverrides(allowance, overrides), { name: 'RangeError', message });
  refused({ pps: 1 }, /^pps: there is no such limit; expected one of baselineInGbps, /);
  refused({ constructor: 1 }, /^constructor: there is no such limit/);
  refused({ gatewayGbps: 0 }, /^gatewayGbps: expected more than 0/);
  refused({ gatewayGbps: null }, /^gatewayGbps: expected a number/);
  refused({ queueMs: -1 }, /^queueMs: expected 0 or more/);
  refused({ packetsPerSecond: Number.NaN }, /^packetsPerSecond: expected a number/);
  refused({ baselineInGbps: 20 }, /burst in of 10 Gbit\/s is below the baseline of 20/);
});
