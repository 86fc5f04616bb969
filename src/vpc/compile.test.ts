import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpv4 } from '../net/ipv4.ts';
import { parseIpv6 } from '../net/ipv6.ts';
import { owner } from '../switch/vpc/address-table.ts';
import { noGroups } from '../switch/vpc/filter-table.ts';
import { compilePolicy } from './compile.ts';
import type { SecurityGroupRule, VpcModel } from './model.ts';
import { everything, nic, testModel } from './testing-model.ts';

const compile = (more: Partial<VpcModel>) => compilePolicy(testModel(more), 1);

const routeTo = (more: Partial<VpcModel>) => {
  const rows = compile(more).routes[0];
  return (to: string): string | undefined =>
    (to.includes(':') ? rows?.find6(...parseIpv6(to)) : rows?.find4(parseIpv4(to)))?.name;
};

test('the longest prefix is the route; of equal ones its own, a list, then local', () => {
  const to = (destination: string, target: string) => ({ destination, target });
  const route = routeTo({
    prefixLists: [
      { id: 'pl-1', name: 'one', cidrs: ['198.51.100.0/24', '192.0.2.0/25'] },
      { id: 'pl-6', name: 'six', cidrs: ['2001:db8::/32'] },
    ],
    internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }],
    routeTables: [
      {
        id: 'rtb-1',
        vpc: 'vpc-1',
        routes: [
          to('0.0.0.0/0', 'igw-1'),
          to('pl-1', 'eni-a'),
          to('198.51.100.0/24', 'eni-b'),
          to('192.0.2.0/24', 'eni-c'),
          to('10.0.7.0/24', 'eni-a'),
          to('pl-6', 'eni-gone'),
          to('2001:db8:1::/48', 'blackhole'),
          to('2600:1f14::/56', 'eni-c'),
        ],
      },
    ],
  });
  assert.equal(route('8.8.8.8'), '0.0.0.0/0 igw-1');
  assert.equal(route('198.51.100.9'), '198.51.100.0/24 eni-b');
  assert.equal(route('192.0.2.9'), '192.0.2.0/25 eni-a');
  assert.equal(route('192.0.2.200'), '192.0.2.0/24 eni-c');
  assert.equal(route('10.0.7.9'), '10.0.7.0/24 eni-a');
  assert.equal(route('10.0.8.9'), '10.0.0.0/16 local');
  assert.equal(route('2001:db8:1::5'), '2001:db8:1::/48 blackhole');
  assert.equal(route('2001:db8:2::5'), '2001:db8::/32 eni-gone');
  assert.equal(route('2600:1f14:0:9::1'), '2600:1f14::/56 eni-c', 'in the place of local');
  assert.equal(route('2a00::1'), undefined);
});

test('who has an address: interfaces, routers and the resolver, each VPC for itself', () => {
  const { addresses } = compile({}).vpcs[0] ?? assert.fail();
  const at4 = (text: string): number => addresses.find(4, 0, 0, 0, parseIpv4(text));
  assert.deepEqual(['10.0.0.11', '10.0.0.12', '10.0.1.13'].map(at4), [0, 1, 2]);
  assert.equal(addresses.find(6, ...parseIpv6('2600:1f14:0:1::13')), 2);
  assert.deepEqual([at4('10.0.0.1'), at4('10.0.1.1')], [owner.router, owner.router]);
  assert.equal(at4('10.0.0.2'), owner.resolver);
  assert.equal(at4('10.0.1.2'), owner.nobody, 'kept by EC2, but nobody');
  assert.equal(addresses.find(6, 0, 0, 0, parseIpv4('10.0.0.11')), owner.nobody);
});

test('rules are compared as EC2 means them: ports, types, codes, lists, groups, versions', () => {
  const cases: [Omit<SecurityGroupRule, 'id'>, [number, number, string, boolean][]][] = [
    [
      { protocol: 6, fromPort: 80, toPort: 90, peer: { cidr: '10.0.0.0/8' } },
      [
        [6, 80, '10.9.9.9', true],
        [6, 90, '10.9.9.9', true],
        [6, 91, '10.9.9.9', false],
        [17, 80, '10.9.9.9', false],
        [6, 80, '11.0.0.1', false],
      ],
    ],
    [
      { protocol: 1, fromPort: 3, toPort: 4, peer: { cidr: '0.0.0.0/0' } },
      [
        [1, 0x304, '10.9.9.9', true],
        [1, 0x303, '10.9.9.9', false],
      ],
    ],
    [
      { protocol: 1, fromPort: 3, toPort: -1, peer: { cidr: '0.0.0.0/0' } },
      [
        [1, 0x3ff, '10.9.9.9', true],
        [1, 0x400, '10.9.9.9', false],
      ],
    ],
    [
      { protocol: 58, fromPort: 128, toPort: 0, peer: { cidr: '0.0.0.0/0' } },
      [[58, 0, '10.9.9.9', true]],
    ],
    [
      { protocol: 47, peer: { prefixList: 'pl-1' } },
      [
        [47, 0, '192.0.2.1', true],
        [47, 0, '198.51.100.1', true],
        [47, 0, '203.0.113.1', false],
      ],
    ],
    [{ protocol: -1, peer: { group: 'sg-1' } }, [[6, 80, '10.0.0.11', false]]],
  ];
  for (const [rule, packets] of cases) {
    const group = { ...everything('sg-1'), inbound: [{ id: 'sgr-1', ...rule }] };
    const lists = [{ id: 'pl-1', name: 'one', cidrs: ['192.0.2.0/24', '198.51.100.1/32'] }];
    const [tables] = compile({ securityGroups: [group], prefixLists: lists }).groups;
    for (const [protocol, value, from, expected] of packets) {
      const row = tables?.inbound.v4.find4(protocol, value, parseIpv4(from), noGroups) ?? -1;
      assert.equal(row >= 0, expected, JSON.stringify([rule, protocol, value, from]));
    }
    const inGroup = tables?.inbound.v4.find4(6, 80, 0, Int32Array.of(5, 0)) ?? -1;
    assert.equal(inGroup >= 0, 'group' in rule.peer);
  }
});

test('names of rules say what they are, so that a trace can be read alone', () => {
  const rules: SecurityGroupRule[] = [
    { id: 'sgr-1', protocol: 6, fromPort: 5432, toPort: 5432, peer: { group: 'sg-1' } },
    { id: 'sgr-2', protocol: 17, fromPort: 0, toPort: 65_535, peer: { cidr: '10.0.0.0/8' } },
    { id: 'sgr-3', protocol: 1, fromPort: 3, toPort: 4, peer: { cidr: '0.0.0.0/0' } },
    { id: 'sgr-4', protocol: 47, peer: { cidr: '0.0.0.0/0' } },
    { id: 'sgr-5', protocol: 6, fromPort: 1, toPort: 9, peer: { cidr: '0.0.0.0/0' } },
  ];
  const [tables] = compile({
    securityGroups: [{ ...everything('sg-1'), inbound: rules, outbound: rules.slice(0, 1) }],
    interfaces: [nic('a', 0)],
  }).groups;
  assert.deepEqual(tables?.inbound.v4.names, [
    'sg-1 inbound sgr-1: tcp 5432 from sg-1',
    'sg-1 inbound sgr-2: udp from 10.0.0.0/8',
    'sg-1 inbound sgr-3: icmp type 3 code 4 from 0.0.0.0/0',
    'sg-1 inbound sgr-4: protocol 47 from 0.0.0.0/0',
    'sg-1 inbound sgr-5: tcp 1-9 from 0.0.0.0/0',
  ]);
  assert.deepEqual(tables?.outbound.v4.names, ['sg-1 outbound sgr-1: tcp 5432 to sg-1']);
});
