// Answers of the reachability analyser: the gate that closed, and the hint for each classic mistake.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addresses6,
  all,
  anywhere,
  anywhere6,
  type Change,
  group,
  icmp,
  only,
  pair,
  tcp,
  udp,
} from '../../test/vpc-pair.ts';
import { defaultVpc } from './defaults.ts';
import { type Explanation, explain, type Question } from './explain.ts';
import { QuestionError } from './explain-ends.ts';
import { hintsFor } from './explain-hints.ts';
import type { VpcModel } from './model.ts';

const postgres = { from: 'a', to: 'b', protocol: 6, port: 5432 };
const openB = { b: { inbound: [all(anywhere), all(anywhere6)] } };
const allow = { number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' } as const;
const igw = { more: { internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }] } };
const toInternet = [{ destination: '0.0.0.0/0', target: 'igw-1' }];

const ask = (change: Change, question: Partial<Question> = {}): [VpcModel, Explanation] => {
  const model = pair(change);
  return [model, explain(model, { ...postgres, ...question })];
};

/** `request: inbound groups: sgIngressNone`, or `reachable`. */
const verdict = ({ closed }: Explanation): string =>
  closed === null ? 'reachable' : `${closed.direction}: ${closed.gate.gate}: ${closed.reason}`;

const hintIds = (model: VpcModel, answer: Explanation): string[] =>
  hintsFor(model, answer).map(({ id }) => id);

test('what is open both ways is reachable, by the gates that it passed', () => {
  const [model, answer] = ask({ groups: { b: { inbound: [tcp(5432, group('a'))] } } });
  assert.equal(verdict(answer), 'reachable');
  assert.deepEqual(
    answer.request[0]?.judgement.gates.map(({ gate, rule }) => `${gate} ${rule ?? ''}`.trim()),
    [
      'source check',
      'outbound groups sgr-a-out4',
      'route 10.0.0.0/16 local',
      'network ACL out acl-a 100',
      'network ACL in acl-b 100',
      'destination check',
      'inbound groups sgr-b-in-1',
    ],
  );
  const groups = answer.reply[0]?.judgement.gates.filter(({ how }) => how !== undefined) ?? [];
  assert.deepEqual(
    groups.map(({ gate, how, rule }) => `${gate} ${how} ${rule}`),
    ['outbound groups tracked sgr-b-in-1', 'inbound groups tracked sgr-a-out4'],
  );
  assert.deepEqual(hintIds(model, answer), []);
});

const cases: [
  claim: string,
  change: Change,
  Partial<Question>,
  verdict: string,
  hints: string[],
][] = [
  ['no rule lets it in', {}, {}, 'request: inbound groups: sgIngressNone', []],
  [
    'ephemeral ports are missing in the reply',
    {
      groups: openB,
      acls: { b: { outbound: [{ ...allow, protocol: 6, fromPort: 5432, toPort: 5432 }] } },
    },
    {},
    'reply: network ACL out: aclOutDenied',
    ['ephemeral-ports'],
  ],
  [
    'some ephemeral ports are missing in the reply',
    {
      groups: openB,
      acls: { b: { outbound: [{ ...allow, protocol: 6, fromPort: 49_152, toPort: 65_535 }] } },
    },
    {},
    'reply: network ACL out: aclOutDenied',
    ['ephemeral-ports'],
  ],
  [
    'an entry comes before the one that allows',
    { groups: openB, acls: { b: { inbound: [{ ...allow, number: 90, action: 'deny' }, allow] } } },
    {},
    'request: network ACL in: aclInDenied',
    ['acl-order', 'open-group-closed-acl'],
  ],
  [
    'the group is open to all, the ACL is closed',
    { groups: openB, acls: { b: { inbound: [] } } },
    {},
    'request: network ACL in: aclInDenied',
    ['open-group-closed-acl'],
  ],
  [
    'a group is named, and a middlebox is on the way',
    {
      groups: { b: { inbound: [tcp(5432, group('a'))] }, m: { inbound: [all(anywhere)] } },
      routes: { a: [{ destination: '10.0.1.0/24', target: 'eni-m' }] },
      interfaces: { m: { sourceDestCheck: false } },
    },
    {},
    'request: inbound groups: sgIngressNone',
    ['group-through-middlebox'],
  ],
  [
    'the appliance checks addresses',
    { groups: openB, routes: { a: [{ destination: '10.0.1.0/24', target: 'eni-m' }] } },
    {},
    'request: destination check: wrongDestination',
    ['source-dest-check'],
  ],
  [
    'the way back is missing',
    {
      groups: openB,
      routes: { a: toInternet, b: [{ destination: '10.0.0.0/24', target: 'blackhole' }] },
    },
    {},
    'reply: route: blackhole',
    ['no-way-back'],
  ],
  ['no route leads out', {}, { to: '192.0.2.1' }, 'request: route: noRoute', ['no-route']],
  [
    'there is no public address',
    { ...igw, routes: { a: toInternet } },
    { to: '192.0.2.1' },
    'request: gateway: noPublicAddress',
    ['no-public-address'],
  ],
  [
    'a rule for TCP lets no ping in',
    { groups: { b: { inbound: [tcp(0, anywhere, 65_535)] } } },
    { protocol: 1 },
    'request: inbound groups: sgIngressNone',
    ['ping'],
  ],
  [
    'path-MTU discovery is denied by the ACL',
    { groups: openB, acls: { a: { inbound: [{ ...allow, protocol: 6 }] } } },
    {},
    'reachable',
    ['path-mtu'],
  ],
  [
    'path-MTU discovery is denied by the groups, of a flow that is not tracked',
    {
      groups: {
        a: { inbound: [tcp(0, anywhere, 65_535)], outbound: [all(anywhere)] },
        b: { inbound: [all(anywhere)] },
      },
    },
    {},
    'reachable',
    ['path-mtu'],
  ],
  [
    'within a subnet the ACL does not count',
    {
      groups: openB,
      acls: { a: { inbound: [], outbound: [] } },
      interfaces: { b: { subnet: 'subnet-a', addresses: [{ address: '10.0.0.11' }] } },
    },
    {},
    'reachable',
    ['same-subnet'],
  ],
  [
    'a group does not match its members by their public addresses',
    {
      ...igw,
      groups: { b: { inbound: [tcp(5432, group('a'))] } },
      routes: { a: toInternet, b: toInternet },
      interfaces: {
        a: { addresses: [{ address: '10.0.0.10', publicAddress: '203.0.113.10' }] },
        b: { addresses: [{ address: '10.0.1.11', publicAddress: '203.0.113.11' }] },
      },
    },
    { to: '203.0.113.11' },
    'request: inbound groups: sgIngressNone',
    ['group-by-public-address'],
  ],
];

for (const [claim, change, question, expected, hints] of cases)
  test(`${claim}: ${expected}`, () => {
    const [model, answer] = ask(change, question);
    assert.equal(verdict(answer), expected);
    assert.deepEqual(hintIds(model, answer), hints);
    for (const { source, text } of hintsFor(model, answer)) {
      assert.match(source, /User Guide/);
      assert.doesNotMatch(text, /undefined|null/);
    }
  });

test('it says which of the ephemeral ports are closed, and only then', () => {
  const entry = { ...allow, protocol: 6, fromPort: 40_000, toPort: 50_000 };
  const [model, answer] = ask({ groups: openB, acls: { b: { outbound: [entry] } } });
  assert.deepEqual(answer.closedPorts, [
    { from: 32_768, to: 39_999 },
    { from: 50_001, to: 61_000 },
  ]);
  assert.match(hintsFor(model, answer)[0]?.text ?? '', /acl-b denies 32768-39999, 50001-61000 out/);
  assert.equal(ask({ groups: openB })[1].closedPorts.length, 0);
  const [, chosen] = ask(
    { groups: openB, acls: { b: { outbound: [entry] } } },
    { sourcePort: 45_000 },
  );
  assert.equal(verdict(chosen), 'reachable');
});

test('through an appliance, there and back, leg by leg', () => {
  const change: Change = {
    groups: { b: { inbound: [tcp(5432, only('a'))] }, m: { inbound: [all(anywhere)] } },
    routes: {
      a: [{ destination: '10.0.1.0/24', target: 'eni-m' }],
      b: [{ destination: '10.0.0.0/24', target: 'eni-m' }],
    },
    interfaces: { m: { sourceDestCheck: false } },
  };
  const [, answer] = ask(change);
  assert.equal(verdict(answer), 'reachable');
  const stops = (legs: Explanation['request']) =>
    legs.map(({ judgement }) => judgement.deliveredTo);
  assert.deepEqual(stops(answer.request), ['eni-m', 'eni-b']);
  assert.deepEqual(stops(answer.reply), ['eni-m', 'eni-a']);
});

test('appliances that send to each other are a circle', () => {
  const off = { sourceDestCheck: false };
  const [, answer] = ask(
    {
      groups: { b: { inbound: [all(anywhere)] }, m: { inbound: [all(anywhere)] } },
      routes: {
        a: [{ destination: '192.0.2.0/24', target: 'eni-m' }],
        m: [{ destination: '192.0.2.0/24', target: 'eni-b' }],
        b: [{ destination: '192.0.2.0/24', target: 'eni-m' }],
      },
      interfaces: { m: off, b: off },
    },
    { to: '192.0.2.1' },
  );
  assert.equal(answer.closed?.reason, 'loop');
});

test('from outside to a public address, and back', () => {
  const change: Change = {
    ...igw,
    groups: { b: { inbound: [tcp(5432, { cidr: '198.51.100.0/24' })] } },
    routes: { b: toInternet },
    interfaces: { b: { addresses: [{ address: '10.0.1.11', publicAddress: '203.0.113.11' }] } },
  };
  const [, answer] = ask(change, { from: '198.51.100.7' });
  assert.equal(verdict(answer), 'reachable');
  assert.equal(answer.reply[0]?.judgement.deliveredTo, 'igw-1');
  const [, other] = ask(change, { from: '192.0.2.7' });
  assert.equal(verdict(other), 'request: inbound groups: sgIngressNone');
});

test('out by a NAT gateway in a public subnet, and back in', () => {
  const change: Change = {
    ...igw,
    routes: { a: [{ destination: '0.0.0.0/0', target: 'nat-1' }], m: toInternet },
  };
  const nat = {
    id: 'nat-1',
    subnet: 'subnet-m',
    address: '10.0.2.5',
    publicAddress: '203.0.113.5',
  };
  const model = { ...pair(change), natGateways: [nat] };
  const answer = explain(model, { ...postgres, to: '192.0.2.1' });
  assert.equal(verdict(answer), 'reachable');
  const stops = (legs: Explanation['request']) =>
    legs.map(({ judgement }) => judgement.deliveredTo);
  assert.deepEqual(stops(answer.request), ['nat-1', 'igw-1']);
  assert.deepEqual(stops(answer.reply), ['nat-1', 'eni-a']);
  const inner = pair({ acls: { m: { outbound: [] } } }, model);
  assert.equal(
    verdict(explain(inner, { ...postgres, to: '192.0.2.1' })),
    'request: network ACL out: aclOutDenied',
  );
});

test('IPv6 addresses are asked by rules for IPv6', () => {
  const change: Change = { groups: { b: { inbound: [tcp(5432, anywhere)] } } };
  assert.equal(verdict(ask(change)[1]), 'reachable');
  for (const question of [{ version: 6 }, { from: addresses6.a, to: addresses6.b }] as const)
    assert.equal(verdict(ask(change, question)[1]), 'request: inbound groups: sgIngressNone');
});

test('UDP and ICMP replies are tracked, other ICMP has none', () => {
  const [, answer] = ask(
    { groups: { b: { inbound: [udp(53, only('a'))], outbound: [] } } },
    { protocol: 17, port: 53 },
  );
  assert.equal(verdict(answer), 'reachable');
  const change: Change = { groups: { b: { inbound: [icmp(only('a'))], outbound: [] } } };
  assert.equal(verdict(ask(change, { protocol: 1 })[1]), 'reachable');
  assert.deepEqual(ask(change, { protocol: 1, icmpType: 3 })[1].reply, []);
});

test('two VPCs do not know each other', () => {
  const other = defaultVpc(['us-east-1a']);
  const at = { id: 'eni-x', subnet: 'subnet-us-east-1a', mac: '02:00:00:00:00:99', groups: [] };
  const base = pair({ groups: openB });
  const model: VpcModel = {
    ...base,
    vpcs: [...base.vpcs, ...other.vpcs],
    subnets: [...base.subnets, ...other.subnets],
    routeTables: [...base.routeTables, ...other.routeTables],
    interfaces: [...base.interfaces, { ...at, addresses: [{ address: '172.31.0.10' }] }],
  };
  const answer = explain(model, { ...postgres, to: '172.31.0.10' });
  assert.equal(verdict(answer), 'request: route: noRoute');
  assert.match(hintsFor(model, answer)[0]?.text ?? '', /vpc-default is another VPC/);
});

const senseless: [Partial<Question>, RegExp][] = [
  [{ to: 'c' }, /no instance, interface or address 'c'; of instances there are a, b, m/],
  [{ to: 'a' }, /the same interface/],
  [{ from: '192.0.2.1', to: '192.0.2.2' }, /neither 192\.0\.2\.1 nor 192\.0\.2\.2 is in a VPC/],
  [{ to: addresses6.b, from: '10.0.0.10' }, /not of one version/],
  [{ from: '192.0.2.1' }, /no internet gateway/],
];
for (const [question, message] of senseless)
  test(`a question without sense is told so: ${message.source}`, () => {
    assert.throws(
      () => explain(pair(), { ...postgres, ...question }),
      (error: Error) => {
        assert.ok(error instanceof QuestionError);
        assert.match(error.message, message);
        return true;
      },
    );
  });
