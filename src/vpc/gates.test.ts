import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkAcl, RulePeer, SecurityGroup, SecurityGroupRule, VpcModel } from './model.ts';
import { everything, nic, openAcl, subnet, testModel } from './testing-model.ts';
import { RegionLab, type Send } from './testing-region.ts';

const all: RulePeer = { cidr: '0.0.0.0/0' };
const rule = (
  protocol: number,
  port: number | null,
  peer: RulePeer = all,
  id = `sgr-${protocol}-${port ?? 'all'}`,
): SecurityGroupRule => ({
  ...{ id, protocol, peer },
  ...(port === null ? {} : { fromPort: port, toPort: protocol === 1 ? -1 : port }),
});
const group = (id: string, inbound: SecurityGroupRule[], outbound: SecurityGroupRule[]) => ({
  ...everything(id),
  inbound,
  outbound,
});
const anyRule = rule(-1, null);
const inGroup = (letter: string, net: number, id: string, more = {}) =>
  nic(letter, net, { groups: [id], ...more });
const acl = (inbound: NetworkAcl['inbound'], outbound = inbound): NetworkAcl => ({
  ...openAcl('acl-2'),
  inbound,
  outbound,
});

const syn = 0x02;
const request = { protocol: 'udp', srcPort: 4000, dstPort: 53 } as const;
const response = { protocol: 'udp', srcPort: 53, dstPort: 4000 } as const;
/** UDP's 8 bytes as ICMP's: type, code, identifier. */
const icmp = (type: number, code = 0, id = 7, payload = new Uint8Array(40)): Send => ({
  protocol: 'udp',
  payload,
  edit: (bytes) => {
    bytes[23] = 1;
    bytes.set([type, code, 0, 0, id >>> 8, id & 255, 0, 1], 34);
  },
});
/** Of packet 7: where the fragment begins, in units of 8 bytes, and whether more follow. */
const fragment = (offset: number, more: boolean, rest: Send = {}): Send => ({
  ...request,
  payload: new Uint8Array(16),
  ...rest,
  edit: (bytes) => {
    bytes[20] = (more ? 0x20 : 0) | (offset >>> 8);
    bytes[21] = offset & 255;
  },
});

/** `eni-a` in subnet 0 and `eni-c` in subnet 1, each with its own group. */
const two = (a: SecurityGroup, c: SecurityGroup, more: Partial<VpcModel> = {}): VpcModel =>
  testModel({
    securityGroups: [a, c],
    interfaces: [inGroup('a', 0, a.id), inGroup('c', 1, c.id)],
    ...more,
  });

test('who sends from an address that is not its own is stopped, and nobody hears of it', () => {
  const lab = new RegionLab(
    testModel({ interfaces: [nic('a', 0), nic('b', 0, { sourceDestCheck: false }), nic('c', 1)] }),
  );
  assert.equal(lab.send('a', 'c', { src: '10.0.0.12' }), 'spoofedSource');
  assert.equal(lab.send('a', 'c', { src: '0.0.0.0' }), 'spoofedSource');
  assert.equal(lab.send('a', 'c', { srcMac: 0x02_00_00_00_00_02 }), 'spoofedSource');
  assert.equal(lab.send('a', 'c', { version: 6, src: '2600:1f14::12' }), 'spoofedSource');
  assert.equal(lab.send('b', 'c', { src: '192.0.2.1' }), 'delivered', 'a router may');
  assert.equal(lab.send('b', 'c', { srcMac: 0x02_00_00_00_00_01 }), 'spoofedSource');
  assert.equal(lab.counters('a')['tx_spoofedSource'], 4);
});

test('an interface that may send on what is not its own is no end of a packet, as long as it may', () => {
  const model = (sourceDestCheck: boolean) =>
    testModel({ interfaces: [nic('a', 0), nic('b', 0, { sourceDestCheck })] });
  const lab = new RegionLab(model(false));
  const sendOn = () => ['a', 'b'].map((name) => lab.end(name).port.sendsOn);
  assert.deepEqual(sendOn(), [false, true]);
  lab.region.update(model(true));
  assert.deepEqual(sendOn(), [false, false]);
});

test('ARP in the name of another one is stopped; what nobody answers goes nowhere', () => {
  const lab = new RegionLab(testModel());
  const arp = (sender: number): Send => ({
    protocol: 'udp',
    payload: new Uint8Array(20),
    dstMac: 0xffff_ffff_ffff,
    edit: (bytes) => {
      bytes.set([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, sender], 12);
    },
  });
  assert.equal(lab.send('a', 'b', arp(12)), 'spoofedSource');
  assert.equal(lab.send('a', 'b', arp(11)), 'notCarried');
});

test('no broadcast, no multicast, no tag, no other protocol than IP is carried', () => {
  const lab = new RegionLab(testModel());
  const sends: Send[] = [
    { via: 'b', dst: '224.0.0.5' },
    { via: 'b', dst: '255.255.255.255' },
    { via: 'b', version: 6, dst: 'ff02::1' },
    { via: 'b', version: 6, dst: 'fe80::1' },
    { via: 'b', dst: '169.254.3.4' },
    { via: 'b', vlans: [5] },
    { dstMac: 0x01_00_5e_00_00_01 },
    { via: 'b', edit: (bytes) => bytes.set([0x88, 0xb6], 12) },
  ];
  for (const send of sends) assert.equal(lab.send('a', 'b', send), 'notCarried', `${send.dst}`);
  assert.equal(lab.take('b').length, 0);
});

test('where a frame cannot go it is stopped for its own reason', () => {
  const routes = [
    { destination: '198.51.100.0/24', target: 'blackhole' },
    { destination: '0.0.0.0/0', target: 'igw-1' },
  ];
  const lab = new RegionLab(
    testModel({
      routeTables: [{ id: 'rtb-1', vpc: 'vpc-1', routes }],
      internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }],
    }),
  );
  const expected: [string, Send][] = [
    ['noSuchAddress', { dst: '10.0.9.9' }],
    ['blackhole', { dst: '198.51.100.7' }],
    ['noPublicAddress', { dst: '192.0.2.1' }],
    ['noRoute', { version: 6, dst: '2001:db8::1' }],
    ['reflected', { dst: '10.0.0.11' }],
    ['reflected', { via: 'a' }],
    ['otherSubnet', { via: 'c' }],
    ['noReceiver', { dstMac: 0x02_00_00_00_00_99 }],
    ['wrongDestination', { via: 'b', dst: '10.0.1.13' }],
  ];
  for (const again of [false, true])
    for (const [reason, send] of expected)
      assert.equal(lab.send('a', 'b', send), reason, `${send.dst} ${again}`);
});

test('an ACL decides by number, at the edge of its subnet only', () => {
  const deny = {
    number: 10,
    action: 'deny',
    protocol: 17,
    cidr: '10.0.0.11/32',
    fromPort: 53,
    toPort: 53,
  } as const;
  const allow = { number: 20, action: 'allow', protocol: -1, cidr: '10.0.0.0/16' } as const;
  const lab = new RegionLab(
    testModel({
      networkAcls: [openAcl('acl-1'), acl([allow, deny])],
      subnets: [subnet(0), subnet(1, { networkAcl: 'acl-2' })],
      interfaces: [nic('a', 0), nic('b', 0), nic('c', 1), nic('d', 1)],
    }),
  );
  assert.equal(lab.send('a', 'c', request), 'aclInDenied');
  assert.equal(lab.rule, 'acl-2 inbound 10: deny udp 53 from 10.0.0.11/32');
  assert.equal(lab.counters('c')['rx_aclInDenied'], 1, 'counted where it would have come in');
  assert.equal(lab.send('a', 'c', { ...request, dstPort: 54 }), 'delivered');
  assert.equal(lab.send('b', 'c', request), 'delivered');
  assert.equal(lab.send('d', 'c', request), 'delivered');
  assert.equal(lab.send('a', 'c', { version: 6 }), 'aclInDenied', 'no entry for IPv6');
  assert.equal(lab.rule, 'acl-2 inbound *: deny all');
  assert.equal(lab.send('c', 'a', { ...request, dstPort: 53 }), 'aclOutDenied');
  assert.equal(lab.counters('c')['tx_aclOutDenied'], 1);
});

test('an untracked flow ends with its rule; a tracked one goes on until it is idle', () => {
  const web = group('sg-c', [rule(6, 80), rule(6, 22, { cidr: '10.0.0.0/24' })], [anyRule]);
  const model = two(group('sg-a', [anyRule], [anyRule]), web);
  const lab = new RegionLab(model);
  const there = (dstPort: number, tcpFlags = 16) => ({ srcPort: 4000, dstPort, tcpFlags });
  for (const port of [80, 22]) {
    assert.equal(lab.send('a', 'c', there(port, syn)), 'delivered');
    assert.equal(lab.send('c', 'a', { srcPort: port, dstPort: 4000, tcpFlags: 18 }), 'delivered');
  }
  assert.equal(lab.region.router.trackedConnections(), 1, 'port 22, at its receiver');
  const closed = { ...web, inbound: [] };
  lab.region.update({
    ...model,
    securityGroups: [model.securityGroups[0] as SecurityGroup, closed],
  });
  assert.equal(lab.send('a', 'c', there(80)), 'sgIngressNone');
  assert.equal(lab.send('a', 'c', there(22)), 'delivered');
  assert.equal(lab.rule, 'sg-c inbound sgr-6-22: tcp 22 from 10.0.0.0/24');
  lab.clock.advance(432_000e9);
  assert.equal(lab.send('a', 'c', there(22)), 'sgIngressNone');
});

test('what was denied passes as soon as the other side has asked for it', () => {
  const lab = new RegionLab(
    two(group('sg-a', [], [rule(17, 53)]), group('sg-c', [rule(17, 53)], [])),
  );
  for (let i = 0; i < 3; i++) assert.equal(lab.send('c', 'a', response), 'sgEgressNone');
  assert.equal(lab.send('a', 'c', request), 'delivered');
  for (let i = 0; i < 3; i++) assert.equal(lab.send('c', 'a', response), 'delivered');
  assert.equal(lab.send('c', 'a', { ...response, dstPort: 4001 }), 'sgEgressNone');
});

test('a closed connection is opened again by a rule only', () => {
  const lab = new RegionLab(
    two(group('sg-a', [], [rule(6, 80)]), group('sg-c', [rule(6, 80)], [])),
  );
  const there = { srcPort: 4000, dstPort: 80 };
  const back = { srcPort: 80, dstPort: 4000 };
  lab.send('a', 'c', { ...there, tcpFlags: syn });
  lab.send('c', 'a', { ...back, tcpFlags: 18 });
  assert.equal(lab.send('c', 'a', { ...back, tcpFlags: syn }), 'delivered', 'it is established');
  assert.equal(lab.send('a', 'c', { ...there, tcpFlags: 4 }), 'delivered');
  assert.equal(lab.send('c', 'a', { ...back, tcpFlags: syn }), 'sgEgressNone');
  assert.equal(lab.send('a', 'c', { ...there, tcpFlags: syn }), 'delivered');
});

test('a rule for a group does not match what a middlebox passes on', () => {
  const routes = [{ destination: '10.0.1.0/24', target: 'eni-m' }];
  const peer = { group: 'sg-a' };
  const model = (inbound: SecurityGroupRule[]) =>
    testModel({
      subnets: [subnet(0, { routeTable: 'rtb-2' }), subnet(1), subnet(2)],
      routeTables: [
        { id: 'rtb-1', vpc: 'vpc-1', routes: [] },
        { id: 'rtb-2', vpc: 'vpc-1', routes },
      ],
      securityGroups: [
        everything('sg-1'),
        group('sg-a', [], [anyRule]),
        group('sg-c', inbound, []),
      ],
      interfaces: [
        inGroup('a', 0, 'sg-a'),
        inGroup('c', 1, 'sg-c'),
        nic('m', 2, { sourceDestCheck: false }),
      ],
    });
  const lab = new RegionLab(model([rule(17, 53, peer)]));
  assert.equal(lab.send('a', 'c', request), 'delivered');
  assert.equal(lab.take('m').length, 1);
  assert.equal(lab.send('m', 'c', { ...request, src: '10.0.0.11' }), 'sgIngressNone');
  lab.region.update(model([rule(17, 53, { cidr: '10.0.0.0/24' })]));
  assert.equal(lab.send('m', 'c', { ...request, src: '10.0.0.11' }), 'delivered');
});

test('pings and errors about what was sent pass without a rule of their own', () => {
  const lab = new RegionLab(
    two(
      group('sg-a', [], [rule(1, 8), rule(17, 53)]),
      group('sg-c', [rule(1, 8), rule(17, 53)], []),
    ),
  );
  assert.equal(lab.send('c', 'a', icmp(0)), 'sgEgressNone');
  assert.equal(lab.send('a', 'c', icmp(8)), 'delivered');
  assert.equal(lab.send('c', 'a', icmp(0)), 'delivered');
  assert.equal(lab.send('c', 'a', icmp(0, 0, 8)), 'sgEgressNone', 'another identifier');
  assert.equal(lab.send('c', 'a', icmp(8)), 'sgEgressNone', 'an answer is no question');
  const quoted = lab.packet('a', 'c', request).slice(14, 14 + 28);
  const unreachable = icmp(3, 3, 0, quoted);
  assert.equal(lab.send('c', 'a', unreachable), 'sgEgressNone', 'nothing was sent yet');
  assert.equal(lab.send('a', 'c', request), 'delivered');
  assert.equal(lab.send('c', 'a', unreachable), 'delivered');
  assert.equal(lab.send('c', 'a', icmp(3, 3, 0, quoted.slice(0, 27))), 'sgEgressNone');
  const other = quoted.slice();
  other[23] = 54;
  assert.equal(lab.send('c', 'a', icmp(3, 3, 0, other)), 'sgEgressNone');
});

test('later fragments share the fate of the first, for 30 seconds', () => {
  const lab = new RegionLab(two(group('sg-a', [], [rule(17, 53)]), group('sg-c', [anyRule], [])));
  assert.equal(lab.send('a', 'c', fragment(3, false)), 'fragmentUnknown');
  assert.equal(lab.send('a', 'c', fragment(0, true)), 'delivered');
  assert.equal(lab.send('a', 'c', fragment(3, false)), 'delivered');
  assert.equal(lab.send('a', 'c', fragment(3, false, { identification: 8 })), 'fragmentUnknown');
  const denied = { identification: 9, dstPort: 80 };
  assert.equal(lab.send('a', 'c', fragment(0, true, denied)), 'sgEgressNone');
  assert.equal(lab.send('a', 'c', fragment(3, false, denied)), 'sgEgressNone');
  lab.clock.advance(30e9);
  assert.equal(lab.send('a', 'c', fragment(3, false)), 'fragmentUnknown');
  const tcp = { protocol: 'tcp', dstPort: 53 } as const;
  assert.equal(lab.send('a', 'c', fragment(1, false, tcp)), 'malformed', 'over the header');
});

test('an instance tracks as many connections as it may, and says so when it cannot', () => {
  const tracked = group('sg-1', [rule(17, 53, { cidr: '10.0.0.0/8' })], [anyRule]);
  const model = testModel({ securityGroups: [tracked], interfaces: [nic('a', 0), nic('c', 1)] });
  const lab = new RegionLab(model);
  lab.region.router.limitConnections('eni-c', 5);
  const flow = (i: number) => ({ ...request, srcPort: 1000 + i });
  for (let i = 0; i < 5; i++) assert.equal(lab.send('a', 'c', flow(i)), 'delivered');
  assert.equal(lab.send('a', 'c', flow(5)), 'trackingFull');
  assert.equal(lab.counters('c')['rx_trackingFull'], 1);
  assert.equal(lab.send('a', 'c', flow(2)), 'delivered', 'what is tracked goes on');
  assert.equal(lab.region.router.trackedConnections('eni-c'), 5);
  lab.clock.advance(30e9);
  assert.equal(lab.send('a', 'c', flow(5)), 'delivered');
});

test('an interface that is not plugged in, or gone, is no receiver', () => {
  const model = testModel();
  const lab = new RegionLab(model);
  assert.equal(lab.send('a', 'c'), 'delivered');
  lab.region.network.removePort(lab.end('c').port);
  assert.equal(lab.send('a', 'c'), 'noReceiver');
  lab.plug('eni-c');
  assert.equal(lab.send('a', 'c'), 'delivered');
  const packet = lab.packet('a', 'c');
  lab.region.update({ ...model, interfaces: model.interfaces.slice(0, 2) });
  assert.equal(lab.end('a').send(packet), 27, 'noSuchAddress');
  assert.equal(lab.end('c').send(packet), 28, 'notCarried: the port is nobody');
});
