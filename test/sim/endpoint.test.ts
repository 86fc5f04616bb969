import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BulkReceiver, BulkSender } from '../../src/drivers/bulk-transfer.ts';
import { DhcpClient } from '../../src/drivers/dhcp-client.ts';
import { NetEndpoint } from '../../src/drivers/endpoint.ts';
import { QueuedNic } from '../../src/drivers/queued-nic.ts';
import { UdpBlaster, UdpSink } from '../../src/drivers/udp-load.ts';
import { nsPerMs, nsPerSecond } from '../../src/lib/clock.ts';
import { formatIpv4, parseIpv4 } from '../../src/net/ipv4.ts';
import { attachNetwork } from '../../src/vpc/network.ts';
import { defaultPlan } from '../../src/vpc/plan.ts';
import { type GuestOptions, SimLab } from './ena-lab.ts';

function hosts(options: GuestOptions, count = 2): [SimLab, NetEndpoint[]] {
  const lab = new SimLab();
  const endpoints = Array.from({ length: count }, (_, i) => {
    const guest = lab.add(options);
    guest.driver.start();
    const address = parseIpv4(`10.0.0.${10 + i}`);
    return new NetEndpoint(new QueuedNic(guest.driver), lab.clock, {
      address,
      prefix: 24,
      gateway: 0,
    });
  });
  return [lab, endpoints];
}

/** Polls everybody until nobody has anything left to do, or `rounds` are over. */
function run(lab: SimLab, endpoints: NetEndpoint[], rounds: number, stepNs = 0): void {
  for (let i = 0; i < rounds; i++) {
    for (const endpoint of endpoints) endpoint.poll();
    lab.clock.advance(stepNs);
  }
}

test('hosts find each other by ARP and answer pings of any size', () => {
  const [lab, [a, b]] = hosts({ driver: { mtu: 9000 } });
  assert.ok(a && b);
  assert.equal(a.ping(b.address, 0), false, 'the neighbour is not known yet');
  a.nic.flush();
  run(lab, [a, b], 3);
  for (const [i, bytes] of [0, 1, 56, 1472, 8972].entries()) {
    assert.ok(a.ping(b.address, i, bytes));
    a.nic.flush();
    lab.clock.advance(5 * nsPerMs);
    run(lab, [a, b], 2);
    run(lab, [a, b], 1);
    assert.deepEqual(a.echoAnswers.at(-1), { sequence: i, roundTripNs: 5 * nsPerMs });
  }
  assert.equal(b.answeredEchoes, 5);
});

test('a blaster and a sink agree on every datagram, and on those that were lost', () => {
  const [lab, [a, b]] = hosts({ driver: { rxDepth: 64 }, port: { queueBytes: 66_000 } });
  assert.ok(a && b);
  const blaster = new UdpBlaster(a, b.address, 7, 64);
  const sink = new UdpSink();
  b.listen(7, sink);
  assert.equal(blaster.burst(1), 0);
  run(lab, [b, a], 3);
  for (let i = 0; i < 100; i++) {
    assert.equal(blaster.burst(32), 32);
    run(lab, [b, a], 1);
  }
  assert.deepEqual([sink.received, sink.missing, sink.late], [3200, 0, 0]);
  for (let i = 0; i < 20; i++) {
    blaster.burst(200);
    a.poll();
  }
  run(lab, [b, a], 50);
  blaster.burst(1);
  run(lab, [b, a], 50);
  assert.equal(sink.received + sink.missing, blaster.sent);
  assert.ok(sink.missing > 0);
});

test('a megabyte crosses a loss-free path once, and both ends agree on its sum', () => {
  const [lab, [a, b]] = hosts({ driver: { mtu: 9000 } });
  assert.ok(a && b);
  const receiver = new BulkReceiver(b, 5001);
  const sender = new BulkSender(a, b.address, 5001, 1 << 20);
  for (let i = 0; sender.verified === null && i < 1000; i++) run(lab, [a, b], 1, 1000);
  assert.deepEqual([sender.verified, receiver.verified], [true, true]);
  assert.equal(receiver.receivedBytes, sender.totalBytes);
  assert.equal(sender.retransmissions, 0);
});

test('a transfer gets through a path that drops, also when the receiver is reset on the way', () => {
  const lab = new SimLab();
  const options = { driver: { rxDepth: 32 }, port: { queueBytes: 66_000 } };
  const guests = [lab.add(options), lab.add(options)];
  const [a, b] = guests.map((guest, i) => {
    guest.driver.start();
    const address = parseIpv4(`10.0.0.${10 + i}`);
    return new NetEndpoint(new QueuedNic(guest.driver), lab.clock, {
      address,
      prefix: 24,
      gateway: 0,
    });
  });
  assert.ok(a && b);
  const receiver = new BulkReceiver(b, 5001);
  const sender = new BulkSender(a, b.address, 5001, 1 << 20);
  for (let i = 0; sender.verified === null && i < 20_000; i++) {
    run(lab, [a, b], 1, nsPerMs);
    if (i % 20 === 7) guests[1]?.driver.start('USER_TRIGGER');
  }
  assert.deepEqual([sender.verified, receiver.verified], [true, true]);
  assert.equal(receiver.receivedBytes, sender.totalBytes);
  assert.ok(sender.retransmissions > 0);
});

test('an endpoint gets its address by DHCP and can be pinged at it', () => {
  const [lab, [a, b]] = hosts({});
  assert.ok(a && b);
  const leases = lab.guests.map(({ mac }, i) => ({ mac, address: `10.0.3.${20 + i}` }));
  attachNetwork(lab.switch, { ...defaultPlan, leases });
  a.address = 0;
  b.address = 0;
  const clients = [new DhcpClient(a), new DhcpClient(b, 7)];
  run(lab, [a, b], 20, nsPerSecond);
  assert.deepEqual(
    clients.map((client) => client.isBound),
    [true, true],
  );
  assert.deepEqual(
    [a, b].map(({ address }) => formatIpv4(address)),
    ['10.0.3.20', '10.0.3.21'],
  );
  assert.deepEqual([formatIpv4(a.gateway), a.prefix], ['10.0.0.1', 16]);
  for (let i = 0; i < 3 && a.echoAnswers.length === 0; i++) {
    a.ping(b.address, i);
    a.nic.flush();
    run(lab, [b, a], 3);
  }
  assert.equal(a.echoAnswers.length, 1);
});
