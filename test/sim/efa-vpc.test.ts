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

/** The test model's interfaces are EFAs here; what is given says more. */
const efaModel = (more: Partial<VpcModel> = {}): VpcModel => {
  const model = testModel(more);
  const interfaces = model.interfaces.map((at) => ({ interfaceType: 'efa' as const, ...at }));
  return { ...model, interfaces };
};

/** Sends a message from eni-a to eni-b (or c); its status, and the counters of both ports. */
function send(model: VpcModel, to: 'b' | 'c' = 'b', then: VpcModel | null = null) {
  const clock = new VirtualClock();
  const policy = compilePolicy(model, 1);
  let router: VpcRouter | null = null;
  const network = new Switch({
    clock,
    forwarder: (delivery) => {
      router = new VpcRouter(delivery, { policy, random: new Prng(1) });
      return router;
    },
  });
  const ends = ['a', to].map((letter, i) => {
    const mac = parseMac(model.interfaces.find(({ id }) => id === `eni-${letter}`)?.mac ?? '');
    const arena = new DmaArena(2 << 20, 2 ** 33);
    const port = network.addPort({ name: letter, mac, fabric: true });
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
  b.qp.receive(2, [part(b.provider.buffer(4096))]);
  const ah = a.provider.createAh(b.provider.gid);
  const sendOne = (): number | undefined => {
    a.qp.send({ ah, qp: b.qp.number, qkey: 1 }, 1, Uint8Array.of(1, 2, 3));
    clock.advance(3e9);
    return a.qp.cq.poll()?.status;
  };
  const status = sendOne();
  if (then !== null) (router as VpcRouter | null)?.apply(compilePolicy(then, 2, policy));
  const after = then === null ? undefined : sendOne();
  const counts = (end: typeof a) => end.port.counters.snapshot() as Record<string, number>;
  return { status, after, a: counts(a), b: counts(b) };
}

const unreachable = 15;

test('a group that allows all traffic to itself, both ways, lets SRD through', () => {
  const model = efaModel({ securityGroups: [group([itself], [itself])] });
  assert.equal(send(model).status, 0);
});

test('rules for all addresses do not count, nor do rules for one protocol', () => {
  for (const outbound of [[], [all], [tcpOnly]]) {
    const result = send(efaModel({ securityGroups: [group([itself], outbound)] }));
    assert.equal(result.status, unreachable);
    assert.ok((result.a['tx_sgEgressNone'] ?? 0) > 0);
  }
  for (const inbound of [[], [all], [tcpOnly]]) {
    const result = send(efaModel({ securityGroups: [group(inbound, [itself])] }));
    assert.equal(result.status, unreachable);
    assert.ok((result.b['rx_sgIngressNone'] ?? 0) > 0);
  }
});

test('EFA traffic crosses subnets, and neither zones nor VPCs', () => {
  const open = { securityGroups: [group([itself], [itself])] };
  assert.equal(send(efaModel(open), 'c').status, 0);
  const zones = { ...open, subnets: [subnet(0), subnet(1, { zone: 'us-east-1b' })] };
  const result = send(efaModel(zones), 'c');
  assert.equal(result.status, unreachable);
  assert.ok((result.a['tx_fabricUnreachable'] ?? 0) > 0);
});

test('an interface of another group is not reached', () => {
  const model = efaModel({
    securityGroups: [group([itself], [itself]), everything('sg-2')],
    interfaces: [nic('a', 0), nic('b', 0, { groups: ['sg-2'] })],
  });
  assert.equal(send(model).status, unreachable);
});

test('a rule that is added while it runs counts at once, and so does one that is taken away', () => {
  const open = efaModel({ securityGroups: [group([itself], [itself])] });
  const closed = efaModel({ securityGroups: [group([itself], [all])] });
  const opened = send(closed, 'b', open);
  assert.deepEqual([opened.status, opened.after], [unreachable, 0]);
  const shut = send(open, 'b', closed);
  // it did answer before
  assert.deepEqual([shut.status, shut.after], [0, 13]);
});

test('an interface has an EFA when its type says so', () => {
  const securityGroups = [group([itself], [itself])];
  for (const [type, status] of [
    ['efa', 0],
    ['efa-only', 0],
    ['interface', unreachable],
  ] as const) {
    const b = nic('b', 0, { interfaceType: type, ...(type === 'efa-only' && { addresses: [] }) });
    const model = efaModel({ securityGroups, interfaces: [nic('a', 0), b] });
    assert.equal(send(model).status, status, type);
    const model2 = efaModel({
      securityGroups,
      interfaces: [nic('b', 0), { ...b, id: 'eni-a', mac: '02:00:00:00:00:01' }],
    });
    assert.equal(send(model2).status, status, `from ${type}`);
  }
});
