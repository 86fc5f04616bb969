import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMac } from '../net/ethernet.ts';
import { Frame } from '../net/frame.ts';
import { R, reasonNames } from '../net/reasons.ts';
import { Allowance } from '../switch/allowance/allowance.ts';
import type { Gateway } from '../switch/gateway.ts';
import type { NetworkAcl, VpcModel } from './model.ts';
import { everything, nic, openAcl, subnet, testModel } from './testing-model.ts';
import { RegionLab, type Send } from './testing-region.ts';
import { routerMac } from './well-known.ts';

/** Keeps what leaves, by the gateway's id. */
class FakeGateway implements Gateway {
  readonly left: string[] = [];
  answer: number = R.delivered;

  leave({ id }: { readonly id: string }): number {
    this.left.push(id);
    return this.answer;
  }
}

const outbound = {
  ...everything('sg-1'),
  inbound: [{ id: 'sgr-in', protocol: 1, fromPort: -1, toPort: -1, peer: { cidr: '0.0.0.0/0' } }],
};

const model = (more: Partial<VpcModel> = {}): VpcModel =>
  testModel({
    subnets: [subnet(0), subnet(1, { routeTable: 'rtb-2', networkAcl: 'acl-2' })],
    interfaces: [
      nic('a', 0, { addresses: [{ address: '10.0.0.11', publicAddress: '198.51.100.11' }] }),
      nic('b', 0),
      nic('c', 1),
    ],
    securityGroups: [outbound],
    networkAcls: [openAcl('acl-1'), openAcl('acl-2')],
    internetGateways: [{ id: 'igw-1', vpc: 'vpc-1' }],
    natGateways: [{ id: 'nat-1', subnet: 'subnet-0', address: '10.0.0.99' }],
    routeTables: [
      { id: 'rtb-1', vpc: 'vpc-1', routes: [{ destination: '0.0.0.0/0', target: 'igw-1' }] },
      { id: 'rtb-2', vpc: 'vpc-1', routes: [{ destination: '0.0.0.0/0', target: 'nat-1' }] },
    ],
    ...more,
  });

function lab(more: Partial<VpcModel> = {}) {
  const gateway = new FakeGateway();
  const made = new RegionLab(model(more));
  made.region.router.connect(gateway);
  return { lab: made, gateway };
}

const out: Send = { protocol: 'udp', dst: '192.0.2.1', srcPort: 4000, dstPort: 53 };

/** What came from outside, translated already. */
function enter(region: RegionLab['region'], bytes: Uint8Array, from = -1): string {
  const frame = new Frame();
  frame.load(bytes, 0, bytes.length);
  const verdict = reasonNames[region.router.enter('vpc-1', frame, from)] as string;
  region.network.flush();
  return verdict;
}

test('a gateway is handed what a route sends there; without one there is no way out', () => {
  const { lab: it, gateway } = lab();
  for (let i = 0; i < 2; i++) assert.equal(it.send('a', 'a', out), 'delivered');
  assert.equal(it.send('b', 'b', out), 'noPublicAddress');
  for (let i = 0; i < 2; i++) assert.equal(it.send('c', 'c', out), 'delivered');
  assert.deepEqual(gateway.left, ['igw-1', 'igw-1', 'nat-1', 'nat-1']);
  gateway.answer = R.natPortsExhausted;
  assert.equal(it.send('c', 'c', out), 'natPortsExhausted');
  it.region.router.connect(null);
  assert.equal(it.send('a', 'a', out), 'noGateway');
});

test('through a NAT gateway flows are tracked that would not be elsewhere', () => {
  const open = lab({ securityGroups: [everything('sg-1')] }).lab;
  open.send('a', 'a', out);
  assert.equal(open.region.router.trackedConnections(), 0);
  open.send('c', 'c', out);
  assert.equal(open.region.router.trackedConnections(), 1);
});

test('an answer from outside enters by ACL and groups, with the MACs of its subnet', () => {
  const { lab: it } = lab();
  const answer = it.packet('b', 'a', {
    ...out,
    src: '192.0.2.1',
    dst: '10.0.0.11',
    srcPort: 53,
    dstPort: 4000,
  });
  assert.equal(enter(it.region, answer), 'sgIngressNone');
  assert.equal(it.counters('a')['rx_sgIngressNone'], 1);
  it.send('a', 'a', out);
  assert.equal(enter(it.region, answer), 'queued');
  const [got] = it.take('a') as [Uint8Array];
  assert.equal(readMac(got, 0), 0x02_00_00_00_00_01);
  assert.equal(readMac(got, 6), routerMac('subnet-0'));
  const nobody = it.packet('b', 'a', { ...out, dst: '10.0.0.77' });
  assert.equal(enter(it.region, nobody), 'noSuchAddress');
  assert.equal(enter(it.region, answer.slice(0, 30)), 'malformed');
});

test('fragments from outside follow their first one', () => {
  const { lab: it } = lab();
  it.send('a', 'a', out);
  const piece = (offset: number, more: boolean) => {
    const edit = (bytes: Uint8Array): void => bytes.set([more ? 0x20 : 0, offset], 20);
    const ports = { srcPort: 53, dstPort: 4000, payload: new Uint8Array(16) };
    return it.packet('b', 'a', { ...out, ...ports, src: '192.0.2.1', dst: '10.0.0.11', edit });
  };
  assert.equal(enter(it.region, piece(3, false)), 'fragmentUnknown');
  assert.equal(enter(it.region, piece(0, true)), 'queued');
  assert.equal(enter(it.region, piece(3, false)), 'queued');
  assert.equal(it.take('a').length, 2);
});

test('fragments do not follow to a gateway that has taken the place of theirs', () => {
  const { lab: it, gateway } = lab();
  const piece = (offset: number, more: boolean): Send => ({
    ...out,
    payload: new Uint8Array(16),
    edit: (bytes) => bytes.set([more ? 0x20 : 0, offset], 20),
  });
  assert.equal(it.send('c', 'c', piece(0, true)), 'delivered');
  assert.equal(it.send('c', 'c', piece(3, false)), 'delivered');
  it.region.update(
    model({
      internetGateways: [],
      routeTables: model().routeTables.slice(1).concat({ id: 'rtb-1', vpc: 'vpc-1', routes: [] }),
    }),
  );
  assert.equal(it.send('c', 'c', piece(3, false)), 'fragmentUnknown');
  assert.deepEqual(gateway.left, ['nat-1', 'nat-1']);
});

test("a NAT gateway's subnet is entered by its ACL, unless the sender is in it", () => {
  const deny: NetworkAcl = { ...openAcl('acl-1'), inbound: [] };
  const here = nic('d', 0);
  const { lab: it, gateway } = lab({
    networkAcls: [deny, openAcl('acl-2')],
    subnets: [
      subnet(0, { routeTable: 'rtb-2' }),
      subnet(1, { routeTable: 'rtb-2', networkAcl: 'acl-2' }),
    ],
    interfaces: [here, nic('c', 1)],
  });
  assert.equal(it.send('c', 'c', out), 'aclInDenied');
  assert.equal(it.send('d', 'd', out), 'delivered');
  assert.deepEqual(gateway.left, ['nat-1']);
  const answer = it.packet('c', 'd', {
    ...out,
    src: '192.0.2.1',
    dst: '10.0.0.14',
    srcPort: 53,
    dstPort: 4000,
  });
  assert.equal(enter(it.region, answer), 'aclInDenied', 'from outside');
  assert.equal(enter(it.region, answer, 0), 'queued', 'from the gateway in the same subnet');
});

test('what leaves has a limit of its own: some of it waits, the rest is lost; within it is free', () => {
  const { lab: made, gateway } = lab();
  const { port } = made.end('a');
  port.setAllowance(new Allowance({ gatewayBps: 8e6 }, 0));
  const payload = new Uint8Array(958);
  let within = 0;
  for (let ms = 0; ms < 300; ms++) {
    for (let twice = 0; twice < 2; twice++) made.send('a', 'c', { ...out, payload });
    if (made.send('a', 'b', { protocol: 'udp', payload, via: 'b' }) !== 'noReceiver') within++;
    made.clock.advance(1e6);
  }
  made.clock.advance(1e9);
  // 1 kB a millisecond, and what goes at once and what waits at the end: 9 kB, 10 kB.
  assert.ok(Math.abs(gateway.left.length - 319) <= 2, `${gateway.left.length} frames left`);
  assert.equal(within, 300);
  const { tx_bandwidthExceeded: lost } = made.counters('a');
  assert.equal(gateway.left.length + (lost ?? 0), 600);
  assert.ok(port.bandwidthOutExceeded >= (lost ?? 0) + 250);
});

test('what comes from outside has the limit of gateways, and that of its receiver', () => {
  for (const limits of [
    { gatewayBps: 8e6 },
    { in: { baselineBps: 8e6, burstBps: 8e6, creditBits: 0 } },
  ]) {
    const { lab: made } = lab();
    const { port } = made.end('a');
    port.setAllowance(new Allowance({ ...limits, queueMs: 0 }, 0));
    const echo = made.packet('b', 'a', { protocol: 'udp', src: '192.0.2.1' });
    const bytes = new Uint8Array(1000);
    bytes.set(echo.subarray(0, 34));
    bytes.set([3, 0xda], 16); // total length
    bytes[23] = 1;
    bytes[34] = 8;
    for (let i = 0; i < 1000; i++) {
      enter(made.region, bytes);
      made.region.network.flush();
      made.clock.advance(250_000);
    }
    const arrived = made.take('a').length;
    assert.ok(
      Math.abs(arrived - 259) <= 2,
      `${arrived} frames of 1000 bytes in a quarter of a second`,
    );
    assert.ok(port.bandwidthInExceeded >= 735);
  }
});

test('connections that can still be tracked are those of the allowance less those that are', () => {
  const { lab: made } = lab();
  const { port } = made.end('a');
  made.region.router.limitConnectionsAt(port, 10);
  assert.equal(port.trackingAvailable, 10);
  for (let i = 0; i < 12; i++) made.send('a', 'c', { ...out, srcPort: 5000 + i });
  assert.equal(port.trackingAvailable, 0);
  assert.equal(port.trackingExceeded, 2);
});

test('packets to link-local services have the limit that was set', () => {
  const { lab: made } = lab();
  const { port } = made.end('a');
  made.region.router.limitLinkLocalAt(port, 3);
  const dns = { ...out, dst: '169.254.169.253' };
  const verdicts = Array.from({ length: 5 }, () => made.send('a', 'b', dns));
  assert.deepEqual(verdicts.slice(3), ['linkLocalExceeded', 'linkLocalExceeded']);
  assert.equal(port.linkLocalExceeded, 2);
});
