import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BulkReceiver, BulkSender } from '../../src/drivers/bulk-transfer.ts';
import { NetEndpoint } from '../../src/drivers/endpoint.ts';
import { QueuedNic } from '../../src/drivers/queued-nic.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Prng } from '../../src/lib/prng.ts';
import { parseIpv4 } from '../../src/net/ipv4.ts';
import { buildPacket } from '../../src/net/testing-packets.ts';
import type { SecurityGroup, VpcModel } from '../../src/vpc/model.ts';
import { Region, type RegionOptions } from '../../src/vpc/region.ts';
import { NetworkServices } from '../../src/vpc/services/services.ts';
import { everything, nic, testModel } from '../../src/vpc/testing-model.ts';
import { routerAddress, routerMac } from '../../src/vpc/well-known.ts';
import { type SimGuest, SimLab } from './ena-lab.ts';

/** Cards with stock-like drivers in a region: `eni-a` is the first one, and so on. */
class VpcSim {
  readonly clock = new VirtualClock();
  readonly region: Region;
  readonly lab: SimLab;
  readonly guests: SimGuest[] = [];
  readonly hosts: NetEndpoint[] = [];

  constructor(model: VpcModel, options: Partial<RegionOptions> = {}, mtu = 9000) {
    const { clock } = this;
    this.region = new Region({ clock, model, seed: 1, ...options });
    const sender = this.region.network;
    this.region.addService(new NetworkServices(model, { clock, sender }));
    this.lab = new SimLab(clock, this.region.network);
    for (const { addresses, subnet: id } of model.interfaces) {
      const guest = this.lab.add({ driver: { mtu } });
      guest.driver.start();
      this.guests.push(guest);
      const subnet = model.subnets.find((one) => one.id === id);
      const address = parseIpv4(addresses[0]?.address ?? '');
      const gateway = subnet === undefined ? 0 : routerAddress(subnet);
      const own = { address, prefix: 24, gateway };
      this.hosts.push(new NetEndpoint(new QueuedNic(guest.driver), clock, own));
    }
  }

  host(i: number): NetEndpoint {
    return this.hosts[i] as NetEndpoint;
  }

  guest(i: number): SimGuest {
    return this.guests[i] as SimGuest;
  }

  /** Polls all but those that are driven by hand. */
  poll(hosts = this.hosts): void {
    for (const host of hosts) host.poll();
    this.clock.advance(1000);
  }
}

/** Lets in one UDP port, from the other's group. */
const only = (id: string, port: number, peer: string): SecurityGroup => {
  const rule = { protocol: 17, fromPort: port, toPort: port, peer: { group: peer } };
  return {
    ...everything(id),
    inbound: [{ id: `sgr-in-${port}`, ...rule }],
    outbound: [{ id: `sgr-out-${port}`, ...rule }],
  };
};

const pairModel = (port: number, more: readonly SecurityGroup[] = []): VpcModel =>
  testModel({
    securityGroups: [only('sg-a', port, 'sg-c'), only('sg-c', port, 'sg-a'), ...more],
    interfaces: [nic('a', 0, { groups: ['sg-a'] }), nic('b', 1, { groups: ['sg-c'] })],
  });

test('a transfer loses nothing while the policy changes 1,000 times, also within its bursts', () => {
  const sim = new VpcSim(pairModel(5001), {}, 1500);
  const receiver = new BulkReceiver(sim.host(1), 5001);
  const sender = new BulkSender(sim.host(0), sim.host(1).address, 5001, 8 << 20);
  let frames = 0;
  let updates = 0;
  const update = (): void => {
    if (receiver.receivedBytes === 0 || frames++ % 4 !== 0) return;
    // Also without its own rule: it is tracked.
    const port = updates % 3 === 0 ? 6000 : 5001;
    sim.region.update(pairModel(port, [everything(`sg-${updates++}`)]));
  };
  sim.region.network.addTap({ sent: update, offered: () => {} });
  for (let i = 0; sender.verified === null && i < 1000; i++) sim.poll();
  assert.deepEqual([sender.verified, receiver.verified], [true, true]);
  assert.equal(receiver.receivedBytes, sender.totalBytes);
  assert.equal(sender.retransmissions, 0);
  assert.ok(updates > 1000, `${updates} updates`);
});

test('through 10,000 updates each packet arrives by exactly one version of the rules', () => {
  const sim = new VpcSim(pairModel(6000));
  const got: number[] = [];
  const hear = (port: number) => ({ datagram: () => got.push(port) });
  for (const port of [6000, 7000]) sim.host(1).listen(port, hear(port));
  const to = sim.host(1).address;
  const payload = new Uint8Array(32);
  sim.host(0).resolve(to);
  for (let i = 0; i < 4; i++) sim.poll();
  const models = [pairModel(6000), pairModel(7000)];
  const blocked = () => sim.guest(0).counters()['tx_sgEgressNone'] ?? 0;
  for (let n = 0; n < 10_000; n++) {
    const before = blocked();
    const version = n & 1;
    sim.region.update(models[version] as VpcModel);
    for (const port of [6000, 7000])
      assert.ok(sim.host(0).sendUdp(to, 1024 + n, port, payload, payload.length));
    sim.host(0).nic.flush();
    sim.poll();
    assert.deepEqual(got.splice(0), [version === 0 ? 6000 : 7000], `update ${n}`);
    assert.equal(blocked(), before + 1);
  }
  assert.equal(sim.region.router.policy.version, 10_001);
});

test('a hostile neighbour costs others nothing but time: floods, spoofing, fragments, garbage', () => {
  const evil = nic('c', 0, { groups: ['sg-e'] });
  const model = pairModel(5001, [everything('sg-e')]);
  const limits = { connections: 4096, connectionsPerInstance: 1024, flows: 256, fragments: 64 };
  const sim = new VpcSim({ ...model, interfaces: [...model.interfaces, evil] }, limits);
  const receiver = new BulkReceiver(sim.host(1), 5001);
  const sender = new BulkSender(sim.host(0), sim.host(1).address, 5001, 4 << 20);
  const random = new Prng(11);
  const attacker = sim.guest(2);
  const mac = (n: number): number[] =>
    [40, 32, 24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) & 255);
  const attack = (): Uint8Array => {
    const bytes = buildPacket({
      protocol: random.pick(['tcp', 'udp'] as const),
      srcMac: random.oneIn(8) ? mac(0x02_00_00_00_00_01) : mac(attacker.mac),
      dstMac: mac(routerMac('subnet-0')),
      src: random.oneIn(8) ? [10, 0, 0, 11] : [10, 0, 0, 13],
      dst: random.oneIn(4) ? [10, 0, 0, random.below(256)] : [10, 0, 1, 12],
      srcPort: random.below(65_536),
      dstPort: random.oneIn(2) ? 5001 : random.below(65_536),
      payload: new Uint8Array(random.below(64)),
    });
    if (random.oneIn(4)) bytes[20] = random.next();
    if (random.oneIn(8)) bytes[14 + random.below(40)] = random.next();
    return bytes;
  };
  for (let i = 0; sender.verified === null && i < 3000; i++) {
    for (let n = 0; n < 16; n++) attacker.send(attack());
    sim.poll(sim.hosts.slice(0, 2));
    attacker.receive();
  }
  assert.deepEqual([sender.verified, receiver.verified], [true, true]);
  assert.equal(sender.retransmissions, 0);
  const counted = { ...attacker.counters(), ...sim.guest(1).counters() };
  for (const reason of [
    'tx_spoofedSource',
    'tx_malformed',
    'tx_fragmentUnknown',
    'rx_sgIngressNone',
  ])
    assert.ok((counted[reason] ?? 0) > 0, `${reason}: ${JSON.stringify(counted)}`);
  assert.ok(sim.region.router.trackedConnections() <= 4096);
});
