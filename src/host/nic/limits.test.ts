import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { parseLimit } from '../../vpc/limits.ts';
import { FunctionLimits } from './limits.ts';

const large = InstanceTypes.load().get('m5.large');

test('a type has all limits, and what was set is marked as such', () => {
  const limits = new FunctionLimits(large, parseLimit('packetsPerSecond=1000'));
  const shown = new Map(limits.shown().map((limit) => [limit.name, limit]));
  assert.equal(shown.get('packetsPerSecond')?.provenance, 'userSet');
  assert.equal(shown.get('burstOutGbps')?.provenance, 'published');
  assert.equal(shown.size, 16);
  assert.equal(limits.spec().limits?.packetsPerSecond, 1000);
  assert.equal(limits.spec().egressFragmentsPps, 1024);
});

test('without a type what was set is all there is, and nothing is nothing', () => {
  assert.deepEqual(new FunctionLimits(null, {}).spec(), {});
  const limits = new FunctionLimits(null, parseLimit('queueMs=5'));
  assert.deepEqual([limits.spec(), limits.shown().length], [{ limits: { queueMs: 5 } }, 1]);
});

test('a change adds to what was set; one that cannot be changes nothing', () => {
  const limits = new FunctionLimits(large, parseLimit('packetsPerSecond=1000'));
  const command = limits.change('vf0', parseLimit('queueMs=5'));
  assert.ok(command.kind === 'set-limits');
  assert.deepEqual([command.limits?.packetsPerSecond, command.limits?.queueMs], [1000, 5]);
  assert.throws(() => limits.change('vf0', parseLimit('burstGbps=0.1')), /below the baseline/);
  assert.equal(limits.spec().limits?.out?.burstBps, 10e9);
});

test('a flow has more by ENA Express where that is switched on and the type has it', () => {
  const types = InstanceTypes.load();
  const expressOf = (name: string) =>
    new FunctionLimits(types.get(name), {}, { express: true }).spec().limits?.expressFlowBps;
  assert.deepEqual([expressOf('c6i.32xlarge'), expressOf('t3.micro')], [25e9, undefined]);
  assert.equal(
    new FunctionLimits(types.get('c6i.32xlarge'), {}).spec().limits?.expressFlowBps,
    undefined,
  );
});
