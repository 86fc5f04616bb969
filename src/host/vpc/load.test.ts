import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { parseHpc, parseLab, parseVpc } from './load.ts';

const example = (): VpcModel => {
  const file = 'examples/three-tier-vpc.yaml';
  return parseVpc(readFileSync(file, 'utf8'), file);
};
/** `a` and `b`, both in the VPC that the lines describe. */
const load = (...lines: string[]): VpcModel =>
  parseVpc(['vpc:', ...lines, 'instances: { a: {}, b: {} }'].join('\n'), 'lab.yaml');

test('addresses have names, as in a default VPC of EC2, unless somebody says no', () => {
  assert.equal(load('  dns-hostnames: false').vpcs[0]?.dnsHostnames, false);
  assert.equal(load('  cidr: 10.0.0.0/16').vpcs[0]?.dnsHostnames, true);
});

test('what nobody says is what EC2 does: default group, default ACL, main table, addresses', () => {
  const model = parseVpc('vpc: {}\ninstances: { a: {}, b: {} }', 'lab.yaml');
  assert.deepEqual(model.vpcs, [{ id: 'vpc-lab', cidrs: ['10.0.0.0/16'], dnsHostnames: true }]);
  assert.deepEqual(
    model.interfaces.map(({ id, mac, addresses, groups }) => [id, mac, addresses, groups]),
    [
      ['eni-a', '02:00:00:00:00:01', [{ address: '10.0.0.10' }], ['sg-default']],
      ['eni-b', '02:00:00:00:00:02', [{ address: '10.0.0.11' }], ['sg-default']],
    ],
  );
  assert.deepEqual(model.securityGroups, [
    {
      ...{ id: 'sg-default', vpc: 'vpc-lab', name: 'default' },
      inbound: [{ id: 'sgr-default-in-1', protocol: -1, peer: { group: 'sg-default' } }],
      outbound: [{ id: 'sgr-default-out-1', protocol: -1, peer: { cidr: '0.0.0.0/0' } }],
    },
  ]);
  const open = { number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' };
  assert.deepEqual(model.networkAcls, [
    { id: 'acl-default', vpc: 'vpc-lab', inbound: [open], outbound: [open] },
  ]);
  assert.deepEqual(model.routeTables, [{ id: 'rtb-main', vpc: 'vpc-lab', routes: [] }]);
  assert.deepEqual(model.subnets, [
    {
      ...{ id: 'subnet-default', vpc: 'vpc-lab', zone: 'us-east-1a', cidr: '10.0.0.0/20' },
      ...{ networkAcl: 'acl-default', routeTable: 'rtb-main' },
    },
  ]);
});

const rulesOf = (...lines: string[]) => {
  const { securityGroups } = load(
    '  groups:',
    '    g:',
    '      in:',
    ...lines.map((l) => `        - ${l}`),
  );
  const group = securityGroups.find(({ name }) => name === 'g');
  return group?.inbound.map(({ id: _, ...rule }) => rule);
};

test('a rule has protocol, ports and peers in the order of a sentence', () => {
  const cidr = { cidr: '10.0.0.0/8' };
  assert.deepEqual(rulesOf('tcp 22 from 10.0.0.0/8'), [
    { protocol: 6, fromPort: 22, toPort: 22, peer: cidr },
  ]);
  assert.deepEqual(rulesOf('udp 53 1024-65535 from 10.0.0.1'), [
    { protocol: 17, fromPort: 53, toPort: 53, peer: { cidr: '10.0.0.1/32' } },
    { protocol: 17, fromPort: 1024, toPort: 65535, peer: { cidr: '10.0.0.1/32' } },
  ]);
  assert.deepEqual(rulesOf('icmp fragmentation-needed from self', 'icmp 8 from default'), [
    { protocol: 1, fromPort: 3, toPort: 4, peer: { group: 'sg-g' } },
    { protocol: 1, fromPort: 8, toPort: -1, peer: { group: 'sg-default' } },
  ]);
  assert.deepEqual(rulesOf('all from anywhere', '132 from 10.0.0.0/8', 'icmpv6 128/0 from ::/0'), [
    { protocol: -1, peer: { cidr: '0.0.0.0/0' } },
    { protocol: -1, peer: { cidr: '::/0' } },
    { protocol: 132, peer: cidr },
    { protocol: 58, fromPort: 128, toPort: 0, peer: { cidr: '::/0' } },
  ]);
});

test('a line that becomes several rules numbers them by letters, so that others keep their ids', () => {
  const { securityGroups } = load('  groups: { g: { in: [tcp 80 443 from self, all from self] } }');
  assert.deepEqual(
    securityGroups[1]?.inbound.map(({ id }) => id),
    ['sgr-g-in-1a', 'sgr-g-in-1b', 'sgr-g-in-2'],
  );
});

test('a group that says nothing of outbound lets everything out; one that says [] nothing', () => {
  const outs = (text: string) =>
    load(`  groups: { g: ${text} }`).securityGroups[1]?.outbound.length;
  assert.equal(outs('{}'), 1);
  assert.equal(outs('{ out: [] }'), 0);
});

test('a group may be its inbound rules, and one rule needs no list', () => {
  const group = (text: string) => load(`  groups: { g: ${text} }`).securityGroups[1];
  assert.deepEqual(group('[tcp 22 from self]'), group('{ in: [tcp 22 from self] }'));
  assert.deepEqual(group('{ out: all to self }'), group('{ out: [all to self] }'));
  assert.throws(() => group('[tcp 22 from self, tcp 23 from nobody]'), {
    message: /^lab\.yaml:2:35: vpc\.groups\.g\.in\.1 is 'tcp 23 from nobody', expected a prefix, /,
  });
});

test('a vpc section with nothing in it has all defaults', () => {
  const instances = 'instances: { a: {}, b: {} }';
  assert.deepEqual(
    parseVpc(`vpc:\n${instances}`, 'lab.yaml'),
    parseVpc(`vpc: {}\n${instances}`, 'lab.yaml'),
  );
});

test('an ACL has entries by number, with the fields of their protocol', () => {
  const { networkAcls } = load(
    '  acls:',
    '    strict:',
    '      in: { 90: deny icmp echo-request from 10.0.0.9, 100: allow tcp 22 from 10.0.0.0/16 }',
    '      out: { 100: allow udp to 10.0.0.0/16 }',
  );
  assert.deepEqual(networkAcls[1], {
    ...{ id: 'acl-strict', vpc: 'vpc-lab' },
    inbound: [
      { number: 90, action: 'deny', cidr: '10.0.0.9/32', protocol: 1, icmpType: 8, icmpCode: -1 },
      { number: 100, action: 'allow', cidr: '10.0.0.0/16', protocol: 6, fromPort: 22, toPort: 22 },
    ],
    outbound: [{ number: 100, action: 'allow', cidr: '10.0.0.0/16', protocol: 17 }],
  });
});

test('names become ids everywhere: gateways, routes, lists, placement groups', () => {
  const model = parseVpc(
    `vpc:
  ipv6: 2001:db8:0:100::/56
  subnets: { one: { cidr: 10.0.0.0/24, ipv6: 2001:db8:0:101::/64, routes: out } }
  gateways:
    igw: internet
    out6: egress-only
    nat: { nat: { address: 10.0.0.10, public: 198.51.100.1 } }
  prefix-lists: { offices: [198.51.100.0/24] }
  routes: { out: { 0.0.0.0/0: igw, "::/0": out6, offices: nat, 10.0.0.99/32: a, 192.0.2.0/24: blackhole } }
  placement-groups: { fast: cluster }
instances:
  a: { ipv6: true, placement-group: fast, source-dest-check: false }
  b: { address: [10.0.0.20, 10.0.0.21], public: 198.51.100.9, ipv6: "2001:db8:0:101::20" }`,
    'lab.yaml',
  );
  assert.deepEqual(model.routeTables[1]?.routes, [
    { destination: '0.0.0.0/0', target: 'igw-igw' },
    { destination: '::/0', target: 'eigw-out6' },
    { destination: 'pl-offices', target: 'nat-nat' },
    { destination: '10.0.0.99/32', target: 'eni-a' },
    { destination: '192.0.2.0/24', target: 'blackhole' },
  ]);
  assert.deepEqual(model.natGateways, [
    { id: 'nat-nat', subnet: 'subnet-one', address: '10.0.0.10', publicAddress: '198.51.100.1' },
  ]);
  const [a, b] = model.interfaces;
  assert.deepEqual(
    [a?.addresses, a?.ipv6Addresses],
    [[{ address: '10.0.0.11' }], ['2001:db8:0:101::10']],
  );
  assert.equal(a?.sourceDestCheck, false);
  assert.deepEqual(b?.addresses, [
    { address: '10.0.0.20', publicAddress: '198.51.100.9' },
    { address: '10.0.0.21' },
  ]);
  assert.equal(model.instances[0]?.placementGroup, 'pg-fast');
});

test('the model of a topology is a model as JSON, and a JSON model stays as it is', () => {
  const model = example();
  assert.deepEqual(parseVpc(JSON.stringify(model), 'model.json'), model);
  assert.equal(model.instances.length, 4);
});

test('a lab boots the instances of a JSON model, when they can be guests', () => {
  const types = InstanceTypes.load();
  const lab = (model: VpcModel) => parseLab(JSON.stringify(model), 'model.json', types);
  const model = load();
  assert.deepEqual(lab(model), parseLab('vpc:\ninstances: { a: {}, b: {} }', 'lab.yaml', types));
  const [a, b] = model.instances;
  assert.ok(a && b);
  const of = (second: typeof b) => () => lab({ ...model, instances: [a, second] });
  assert.throws(of({ ...b, name: 'B 2' }), {
    message: /^model\.json:1:1: the instance 'B 2' cannot/,
  });
  assert.throws(of({ ...b, name: 'a' }), { message: /the instance 'a' cannot be a guest/ });
  assert.throws(of({ ...b, type: 't1.micro' }), {
    message: /b is 't1\.micro', expected an instance/,
  });
  const alone = { ...model, interfaces: model.interfaces.slice(0, 1) };
  assert.throws(() => lab(alone), { message: /the instance b has no network interface/ });
});

test('an instance has its EFA beside its ENA, or as an interface of its own without address', () => {
  const { instances, interfaces } = parseVpc(
    'vpc:\ninstances: { a: { interface-type: efa }, b: { interface-type: efa-only }, c: {} }',
    'lab.yaml',
  );
  assert.deepEqual(
    interfaces.map((at) => [at.id, at.mac, at.interfaceType, at.deviceIndex, at.addresses.length]),
    [
      ['eni-a', '02:00:00:00:00:01', 'efa', undefined, 1],
      ['eni-b', '02:00:00:00:00:02', undefined, undefined, 1],
      ['eni-b-efa', '02:00:00:00:00:03', 'efa-only', 1, 0],
      ['eni-c', '02:00:00:00:00:04', undefined, undefined, 1],
    ],
  );
  const types = instances.map(({ type }) => type);
  assert.deepEqual(types, ['c5n.18xlarge', 'c5n.18xlarge', 'c6i.large']);
  const small = 'vpc:\ninstances: { a: { type: c6i.large, interface-type: efa }, b: {} }';
  assert.throws(() => parseVpc(small, 'lab.yaml'), {
    message: /^lab\.yaml:2:25: .*expected a type that has EFA, like c5n\.18xlarge/,
  });
});

test('what virtfn hpc boots are two to four instances that all have an EFA', () => {
  const instances = (...all: string[]): string => `vpc:\ninstances: { ${all.join(', ')} }`;
  const efa = (name: string): string => `${name}: { interface-type: efa }`;
  const example = readFileSync('examples/hpc-cluster.yaml', 'utf8');
  assert.equal(parseHpc(example, 'hpc.yaml').instances.length, 3);
  assert.throws(() => parseHpc(instances(efa('a'), 'b: {}'), 'x.yaml'), {
    message: /^x\.yaml:1:1: b has no EFA, expected interface-type: efa or efa-only$/,
  });
  const five = ['a', 'b', 'c', 'd', 'e'].map(efa);
  assert.throws(() => parseHpc(instances(...five), 'x.yaml'), { message: /5 instances/ });
});

const wrong: [claim: string, lines: string[], message: RegExp][] = [
  [
    'a rule that is no sentence',
    ['  groups:', '    g: { in: [tcp 22 form anywhere] }'],
    /^lab\.yaml:3:15: vpc\.groups\.g\.in\.0 is 'tcp 22 form anywhere', expected a rule like "tcp 22 from/,
  ],
  [
    'a rule with the wrong side',
    ['  groups: { g: { out: [tcp 22 from anywhere] } }'],
    /^lab\.yaml:2:24: .* expected 'to' and not 'from': this is about outbound traffic$/,
  ],
  [
    'a group that is not there, with near ones',
    ['  groups: { web: {}, db: { in: [tcp 5432 from webb] } }'],
    /^lab\.yaml:2:33: .* \(default, web, db\) instead of 'webb'; did you mean web\?$/,
  ],
  [
    'an unknown protocol',
    ['  groups: { g: { in: [tpc 22 from self] } }'],
    /^lab\.yaml:2:23: .* expected a protocol: all, icmp, /,
  ],
  [
    'ports upside down',
    ['  groups: { g: { in: [tcp 90-80 from self] } }'],
    /^lab\.yaml:2:23: .* expected ports like/,
  ],
  [
    'ports where there are none',
    ['  groups: { g: { in: [gre 22 from self] } }'],
    /^lab\.yaml:2:23: .* expected no '22': only TCP and UDP have ports$/,
  ],
  [
    'a subnet that is no prefix',
    ['  subnets: { one: 10.0.0.0 }'],
    /^lab\.yaml:2:19: vpc\.subnets\.one is '10\.0\.0\.0', expected an IPv4 prefix of \/16 to \/28/,
  ],
  [
    "a subnet's ACL that is not there",
    ['  subnets:', '    one: { cidr: 10.0.0.0/24, acl: strict }'],
    /^lab\.yaml:3:36: vpc\.subnets\.one\.acl is 'strict', expected the name of a network ACL \(there are: default\)$/,
  ],
  [
    'an entry of an ACL out of range',
    ['  acls: { s: { in: { 40000: allow all from 0.0.0.0/0 } } }'],
    /^lab\.yaml:2:22: the name '40000' does not do, expected the number of an entry/,
  ],
  [
    'an entry of an ACL that names a group',
    ['  acls:', '    s:', '      in:', '        100: allow all from web'],
    /^lab\.yaml:5:14: vpc\.acls\.s\.in\.100 is 'allow all from web', expected a prefix like .* ACLs know no names$/,
  ],
  [
    'a route to nowhere',
    ['  routes:', '    out: { 0.0.0.0/0: igw }'],
    /^lab\.yaml:3:23: vpc\.routes\.out\.0\.0\.0\.0\/0 is 'igw', expected the name of a gateway or an instance \(there are: a, b\)$/,
  ],
  [
    'an unknown gateway',
    ['  gateways: { igw: inernet }'],
    /^lab\.yaml:2:20: vpc\.gateways\.igw is 'inernet', expected a gateway: internet, egress-only, nat$/,
  ],
  [
    'an unknown key',
    ['  subnet: {}'],
    /^lab\.yaml:2:3: vpc\.subnet is unknown, expected a VPC: .*; did you mean subnets\?$/,
  ],
  [
    'a network of its own beside it',
    ['  cidr: 10.0.0.0/16', 'network: { mtu: 1500 }'],
    /^lab\.yaml:3:10: network is a table, expected either a network or a vpc$/,
  ],
];
for (const [claim, lines, message] of wrong)
  test(`a VPC with ${claim} is refused, and where it is wrong is told`, () => {
    assert.throws(() => load(...lines), { name: 'TopologyError', message });
  });

const wrongInstances: [claim: string, instances: string, message: RegExp][] = [
  [
    'an address outside of its subnet',
    '{ a: { address: 10.1.0.5 }, b: {} }',
    /^lab\.yaml:2:28: instances\.a\.address is '10\.1\.0\.5', expected an address of the subnet, 10\.0\.0\.0\/20$/,
  ],
  [
    'an address that another one has',
    '{ a: { address: 10.0.0.5 }, b: { address: [10.0.0.6, 10.0.0.5] } }',
    /^lab\.yaml:2:65: instances\.b\.address\.1 .* expected an address that nothing else has$/,
  ],
  [
    'a group that is not there',
    '{ a: { groups: web }, b: {} }',
    /^lab\.yaml:2:27: instances\.a\.groups is 'web'/,
  ],
  [
    'IPv6 where there is none',
    '{ a: { ipv6: true }, b: {} }',
    /expected none, as the subnet has no/,
  ],
];
for (const [claim, instances, message] of wrongInstances)
  test(`an instance with ${claim} is refused, and where it is wrong is told`, () => {
    assert.throws(() => parseVpc(`vpc: {}\ninstances: ${instances}`, 'lab.yaml'), { message });
  });

test('what needs a VPC says so where there is none', () => {
  const file = 'instances:\n  a: { subnet: web }\n  b: {}';
  assert.throws(() => parseVpc(file, 'lab.yaml'), {
    message: /^lab\.yaml:2:16: instances\.a\.subnet is 'web', expected a vpc section for that$/,
  });
  assert.throws(() => parseVpc('instances: { a: {}, b: {} }', 'lab.yaml'), {
    message: /there is no vpc/,
  });
});

test('a field that a JSON model does not have is told with its place', () => {
  assert.throws(() => parseVpc('{\n  "vpcs": [],\n  "subnetz": []\n}', 'model.json'), {
    message: /^model\.json:3:3: subnetz is unknown, expected a model: .*did you mean subnets\?$/,
  });
});
