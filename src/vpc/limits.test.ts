import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LimitName, networkAllowance } from './allowance.ts';
import { InstanceTypes } from './instance-types.ts';
import { chosenLimits, limitNames, parseLimit, switchLimits, valuesOf } from './limits.ts';

const large = networkAllowance(InstanceTypes.load().get('c5.large'));

test('the names are those of an allowance, all of them', () => {
  assert.deepEqual([...limitNames].sort(), (Object.keys(large) as LimitName[]).sort());
});

test('the switch is told bits and packets, and of a burst the credits', () => {
  const bandwidth = { baselineBps: 0.75e9, burstBps: 10e9, creditBits: 9.25e9 * 420 };
  const limits = switchLimits(valuesOf(large));
  assert.deepEqual(limits, {
    ...{ in: bandwidth, out: bandwidth, creditRefill: 1, portBps: 10e9, flowBps: 5e9 },
    ...{ gatewayBps: 5e9, packetsPerSecond: 880_000, connections: 136_812 },
    ...{ linkLocalPps: 1024, queueMs: 10 },
  });
  assert.equal(switchLimits(valuesOf(large), { placed: true }).flowBps, 10e9);
});

test('what is set takes the place of what the type has; alone it is all there is', () => {
  const set = { ...parseLimit('bandwidthGbps=0.2'), ...parseLimit('packetsPerSecond=1000') };
  const limits = switchLimits(chosenLimits(large, set));
  assert.deepEqual(limits.out, { baselineBps: 0.2e9, burstBps: 0.2e9, creditBits: 0 });
  assert.deepEqual([limits.packetsPerSecond, limits.linkLocalPps], [1000, 1024]);
  assert.deepEqual(switchLimits(chosenLimits(null, parseLimit('burstOutGbps=1'))), {
    out: { baselineBps: 1e9, burstBps: 1e9, creditBits: 0 },
  });
});

test('what is no limit is refused in a sentence', () => {
  assert.throws(() => parseLimit('pps=1'), /there is no limit 'pps'; expected one of baselineGbps/);
  assert.throws(() => parseLimit('queueMs='), /queueMs: expected a number/);
  assert.throws(() => parseLimit('queueMs=1=2'), /queueMs: expected a number/);
  assert.throws(() => chosenLimits(large, parseLimit('gatewayGbps=0')), /gatewayGbps: expected mo/);
  assert.throws(() => chosenLimits(null, parseLimit('gatewayGbps=0')), /gatewayGbps: expected mo/);
  const swapped = { ...parseLimit('baselineGbps=2'), ...parseLimit('burstGbps=1') };
  for (const of of [large, null]) assert.throws(() => chosenLimits(of, swapped), /below the base/);
});
