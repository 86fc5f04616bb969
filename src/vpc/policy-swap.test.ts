import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read16 } from '../net/bytes.ts';
import { Frame } from '../net/frame.ts';
import { R } from '../net/reasons.ts';
import { compilePolicy } from './compile.ts';
import type { SecurityGroup, VpcModel } from './model.ts';
import { everything, nic, testModel } from './testing-model.ts';
import { RegionLab } from './testing-region.ts';

/** Version `n`: a sends to port 1000 + n and to no other one; c lets in the same port only. */
function version(model: VpcModel, n: number): VpcModel {
  const rule = { id: `sgr-${n}`, protocol: 17, fromPort: 1000 + n, toPort: 1000 + n };
  const change = (group: SecurityGroup): SecurityGroup => {
    if (group.id === 'sg-a')
      return { ...group, outbound: [{ ...rule, peer: { cidr: '0.0.0.0/0' } }] };
    return group.id === 'sg-c'
      ? { ...group, inbound: [{ ...rule, peer: { group: 'sg-a' } }] }
      : group;
  };
  return { ...model, securityGroups: model.securityGroups.map(change) };
}

const model = testModel({
  securityGroups: [
    everything('sg-1'),
    { ...everything('sg-a'), inbound: [], outbound: [] },
    { ...everything('sg-c'), inbound: [], outbound: [] },
  ],
  interfaces: [nic('a', 0, { groups: ['sg-a'] }), nic('c', 1, { groups: ['sg-c'] })],
});

test('through 10,000 updates under traffic every packet is decided by exactly one version', () => {
  const lab = new RegionLab(version(model, 0), { connections: 1024 });
  const frame = new Frame();
  const packet = lab.packet('a', 'c', { protocol: 'udp', srcPort: 1, dstPort: 1000 });
  const view = new DataView(packet.buffer);
  /** The verdict for a new flow to a port of one version. */
  const send = (id: number, port: number): number => {
    view.setUint16(34, id & 0xffff);
    view.setUint16(36, 1000 + port);
    frame.load(packet, 0, packet.length);
    return lab.end('a').port.transmit(frame);
  };
  let id = 0;
  for (let n = 0; n < 10_000; n++) {
    const now = n % 50;
    const before = (n + 49) % 50;
    lab.region.update(version(model, now));
    lab.clock.advance(1e9);
    // No mixture of two versions lets anything through: both gates name the version's port.
    for (let i = 0; i < 4; i++, id++) {
      assert.equal(send(id, now), R.delivered, `update ${n}`);
      assert.equal(send(id + 20_000, before), R.sgEgressNone, `update ${n}`);
      assert.equal(lab.rule, 'no outbound rule in sg-a matches');
    }
    lab.end('a').port.flush();
    const got = lab.take('c');
    assert.deepEqual(
      got.map((bytes) => read16(bytes, 36)),
      Array(4).fill(1000 + now),
    );
    assert.equal(lab.region.router.policy.version, n + 2);
  }
});

test('between two frames of one burst the policy changes for the second one', () => {
  const lab = new RegionLab(version(model, 0));
  const frame = new Frame();
  const packet = lab.packet('a', 'c', { protocol: 'udp', dstPort: 1000 });
  const { port } = lab.end('a');
  frame.load(packet, 0, packet.length);
  assert.equal(port.transmit(frame), R.delivered);
  lab.region.update(version(model, 1));
  frame.load(packet, 0, packet.length);
  assert.equal(port.transmit(frame), R.delivered, 'its connection is tracked');
  const other = lab.packet('a', 'c', { protocol: 'udp', srcPort: 9, dstPort: 1000 });
  frame.load(other, 0, other.length);
  assert.equal(port.transmit(frame), R.sgEgressNone);
});

test('what has not changed is shared between two versions; one rule costs one group', () => {
  const groups = Array.from({ length: 2000 }, (_, i) => everything(`sg-x${i}`));
  const big = version({ ...model, securityGroups: [...model.securityGroups, ...groups] }, 0);
  const first = compilePolicy(big, 1);
  const second = compilePolicy(version(big, 1), 2, first);
  assert.equal(second.nics, first.nics);
  assert.equal(second.vpcs, first.vpcs);
  assert.equal(second.routes, first.routes);
  assert.equal(second.acls, first.acls);
  assert.equal(second.subnets, first.subnets);
  const changed = second.groups.filter((group, i) => group !== first.groups[i]);
  assert.deepEqual(
    changed.map(({ id }) => id),
    ['sg-a', 'sg-c'],
  );
  const same = compilePolicy(version(big, 1), 3, compilePolicy(version(big, 1), 2));
  assert.deepEqual(same, { ...second, version: 3 }, 'sharing changes nothing');
});

test('places that move are followed: a group, an interface or a gateway before the others', () => {
  const first = compilePolicy(model, 1);
  const moved: VpcModel = {
    ...model,
    securityGroups: [everything('sg-0'), ...model.securityGroups],
    interfaces: [nic('z', 1), ...model.interfaces],
    natGateways: [{ id: 'nat-1', subnet: 'subnet-1', address: '10.0.1.99' }],
    routeTables: [
      { id: 'rtb-0', vpc: 'vpc-1', routes: [{ destination: '0.0.0.0/0', target: 'eni-c' }] },
      ...model.routeTables,
    ],
  };
  assert.deepEqual(compilePolicy(moved, 2, first), compilePolicy(moved, 2));
});
