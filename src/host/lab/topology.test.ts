import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { defaultTopology, parseTopology } from './topology.ts';

const types = InstanceTypes.load();
const parse = (text: string) => parseTopology(text, 'lab.yaml', types);

test('the example file is the lab that runs without a file', () => {
  const example = readFileSync('examples/two-instances.yaml', 'utf8');
  assert.deepEqual(parse(example), defaultTopology(types));
});

test('instances keep the order of the file, and what is not said is the default', () => {
  const { instances } = parse('instances: { z: {}, a: { type: m5.large, memory: 1024 } }');
  assert.deepEqual(instances, [
    { name: 'z', type: 'c6i.large', nic: 'ena' },
    { name: 'a', type: 'm5.large', nic: 'ena', memoryMb: 1024 },
  ]);
});

const two = 'instances:\n  a:\n    type: c6i.large\n  b:\n    ';
const wrong: [claim: string, text: string, message: RegExp][] = [
  [
    'an unknown type, with near names',
    `${two}type: c6i.lage\n`,
    /^lab\.yaml:5:11: instances\.b\.type is 'c6i\.lage', expected an EC2 instance type, like c6i\.large; did you mean .*c6i\.large/,
  ],
  [
    'a type without ENA',
    `${two}type: t1.micro\n`,
    /^lab\.yaml:5:11: instances\.b\.type is 't1\.micro', expected a type that has ENA/,
  ],
  [
    'an unknown key, with near ones',
    `${two}typ: c6i.large\n`,
    /^lab\.yaml:5:5: instances\.b\.typ is unknown, expected an instance: .*; did you mean type\?$/,
  ],
  [
    'a NIC model that is not served',
    `${two}nic: e1000\n`,
    /^lab\.yaml:5:10: instances\.b\.nic is 'e1000', expected a NIC model: ena, 82599vf$/,
  ],
  [
    'a kernel that YAML takes for a number',
    `${two}kernel: 6.12\n`,
    /^lab\.yaml:5:13: instances\.b\.kernel is the number 6\.12, expected a kernel series in quotes/,
  ],
  ['a group MAC', `${two}mac: 01:00:5e:00:00:01\n`, /^lab\.yaml:5:10: .* expected the MAC/],
  [
    'an address that is none',
    `${two}address: 10.0.0.256\n`,
    /^lab\.yaml:5:14: .* expected an IPv4/,
  ],
  [
    'an address of another network',
    `${two}address: 192.168.0.1\n`,
    /^lab\.yaml:5:14: .* is '192\.168\.0\.1', expected an address of the network 10\.0\.0\.1\/16$/,
  ],
  [
    "the router's address",
    `${two}address: 10.0.0.1\n`,
    /^lab\.yaml:5:14: .* expected another one than that of the router$/,
  ],
  [
    'one MAC twice',
    'instances: { a: { mac: 02:00:00:00:00:0A }, b: { mac: 02:00:00:00:00:0a } }',
    /^lab\.yaml:1:55: .* expected another one than that of a$/,
  ],
  [
    'one instance only',
    'instances:\n  a: {}\n',
    /^lab\.yaml:2:3: .*expected two instances or more/,
  ],
  ['no instances', 'network:\n  mtu: 1500\n', /^lab\.yaml:1:1: there is no instances, expected/],
  [
    'an empty file',
    '',
    /^lab\.yaml:1:1: .*expected a topology: network or vpc, outside, resolver, instances, measure/,
  ],
  [
    'a name that is no host name',
    'instances:\n  a: {}\n  B_2: {}\n',
    /^lab\.yaml:3:3: the name 'B_2' does not do, expected a name of lower-case/,
  ],
  [
    'a name that is there twice',
    'instances:\n  a: {}\n  a: {}\n',
    /^lab\.yaml:3:3: this is no YAML: Map keys must be unique/,
  ],
  [
    'a generation that there is not',
    `${two}profile: nitro-v9\n`,
    /^lab\.yaml:5:14: instances\.\w+\.profile is 'nitro-v9', expected a profile of ENA: permissive, .*or type: that of the instance type/,
  ],
  [
    'the generation of a type of which it is not known',
    `${two}type: i3.large\n    profile: type\n`,
    /expected a profile of ENA by its name, as the generation of i3\.large is not known/,
  ],
  [
    'an MTU out of range',
    `${two}type: c6i.large\nmeasure:\n  mtu: 10000\n`,
    /^lab\.yaml:7:8: measure\.mtu is the number 10000, expected an MTU, a whole number from 576 to 9001$/,
  ],
  [
    'an outside without a VPC',
    `outside: passt\n${two}type: c6i.large\n`,
    /^lab\.yaml:1:10: .*expected none, as there is no vpc$/,
  ],
  [
    'two outsides',
    `vpc: {}\noutside: { passt: {}, tun: virtfn0 }\n${two}type: c6i.large\n`,
    /^lab\.yaml:2:10: .*expected either passt or tun$/,
  ],
  [
    'an outside that nobody knows',
    `vpc: {}\noutside: internet\n${two}type: c6i.large\n`,
    /^lab\.yaml:2:10: .*expected an outside: passt or tun$/,
  ],
  [
    'a resolver without a VPC',
    `resolver: 192.0.2.53\n${two}type: c6i.large\n`,
    /^lab\.yaml:1:11: .*expected none, as there is no vpc$/,
  ],
  [
    'a resolver that is a name',
    `vpc: {}\nresolver: dns.example\n${two}type: c6i.large\n`,
    /^lab\.yaml:2:11: .*expected the address of a name server$/,
  ],
  ['broken YAML', 'instances: [a\n', /^lab\.yaml:\d+:\d+: this is no YAML: /],
];
for (const [claim, text, message] of wrong)
  test(`a topology with ${claim} is refused, and where it is wrong is told`, () => {
    assert.throws(() => parse(text), { name: 'TopologyError', message });
  });

test('an outside is passt, with or without an address for the loopback, or a TUN device', () => {
  const outsideOf = (line: string) =>
    parseTopology(`vpc: {}\n${line}instances: { a: {}, b: {} }`, 'lab.yaml', types).outside;
  assert.deepEqual(outsideOf('outside: passt\n'), { passt: {} });
  const loopback = '203.0.113.1';
  assert.deepEqual(outsideOf(`outside: { passt: { loopback: ${loopback} } }\n`), {
    passt: { loopback },
  });
  assert.deepEqual(outsideOf('outside: { tun: virtfn0 }\n'), { tun: 'virtfn0' });
  assert.equal(outsideOf(''), undefined, 'off unless asked for');
});

test('ENA Express is for TCP or UDP too, and for types that have it', () => {
  const file = (type: string, what: string) =>
    `instances:\n  a: { type: ${type}, ena-express: ${what} }\n  b: {}\n`;
  const expressOf = (what: string) => parse(file('c6i.32xlarge', what)).instances[0]?.express;
  assert.deepEqual([expressOf('tcp'), expressOf('udp')], [{ udp: false }, { udp: true }]);
  assert.throws(
    () => parse(file('c6i.32xlarge', 'sctp')),
    /expected what goes by ENA Express: tcp/,
  );
  assert.throws(() => parse(file('t3.micro', 'tcp')), /:2:37.* as t3.micro has no ENA Express/);
});

test("limits are the type's unless told: others by name, or none", () => {
  const file = (limits: string) =>
    `instances:\n  a: { type: m5.large, limits: ${limits} }\n  b: {}\n`;
  const limitsOf = (limits: string) => parse(file(limits)).instances[0]?.limits;
  assert.equal(limitsOf('none'), null);
  assert.deepEqual(limitsOf('{ baselineGbps: 0.2, queueMs: 0 }'), {
    ...{ baselineInGbps: 0.2, baselineOutGbps: 0.2, queueMs: 0 },
  });
  assert.equal(parse('instances: { a: {}, b: {} }').instances[0]?.limits, undefined);
  assert.throws(() => parse(file('{ pps: 1 }')), /expected a limit: bandwidthGbps/);
  assert.throws(() => parse(file('all')), /expected limits by name/);
  assert.throws(() => parse(file('{ burstGbps: 0.1 }')), /is below the baseline/);
});
