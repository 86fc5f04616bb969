/** The services in a region: behind its router, with its gates closed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond, VirtualClock } from '../../lib/clock.ts';
import { read16 } from '../../net/bytes.ts';
import { parseMac } from '../../net/ethernet.ts';
import { formatIpv6 } from '../../net/ipv6.ts';
import { R, reasonNames } from '../../net/reasons.ts';
import { buildPacket } from '../../net/testing-packets.ts';
import type { Gateway } from '../../switch/gateway.ts';
import { TestEndpoint } from '../../switch/testing-endpoint.ts';
import type { SecurityGroup, VpcModel } from '../model.ts';
import { Region } from '../region.ts';
import { openAcl } from '../testing-model.ts';
import { linkLocalOf } from '../well-known.ts';
import { NetworkServices } from './services.ts';
import { datagram, icmp6, ip, ip6, mac, macs, routers, testModel, text } from './testing-vpc.ts';

const router6 = formatIpv6(linkLocalOf(routers.a));
const own6 = 'fe80::ff:fe00:a';
const closed: SecurityGroup = { id: 'sg-1', vpc: 'vpc-1', name: 'sg-1', inbound: [], outbound: [] };

/** Interface a in a region whose groups and ACLs let nothing through, unless told otherwise. */
function lab(change: (model: VpcModel) => VpcModel = (model) => model) {
  const clock = new VirtualClock();
  const base = testModel({ a: { groups: ['sg-1'] } });
  const acl = { id: 'acl-1', vpc: 'vpc-1', inbound: [], outbound: [] };
  const routes = [{ id: 'rtb-1', vpc: 'vpc-1', routes: [] }];
  const model = change({
    ...base,
    securityGroups: [closed],
    networkAcls: [acl],
    routeTables: routes,
  });
  const region = new Region({ clock, model, seed: 1 });
  const services = new NetworkServices(model, { clock, sender: region.network });
  region.addService(services);
  const a = new TestEndpoint(region.network.addPort({ name: 'a', mac: parseMac(macs.a) }));
  const send = (frame: Uint8Array): string => reasonNames[a.send(frame)] ?? '';
  return { clock, region, a, send };
}

const query = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, ...text('i-0b1'), 3, ...text('ec2')];
query.push(8, ...text('internal'), 0, 0, 1, 0, 1);
const time = [0x23, 0, 6, 0xe9, ...Array(44).fill(0)];
const arpFor = (target: string): Uint8Array =>
  Uint8Array.from([
    ...[255, 255, 255, 255, 255, 255, ...mac(macs.a), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
    ...[...mac(macs.a), ...ip('10.0.0.10'), 0, 0, 0, 0, 0, 0, ...ip(target)],
  ]);
const dhcp = [1, 1, 6, 0, 1, 2, 3, 4, ...Array(20).fill(0), ...mac(macs.a), ...Array(202).fill(0)];
dhcp.push(0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255);
const solicit = [
  1,
  1,
  2,
  3,
  0,
  1,
  0,
  10,
  0,
  3,
  0,
  1,
  ...mac(macs.a),
  0,
  3,
  0,
  12,
  ...Array(12).fill(0),
];

test('with every gate closed, what the network itself answers is answered', () => {
  const { a, send } = lab();
  const asked: Record<string, Uint8Array> = {
    'ARP for the router': arpFor('10.0.0.1'),
    'ARP for a neighbour': arpFor('10.0.0.11'),
    DHCP: datagram({
      from: '0.0.0.0',
      to: '255.255.255.255',
      port: 67,
      fromPort: 68,
      payload: dhcp,
    }),
    'DHCP, renewing': datagram({
      from: '10.0.0.10',
      to: '10.0.0.1',
      port: 67,
      fromPort: 68,
      payload: dhcp,
    }),
    DHCPv6: datagram({ from: own6, to: 'ff02::1:2', port: 547, fromPort: 546, payload: solicit }),
    'router solicitation': icmp6('a', own6, 'ff02::2', [133, 0, 0, 0, 0, 0, 0, 0]),
    'router solicitation of nobody': icmp6('a', '::', 'ff02::2', [133, 0, 0, 0, 0, 0, 0, 0]),
    'neighbour solicitation': icmp6('a', own6, router6, [
      135,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      ...ip6(router6),
    ]),
    ping6: icmp6('a', own6, router6, [128, 0, 0, 0, 0, 1, 0, 1], 64),
    'DNS at base + 2': datagram({ to: '10.0.0.2', port: 53, payload: query }),
    'DNS at 169.254.169.253': datagram({ to: '169.254.169.253', port: 53, payload: query }),
    'DNS at fd00:ec2::253': datagram({ to: 'fd00:ec2::253', port: 53, payload: query }),
    'time at 169.254.169.123': datagram({ to: '169.254.169.123', port: 123, payload: time }),
    'time at fd00:ec2::123': datagram({ to: 'fd00:ec2::123', port: 123, payload: time }),
  };
  for (const [what, frame] of Object.entries(asked)) {
    const before = a.received.length;
    assert.equal(send(frame), 'answered', what);
    assert.equal(a.received.length, before + 1, what);
  }
  assert.equal(send(datagram({ to: '10.0.0.11', port: 53, payload: query })), 'sgEgressNone');
});

test('1024 packets per second and interface reach link-local services, together', () => {
  const { clock, a, send } = lab();
  const services = ['10.0.0.2', '169.254.169.253', 'fd00:ec2::253'];
  const exceeded = (count: number): number => {
    let refused = 0;
    for (let i = 0; i < count; i++) {
      const to = services[i % services.length] as string;
      if (send(datagram({ to, port: 53, payload: query })) === 'linkLocalExceeded') refused++;
    }
    return refused;
  };
  assert.equal(exceeded(1100), 76);
  assert.equal(send(arpFor('10.0.0.1')), 'answered', 'the router is none of them');
  clock.advance(nsPerSecond / 2);
  assert.equal(exceeded(600), 88);
  assert.equal(a.port.counters.get('tx_linkLocalExceeded'), 164);
});

test('a model without the interface, and one with it again, take effect at once', () => {
  const { region, send } = lab();
  const { model } = region;
  region.update({ ...model, interfaces: model.interfaces.filter(({ id }) => id !== 'eni-b') });
  assert.equal(send(arpFor('10.0.0.11')), 'noSuchAddress');
  region.update(model);
  assert.equal(send(arpFor('10.0.0.11')), 'answered');
});

// Packets that are too big for the internet gateway.

const anywhere = (id: string, protocol: number) => ({ id, protocol, peer: { cidr: '0.0.0.0/0' } });
const outwards = (change: Partial<SecurityGroup>, acl = openAcl('acl-1')) =>
  lab((model) => ({
    ...model,
    securityGroups: [{ ...closed, outbound: [anywhere('sgr-out', -1)], ...change }],
    networkAcls: [acl],
    routeTables: [
      { id: 'rtb-1', vpc: 'vpc-1', routes: [{ destination: '0.0.0.0/0', target: 'igw-1' }] },
    ],
    internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }],
  }));
const outside: Gateway = { leave: () => R.delivered };
const tcpTo = (size: number, changes: readonly number[] = []): Uint8Array => {
  const bytes = buildPacket({
    srcMac: mac(macs.a),
    dstMac: mac(routers.a),
    dst: ip('93.184.216.34'),
    payload: new Uint8Array(size - 40),
    tcpFlags: 0x10,
  });
  for (let i = 0; i < changes.length; i += 2)
    bytes[changes[i] as number] = changes[i + 1] as number;
  return bytes;
};
/** "Fragmentation needed" with MTU 1500. */
const isTold = (bytes: Uint8Array | undefined): boolean =>
  bytes !== undefined &&
  bytes[23] === 1 &&
  bytes[34] === 3 &&
  bytes[35] === 4 &&
  read16(bytes, 40) === 1500;

test('who sends more than 1500 bytes to the internet is told so by its router', () => {
  const { region, a, send } = outwards({});
  region.router.connect(outside);
  assert.equal(send(tcpTo(1500)), 'delivered');
  assert.equal(send(tcpTo(1501)), 'tooBigForPath');
  const [told] = a.received;
  assert.ok(isTold(told));
  assert.deepEqual(
    [...(told as Uint8Array).subarray(26, 34)],
    [...ip('10.0.0.1'), ...ip('10.0.0.10')],
  );
  assert.deepEqual([...(told as Uint8Array).subarray(0, 12)], [...mac(macs.a), ...mac(routers.a)]);
  assert.deepEqual((told as Uint8Array).subarray(42), tcpTo(1501).subarray(14, 256));
  assert.equal(send(tcpTo(1501, [20, 0])), 'delivered', 'what may be cut goes on');
  assert.equal(a.received.length, 1);
});

test('gates may keep it from hearing that: an untracked flow without a rule, an ACL', () => {
  const all = [anywhere('sgr-in', 6)];
  const untracked = outwards({ inbound: all });
  untracked.region.router.connect(outside);
  assert.equal(untracked.send(tcpTo(1501)), 'tooBigForPath');
  assert.equal(untracked.a.port.counters.get('rx_sgIngressNone'), 1);
  const deny = { number: 1, action: 'deny', protocol: 1, cidr: '0.0.0.0/0' } as const;
  const open = openAcl('acl-1');
  const guarded = outwards({}, { ...open, inbound: [deny, ...open.inbound] });
  guarded.region.router.connect(outside);
  assert.equal(guarded.send(tcpTo(1501)), 'tooBigForPath');
  assert.equal(guarded.a.port.counters.get('rx_aclInDenied'), 1);
  assert.equal(guarded.a.received.length + untracked.a.received.length, 0);
});

test('a flood of packets that are too big is told of a thousand times a second', () => {
  const { clock, region, a, send } = outwards({});
  region.router.connect(outside);
  const flood = (count: number): number => {
    const before = a.received.length;
    for (let i = 0; i < count; i++) send(tcpTo(1501));
    return a.received.length - before;
  };
  assert.equal(flood(1500), 1000);
  clock.advance(nsPerSecond / 10);
  assert.equal(flood(1500), 100);
  assert.equal(a.port.counters.get('tx_tooBigForPath'), 3000);
  assert.ok(isTold(a.received.at(-1)));
});
