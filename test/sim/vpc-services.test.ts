/** What a VPC answers by itself, through ENA cards and their reference driver, in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DhcpClient } from '../../src/drivers/dhcp-client.ts';
import { NetEndpoint } from '../../src/drivers/endpoint.ts';
import { QueuedNic } from '../../src/drivers/queued-nic.ts';
import { nsPerSecond, VirtualClock } from '../../src/lib/clock.ts';
import { read16, read32 } from '../../src/net/bytes.ts';
import { nameBytes } from '../../src/net/dns.ts';
import { formatIpv4, parseIpv4 } from '../../src/net/ipv4.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { Region } from '../../src/vpc/region.ts';
import { NetworkServices } from '../../src/vpc/services/services.ts';
import { nic, testModel } from '../../src/vpc/testing-model.ts';
import { type SimGuest, SimLab } from './ena-lab.ts';

/** Nothing passes between interfaces: their group has no rules. */
const closed = (model: VpcModel): VpcModel => ({
  ...model,
  vpcs: model.vpcs.map((vpc) => ({ ...vpc, dnsHostnames: true })),
  instances: [{ id: 'i-0c1', name: 'c', type: 'c6i.large' }],
  securityGroups: [{ id: 'sg-1', vpc: 'vpc-1', name: 'sg-1', inbound: [], outbound: [] }],
});

class Guests {
  readonly clock = new VirtualClock();
  readonly guests: SimGuest[] = [];
  readonly hosts: NetEndpoint[] = [];

  constructor(count: number) {
    const { clock } = this;
    const interfaces = [nic('a', 0), nic('b', 0), nic('c', 1, { instance: 'i-0c1' })];
    const model = closed(testModel({ interfaces: interfaces.slice(0, count) }));
    const region = new Region({ clock, model, seed: 1 });
    region.addService(new NetworkServices(model, { clock, sender: region.network, seed: 1 }));
    const lab = new SimLab(clock, region.network);
    for (let i = 0; i < count; i++) {
      const guest = lab.add({ driver: { mtu: 9000, rxDepth: 1024, txDepth: 1024 } });
      guest.driver.start();
      this.guests.push(guest);
      const nobody = { address: 0, prefix: 0, gateway: 0 };
      this.hosts.push(new NetEndpoint(new QueuedNic(guest.driver), clock, nobody));
    }
  }

  poll(rounds = 5): void {
    for (let i = 0; i < rounds; i++) {
      for (const host of this.hosts) host.poll();
      this.clock.advance(1000);
    }
  }

  /** All have what DHCP told them. */
  lease(): void {
    const clients = this.hosts.map((host) => new DhcpClient(host));
    for (let i = 0; i < 100 && !clients.every(({ isBound }) => isBound); i++) this.poll();
  }

  /** Sends datagrams from a host; returns the payloads that came back. */
  ask(i: number, to: string, port: number, payload: readonly number[], times = 1): Uint8Array[] {
    const host = this.hosts[i] as NetEndpoint;
    const answers: Uint8Array[] = [];
    const bytes = Uint8Array.from(payload);
    host.listen(40_000, {
      datagram: (_source, _port, from, at, length) => {
        answers.push(from.slice(at, at + length));
      },
    });
    const send = (): boolean => host.sendUdp(parseIpv4(to), 40_000, port, bytes, bytes.length);
    // The first one asks for its next hop by ARP.
    for (let sent = 0, tries = 0; sent < times && tries < 20 * times; tries++) {
      if (send()) sent++;
      else this.poll(1);
      if (sent % 64 === 0) host.nic.flush();
    }
    host.nic.flush();
    this.poll(50);
    host.close(40_000);
    return answers;
  }
}

const query = [
  0x12,
  0x34,
  1,
  0,
  0,
  1,
  0,
  0,
  0,
  0,
  0,
  0,
  ...nameBytes('i-0c1.ec2.internal'),
  0,
  1,
  0,
  1,
];

test('every card is leased the address, the subnet and the router of its own interface', () => {
  const sim = new Guests(3);
  sim.lease();
  const told = sim.hosts.map(({ address, prefix, gateway }) => [
    `${formatIpv4(address)}/${prefix}`,
    formatIpv4(gateway),
  ]);
  assert.deepEqual(told, [
    ['10.0.0.11/24', '10.0.0.1'],
    ['10.0.0.12/24', '10.0.0.1'],
    ['10.0.1.13/24', '10.0.1.1'],
  ]);
});

test('behind closed gates routers answer pings, the resolver names and the service the time', () => {
  const sim = new Guests(3);
  sim.lease();
  sim.clock.advance(10 * nsPerSecond);
  for (const [i, host] of sim.hosts.entries()) {
    for (let sequence = 0; sequence < 3; sequence++) {
      host.ping(host.gateway, sequence, 8900);
      host.nic.flush();
      sim.poll();
    }
    assert.equal(host.echoAnswers.length, 2, 'the first one was lost to ARP');
    const [name] = sim.ask(i, '10.0.0.2', 53, query);
    assert.equal(
      formatIpv4(read32(name as Uint8Array, (name as Uint8Array).length - 4)),
      '10.0.1.13',
    );
    const [time] = sim.ask(i, '169.254.169.123', 123, [0x23, ...Array(47).fill(0)]);
    const seconds = (read32(time as Uint8Array, 40) >>> 0) - 2_208_988_800;
    assert.equal(seconds, Math.floor(sim.clock.now() / nsPerSecond));
    assert.equal(read16(time as Uint8Array, 0), 0x2403);
  }
  const [a, b] = sim.hosts as [NetEndpoint, NetEndpoint];
  a.ping(b.address, 9);
  sim.poll();
  a.ping(b.address, 9);
  a.nic.flush();
  sim.poll();
  assert.equal(b.answeredEchoes, 0, 'other guests are behind the gates');
});

test('a flood of queries is answered 1024 times a second, and the card says what exceeded', () => {
  const sim = new Guests(1);
  sim.lease();
  const answers = sim.ask(0, '169.254.169.253', 53, query, 3000);
  assert.equal(answers.length, 1024);
  const [guest] = sim.guests as [SimGuest];
  assert.equal(guest.device.allowances.linklocalExceeded, 3000 - 1024);
  sim.clock.advance(nsPerSecond);
  assert.equal(sim.ask(0, '10.0.0.2', 53, query, 10).length, 10);
  assert.deepEqual(guest.refusals, []);
});
