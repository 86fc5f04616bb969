import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMac, readMac } from '../net/ethernet.ts';
import type { RulePeer, SecurityGroupRule } from './model.ts';
import { everything, nic, testModel } from './testing-model.ts';
import { RegionLab } from './testing-region.ts';
import { routerMac } from './well-known.ts';

test('interfaces of one subnet and of two reach each other, with the MACs that they expect', () => {
  const lab = new RegionLab(testModel());
  for (const version of [4, 6] as const) {
    assert.equal(lab.send('a', 'b', { version, via: 'b' }), 'delivered');
    assert.equal(readMac(lab.take('b')[0] as Uint8Array, 6), parseMac('02:00:00:00:00:01'));
    for (let again = 0; again < 3; again++) {
      assert.equal(lab.send('a', 'c', { version }), 'delivered');
      const [got] = lab.take('c') as [Uint8Array];
      assert.equal(readMac(got, 0), parseMac('02:00:00:00:00:03'));
      assert.equal(readMac(got, 6), routerMac('subnet-1'));
    }
  }
  assert.equal(lab.rule, 'sg-1 inbound sgr-in6: all from ::/0');
});

const group = (id: string, inbound: readonly SecurityGroupRule[], outbound = inbound) => ({
  ...everything(id),
  inbound,
  outbound,
});

const tcp = (port: number, peer: RulePeer, id = `sgr-${port}`): SecurityGroupRule => ({
  id,
  protocol: 6,
  fromPort: port,
  toPort: port,
  peer,
});

test('an answer passes where a new connection would not', () => {
  const client = group('sg-client', [], [tcp(5432, { group: 'sg-server' })]);
  const server = group('sg-server', [tcp(5432, { group: 'sg-client' })], []);
  const lab = new RegionLab(
    testModel({
      securityGroups: [client, server],
      interfaces: [nic('a', 0, { groups: ['sg-client'] }), nic('c', 1, { groups: ['sg-server'] })],
    }),
  );
  const there = { srcPort: 40_000, dstPort: 5432 };
  const back = { srcPort: 5432, dstPort: 40_000, tcpFlags: 0x12 };
  assert.equal(lab.send('c', 'a', back), 'sgEgressNone');
  assert.equal(lab.rule, 'no outbound rule in sg-server matches');
  assert.equal(lab.send('a', 'c', { ...there, tcpFlags: 2 }), 'delivered');
  assert.equal(lab.rule, 'sg-server inbound sgr-5432: tcp 5432 from sg-client');
  for (let i = 0; i < 3; i++) {
    assert.equal(lab.send('c', 'a', back), 'delivered');
    assert.equal(lab.send('a', 'c', there), 'delivered');
  }
  assert.equal(lab.send('a', 'c', { ...there, dstPort: 80 }), 'sgEgressNone');
  assert.equal(lab.region.router.trackedConnections(), 2);
});
