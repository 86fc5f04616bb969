import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuestionError } from './explain-ends.ts';
import { explainFabric } from './explain-fabric.ts';
import type { SecurityGroupRule, VpcModel } from './model.ts';
import { everything, nic, subnet, testModel } from './testing-model.ts';

const itself: SecurityGroupRule = { id: 'sgr-self', protocol: -1, peer: { group: 'sg-1' } };

function model(
  inbound: readonly SecurityGroupRule[] = [itself],
  outbound: readonly SecurityGroupRule[] = [itself],
  more: Partial<VpcModel> = {},
): VpcModel {
  return testModel({
    securityGroups: [{ ...everything('sg-1'), inbound, outbound }, everything('sg-2')],
    instances: [{ id: 'i-a', name: 'a', type: 'c5n.18xlarge' }],
    interfaces: [
      nic('a', 0, { interfaceType: 'efa', instance: 'i-a' }),
      nic('b', 1, { interfaceType: 'efa-only', addresses: [], ipv6Addresses: [] }),
      nic('c', 0),
      nic('d', 0, { interfaceType: 'efa', groups: ['sg-2'] }),
    ],
    ...more,
  });
}

test('a group that allows all traffic to itself both ways is all that EFA needs', () => {
  const { reachable, gates, closed, hint } = explainFabric(model(), 'a', 'eni-b');
  assert.deepEqual([reachable, closed, hint], [true, null, null]);
  assert.deepEqual(
    gates.map(({ direction, gate, at, rule }) => [direction, gate, at, rule]),
    [
      ['request', 'same VPC and zone', 'subnet-0, subnet-1', null],
      ['request', 'outbound groups', 'eni-a', 'sgr-self'],
      ['request', 'inbound groups', 'eni-b', 'sgr-self'],
      ['answer', 'outbound groups', 'eni-b', 'sgr-self'],
      ['answer', 'inbound groups', 'eni-a', 'sgr-self'],
    ],
  );
});

test('a rule for all addresses does not count, and the hint says so', () => {
  const open = { id: 'sgr-open', protocol: -1, peer: { cidr: '0.0.0.0/0' } };
  const { closed, hint } = explainFabric(model([itself], [open]), 'a', 'eni-b');
  assert.deepEqual([closed?.gate, closed?.reason], ['outbound groups', 'sgEgressNone']);
  assert.match(hint?.text ?? '', /does not count.* outbound rule for all traffic to sg-1 itself/);
  const tcp = { ...itself, protocol: 6, fromPort: 0, toPort: 65_535 };
  const other = explainFabric(model([tcp]), 'a', 'eni-b');
  assert.deepEqual([other.closed?.at, other.closed?.reason], ['eni-b', 'sgIngressNone']);
  assert.match(other.hint?.text ?? '', /^Let sg-1 have an inbound rule for all traffic from sg-1/);
});

test('the answer has to get back: a group that lets out and not in is not enough', () => {
  const toOther = { id: 'sgr-out', protocol: -1, peer: { group: 'sg-2' } };
  const { securityGroups } = model([itself], [itself, toOther]);
  const fromFirst = { id: 'sgr-in', protocol: -1, peer: { group: 'sg-1' } };
  const groups = securityGroups.map((group) =>
    group.id === 'sg-2' ? { ...group, inbound: [fromFirst] } : group,
  );
  const { closed } = explainFabric(model([], [], { securityGroups: groups }), 'a', 'eni-d');
  assert.deepEqual([closed?.direction, closed?.gate], ['answer', 'outbound groups']);
});

test('EFA stays in its zone', () => {
  const subnets = [subnet(0), subnet(1, { zone: 'us-east-1b' })];
  const { closed, hint } = explainFabric(model([itself], [itself], { subnets }), 'a', 'eni-b');
  assert.equal(closed?.reason, 'fabricUnreachable');
  assert.match(hint?.text ?? '', /one Availability Zone/);
});

test('who has no EFA cannot be asked about', () => {
  assert.throws(() => explainFabric(model(), 'a', 'eni-c'), /eni-c has no EFA/);
  assert.throws(() => explainFabric(model(), 'nobody', 'a'), QuestionError);
  assert.throws(() => explainFabric(model(), 'a', 'eni-a'), /the same interface/);
});
