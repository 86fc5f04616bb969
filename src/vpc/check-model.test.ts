import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkVpcModel } from './check-model.ts';
import type { NetworkAclEntry, SecurityGroupRule, VpcModel } from './model.ts';
import { raisedQuotas } from './quotas.ts';
import { everything, nic, openAcl, subnet, testModel } from './testing-model.ts';

/** The only thing that is wrong. */
function problem(more: Partial<VpcModel>): string {
  const problems = checkVpcModel(testModel(more));
  assert.equal(problems.length, 1, problems.join('\n'));
  return problems[0] as string;
}

const rules = (...inbound: Partial<SecurityGroupRule>[]) => ({
  securityGroups: [
    {
      ...everything('sg-1'),
      inbound: inbound.map((rule, i) => ({
        id: `sgr-${i}`,
        protocol: 6,
        ...(rule.protocol === undefined ? { fromPort: 22, toPort: 22 } : {}),
        peer: { cidr: `10.0.0.${i}/32` },
        ...rule,
      })),
    },
  ],
});

const entries = (...inbound: Partial<NetworkAclEntry>[]) => ({
  networkAcls: [
    {
      ...openAcl('acl-1'),
      inbound: inbound.map((entry, i) => {
        return {
          number: i + 1,
          action: 'allow' as const,
          protocol: -1,
          cidr: '0.0.0.0/0',
          ...entry,
        };
      }),
    },
  ],
});

const routes = (destination: string, target: string, more: Partial<VpcModel> = {}) => ({
  routeTables: [{ id: 'rtb-1', vpc: 'vpc-1', routes: [{ destination, target }] }],
  ...more,
});

const vpc = (cidrs: string[], ipv6Cidrs = ['2600:1f14::/56']) => ({
  vpcs: [{ id: 'vpc-1', cidrs, ipv6Cidrs }],
});

test('a model that fits together has no problem', () => {
  assert.deepEqual(checkVpcModel(testModel()), []);
  const igw = { internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }] };
  assert.deepEqual(checkVpcModel(testModel(routes('0.0.0.0/0', 'igw-1', igw))), []);
  assert.deepEqual(checkVpcModel(testModel(routes('10.0.1.0/24', 'eni-b'))), []);
});

test('what is named is there, once, and in the same VPC', () => {
  const interfaces = (more: object) => ({ interfaces: [nic('a', 0, more)] });
  const cases: [Partial<VpcModel>, RegExp][] = [
    [{ securityGroups: [everything('sg-1'), everything('sg-1')] }, /^sg-1 is there twice/],
    [{ subnets: [subnet(0), subnet(1, { networkAcl: 'acl-9' })] }, /no network ACL acl-9/],
    [{ subnets: [subnet(0), subnet(1, { routeTable: 'rtb-9' })] }, /no route table rtb-9/],
    [interfaces({ instance: 'i-9' }), /^eni-a: there is no instance i-9/],
    [interfaces({ groups: ['sg-9'] }), /^eni-a: there is no security group sg-9/],
    [interfaces({ subnet: 'subnet-9' }), /^eni-a: there is no subnet subnet-9/],
    [{ internetGateways: [{ id: 'igw-1', vpc: 'vpc-9' }] }, /^igw-1: there is no VPC vpc-9/],
    [rules({ peer: { group: 'sg-9' } }), /^sg-1 inbound sgr-0: there is no security group sg-9/],
    [rules({ peer: { prefixList: 'pl-9' } }), /there is no prefix list pl-9/],
    [routes('0.0.0.0/0', 'igw-9'), /^rtb-1 0.0.0.0\/0: there is no igw-9/],
  ];
  for (const [more, expected] of cases) assert.match(problem(more), expected);
});

test('prefixes and addresses lie where they belong, and nobody has two', () => {
  const at = (more: object) => ({ interfaces: [nic('a', 0, more)] });
  const address = (text: string) => at({ addresses: [{ address: text }] });
  const cases: [Partial<VpcModel>, RegExp][] = [
    [vpc(['10.0.0.0/16', '10.0.0.0/17']), /10.0.0.0\/17 overlaps 10.0.0.0\/16/],
    [vpc(['10.0.0.0/16', '10.9.0.0/29']), /choose one from \/16 to \/28/],
    [vpc(['10.0.0.0/16', 'ten']), /'ten' is not a prefix/],
    [{ subnets: [subnet(0), subnet(1), subnet(2, { cidr: '10.0.1.0/26' })] }, /overlaps subnet-1/],
    [{ subnets: [subnet(0), subnet(1), subnet(2, { cidr: '10.1.0.0/24' })] }, /not in a prefix/],
    [{ subnets: [subnet(0), subnet(1), subnet(2, { cidr: '10.0.2.0/29' })] }, /\/16 to \/28/],
    [
      { subnets: [subnet(0), subnet(1, { ipv6Cidr: '2600:1f14:0:8::/63' })], interfaces: [] },
      /a \/64/,
    ],
    [address('10.0.1.9'), /^eni-a: 10.0.1.9 is not in subnet-0/],
    [address('10.0.0.3'), /one of the five addresses/],
    [address('10.0.0.255'), /one of the five addresses/],
    [at({ ipv6Addresses: ['2600:1f14::2'] }), /one of the five addresses/],
    [at({ addresses: [], ipv6Addresses: [] }), /has no private address/],
    [{ interfaces: [nic('a', 0), nic('b', 0, { mac: '02:00:00:00:00:01' })] }, /belongs to eni-a/],
    [at({ mac: '01:00:00:00:00:01' }), /is a group's address/],
    [
      { interfaces: [nic('a', 0), nic('b', 0, { addresses: [{ address: '10.0.0.11' }] })] },
      /^eni-b: 10.0.0.11 belongs to eni-a already/,
    ],
  ];
  for (const [more, expected] of cases) assert.match(problem(more), expected);
});

test('rules and entries are ones that EC2 takes, and as many as its quotas allow', () => {
  const many = Array.from({ length: 61 }, () => ({}));
  const cases: [Partial<VpcModel>, RegExp][] = [
    [rules({ protocol: 300 }), /300 is no IP protocol/],
    [rules({ protocol: 6 }), /it has no ports/],
    [rules({ protocol: 6, fromPort: 9, toPort: 8 }), /the wrong way round/],
    [rules({ protocol: 6, fromPort: 9 }), /ports go from 0 to 65535/],
    [rules({ protocol: 47, fromPort: 1, toPort: 2 }), /only TCP \(6\) and UDP \(17\) have ports/],
    [rules({ protocol: 1, fromPort: -1, toPort: 3 }), /all ICMP types have all codes/],
    [rules({ peer: { cidr: '10.0.0.0' } }), /is not a prefix/],
    [rules({}, { peer: { cidr: '10.0.0.0/32' } }), /sgr-1 is there already/],
    [rules(...many), /61 inbound rules for IPv4: the quota is 60/],
    [entries({ number: 0 }), /from 1 to 32766/],
    [entries({ number: 7 }, { number: 7 }), /is there twice/],
    [entries({ icmpType: 8 }), /only ICMP has types/],
    [entries(...many.slice(0, 21)), /21 inbound entries for IPv4: the quota is 20/],
  ];
  for (const [more, expected] of cases) assert.match(problem(more), expected);
});

test('an interface is in 1 to 5 groups, 16 if raised, with 1000 rules at most', () => {
  const groups = Array.from({ length: 17 }, (_, i) => everything(`sg-${i}`));
  const inGroups = (n: number) => ({
    securityGroups: groups,
    interfaces: [nic('a', 0, { groups: groups.slice(0, n).map(({ id }) => id) })],
  });
  assert.match(problem(inGroups(0)), /eni-a is in no security group/);
  assert.match(problem(inGroups(6)), /in 6 security groups: the quota is 5/);
  assert.deepEqual(checkVpcModel(testModel(inGroups(16)), raisedQuotas), []);
  assert.equal(checkVpcModel(testModel(inGroups(17)), raisedQuotas).length, 1);
  const list = { id: 'pl-1', name: 'all', cidrs: ['10.0.0.0/8'], maxEntries: 999 };
  const full = rules({ peer: { prefixList: 'pl-1' } }, {}, {});
  const [problems] = [checkVpcModel(testModel({ ...full, prefixLists: [list] }), raisedQuotas)];
  assert.ok(
    problems.some((text) => /1001 inbound rules for IPv4/.test(text)),
    problems.join('\n'),
  );
});

test('routes are of the right kind for where they lead', () => {
  const igw = { internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }] };
  const eigw = { egressOnlyInternetGateways: [{ id: 'eigw-1', vpc: 'vpc-1' }] };
  const cases: [Partial<VpcModel>, RegExp][] = [
    [routes('10.0.1.0/24', 'igw-1', igw), /is in vpc-1: it can be routed to an interface/],
    [routes('10.9.0.0/16', 'local'), /only those are local/],
    [routes('169.254.169.254/32', 'igw-1', igw), /for services of EC2/],
    [routes('0.0.0.0/0', 'eigw-1', eigw), /egress-only internet gateway is for IPv6/],
    [routes('pl-7', 'igw-1', igw), /there is no such prefix list/],
    [
      { internetGateways: [...igw.internetGateways, { id: 'igw-2', vpc: 'vpc-1' }] },
      /has one at most/,
    ],
  ];
  for (const [more, expected] of cases) assert.match(problem(more), expected);
});

test('time-outs, attachments, metadata and DHCP stay in the ranges of the API', () => {
  const instance = { id: 'i-1', name: 'one', type: 'c6i.large' };
  const attached = (letter: string, more = {}) => nic(letter, 0, { instance: 'i-1', ...more });
  const cases: [Partial<VpcModel>, RegExp][] = [
    [{ interfaces: [nic('a', 0, { tracking: { udpSeconds: 61 } })] }, /choose one from 30 to 60/],
    [
      { instances: [instance], interfaces: [attached('a'), attached('b')] },
      /device index 0 of i-1/,
    ],
    [{ instances: [{ ...instance, metadata: { hopLimit: 65 } }] }, /hop limit is 65/],
    [
      {
        vpcs: [
          {
            id: 'vpc-1',
            cidrs: ['10.0.0.0/16'],
            ipv6Cidrs: ['2600:1f14::/56'],
            dhcpOptions: { ntpServers: ['here'] },
          },
        ],
      },
      /'here' is not an IPv4 address/,
    ],
  ];
  for (const [more, expected] of cases) assert.match(problem(more), expected);
});
