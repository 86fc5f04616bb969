import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultAcl, defaultGroup, defaultVpc, newAcl, newGroup } from './defaults.ts';

const vpc = { id: 'vpc-1', cidrs: ['10.0.0.0/16'] };
const dual = { ...vpc, ipv6Cidrs: ['2600:1f14::/56'] };

test('the default VPC is a /16 with a /20 per zone and a way to the internet', () => {
  const model = defaultVpc(['us-east-1a', 'us-east-1b', 'us-east-1c']);
  assert.deepEqual(
    model.subnets.map(({ zone, cidr }) => `${zone} ${cidr}`),
    ['us-east-1a 172.31.0.0/20', 'us-east-1b 172.31.16.0/20', 'us-east-1c 172.31.32.0/20'],
  );
  const [gateway] = model.internetGateways;
  assert.deepEqual(model.routeTables[0]?.routes, [
    { destination: '0.0.0.0/0', target: gateway?.id },
  ]);
  assert.deepEqual([model.vpcs[0]?.cidrs, model.vpcs[0]?.dnsHostnames], [['172.31.0.0/16'], true]);
});

test('the default group lets its own members in, a new one nobody; both let everything out', () => {
  const fallback = defaultGroup(vpc, 'sg-1');
  assert.equal(fallback.name, 'default');
  assert.deepEqual(
    fallback.inbound.map(({ protocol, peer }) => [protocol, peer]),
    [[-1, { group: 'sg-1' }]],
  );
  const fresh = newGroup(vpc, 'sg-2', 'web');
  assert.deepEqual(fresh.inbound, []);
  for (const { outbound } of [fallback, fresh])
    assert.deepEqual(
      outbound.map(({ protocol, peer }) => [protocol, peer]),
      [[-1, { cidr: '0.0.0.0/0' }]],
    );
});

test('the default ACL allows all at 100, a new one nothing', () => {
  const { inbound, outbound } = defaultAcl(vpc, 'acl-1');
  assert.deepEqual(inbound, [{ number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' }]);
  assert.deepEqual(outbound, inbound);
  assert.deepEqual([newAcl(vpc, 'acl-2').inbound, newAcl(vpc, 'acl-2').outbound], [[], []]);
});

test('with an IPv6 block there is a rule and an entry 101 for IPv6 too', () => {
  assert.deepEqual(
    defaultAcl(dual, 'acl-1').inbound.map(({ number, cidr }) => [number, cidr]),
    [
      [100, '0.0.0.0/0'],
      [101, '::/0'],
    ],
  );
  assert.deepEqual(
    newGroup(dual, 'sg-2', 'web').outbound.map(({ peer }) => peer),
    [{ cidr: '0.0.0.0/0' }, { cidr: '::/0' }],
  );
});
