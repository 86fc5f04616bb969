/** EFA in a VPC: who may talk SRD to whom, by security groups, VPC and zone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EfaFunction } from '../../src/devices/efa/efa-function.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { EfaProvider, part } from '../../src/drivers/efa/provider.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { Prng } from '../../src/lib/prng.ts';
import { parseMac } from '../../src/net/ethernet.ts';
import { Switch } from '../../src/switch/switch.ts';
import { VpcRouter } from '../../src/switch/vpc-router.ts';
import { compilePolicy } from '../../src/vpc/compile.ts';
import type { SecurityGroup, SecurityGroupRule, VpcModel } from '../../src/vpc/model.ts';
import { everything, nic, subnet, testModel } from '../../src/vpc/testing-model.ts';

const itself: SecurityGroupRule = { id: 'sgr-self', protocol: -1, peer: { group: 'sg-1' } };
const all: SecurityGroupRule = { id: 'sgr-all', protocol: -1, peer: { cidr: '0.0.0.0/0' } };
const tcpOnly: SecurityGroupRule = {
  ...{ id: 'sgr-tcp', protocol: 6, fromPort: 0, toPort: 0xffff },
  peer: { group: 'sg-1' },
};

const group = (
  inbound: readonly SecurityGroupRule[],
  outbound: readonly SecurityGroupRule[],
): SecurityGroup => ({ ...everything('sg-1'), inbound: [...inbound], outbound: [...outbound] });

/** Sends a message from eni-a to eni-b (or c); its status, and the counters of both ports. */
function send(model: VpcModel, to: 'b' | 'c' = 'b') {
  const clock = new VirtualClock();
  const network = new Switch({
    clock,
    forwarder: (delivery) =>
      new VpcRouter(delivery, { policy: compilePolicy(model, 1), random: new Prng(1) }),
  });
  const ends = ['a', to].map((letter, i) => {
    const mac = parseMac(model.interfaces.find(({ id }) => id === `eni-${letter}`)?.mac ?? '');
    const arena = new DmaArena(2 << 20, 2 ** 33);
    const port = network.addPort({ name: letter, mac });
    const device = new EfaFunction(
      { mac, linkMbps: 1000, secret: Uint32Array.of(1, 2, 3, i), patienceNs: 1e9 },
      {
        ...{ memory: arena.memory, clock, diagnostics: new Diagnostics() },
        interrupts: { raise: () => {} },
        deviceMemory: (sizeBytes) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
      },
      port,
    );
    const provider = new EfaProvider(device, arena);
    provider.start();
    return { provider, port, qp: provider.createQp(provider.createCq(), { qkey: 1 }) };
  });
  const [a, b] = ends;
  assert.ok(a && b);
  b.qp.receive(1, [part(b.provider.buffer(4096))]);
  const ah = a.provider.createAh(b.provider.gid);
  a.qp.send({ ah, qp: b.qp.number, qkey: 1 }, 1, Uint8Array.of(1, 2, 3));
  clock.advance(3e9);
  const counts = (end: typeof a) => end.port.counters.snapshot() as Record<string, number>;
  return { status: a.qp.cq.poll()?.status, a: counts(a), b: counts(b) };
}

const unreachable = 15;

test('a group that allows all traffic to itself, both ways, lets SRD through', () => {
  const model = testModel({ securityGroups: [group([itself], [itself])] });
  assert.equal(send(model).status, 0);
});

test('rules for all addresses do not count, nor do rules for one protocol', () => {
  for (const outbound of [[], [all], [tcpOnly]]) {
    const result = send(testModel({ securityGroups: [group([itself], outbound)] }));
    assert.equal(result.status, unreachable);
    assert.ok((result.a['tx_sgEgressNone'] ?? 0) > 0);
  }
  for (const inbound of [[], [all], [tcpOnly]]) {
    const result = send(testModel({ securityGroups: [group(inbound, [itself])] }));
    assert.equal(result.status, unreachable);
    assert.ok((result.b['rx_sgIngressNone'] ?? 0) > 0);
  }
});

test('EFA traffic crosses subnets, and neither zones nor VPCs', () => {
  const open = { securityGroups: [group([itself], [itself])] };
  assert.equal(send(testModel(open), 'c').status, 0);
  const zones = { ...open, subnets: [subnet(0), subnet(1, { zone: 'us-east-1b' })] };
  const result = send(testModel(zones), 'c');
  assert.equal(result.status, unreachable);
  assert.ok((result.a['tx_fabricUnreachable'] ?? 0) > 0);
});

test('an interface of another group is not reached', () => {
  const model = testModel({
    securityGroups: [group([itself], [itself]), everything('sg-2')],
    interfaces: [nic('a', 0), nic('b', 0, { groups: ['sg-2'] })],
  });
  assert.equal(send(model).status, unreachable);
});
