/** Frames between 82599 VFs, and between one and an ENA function. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ec2Profile } from '../../src/devices/ixgbevf/profile.ts';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { Prng } from '../../src/lib/prng.ts';
import { SimLab } from './ena-lab.ts';
import { VfGuest, vfPair } from './ixgbevf-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

const ways = ['posted', 'polled'] as const;

test('a function comes up in the order that Linux uses, without breaking a rule', () => {
  const [, a, b] = vfPair();
  assert.deepEqual([a.driver.mac, b.driver.mac], [a.mac, b.mac]);
  assert.equal(a.driver.api, '1.3');
  assert.equal(a.driver.rx.length, 2);
  assert.equal(a.driver.linkSpeedMbps(), 10_000);
  assert.deepEqual([...a.refusals, ...b.refusals], []);
  assert.ok(a.traces.includes('mailbox RESET -> SUCCESS'));
});

for (const access of ways)
  test(`${access}: frames of 14 to 9014 bytes cross byte for byte, both ways`, () => {
    const [, a, b] = vfPair({ device: { access }, driver: { mtu: 9001 } });
    for (const { device } of [a, b]) device.poll();
    for (let length = 14; length <= 9014; length += length < 300 ? 1 : 37)
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const frame = plainFrame(from.mac, to.mac, length, length);
        assert.ok(from.send(frame));
        from.device.poll();
        assert.deepEqual(to.receive(), [frame], `${length} bytes`);
        to.device.poll();
      }
    assert.deepEqual([...a.refusals, ...b.refusals], []);
  });

for (const access of ways)
  test(`${access}: rings of any length wrap around many times, in bursts of any size`, () => {
    const rings = { tx: { depth: 24 }, rx: { depth: 40 } };
    const [, a, b] = vfPair({ device: { access }, driver: rings });
    for (const { device } of [a, b]) device.poll();
    const prng = new Prng(1);
    const tx = a.driver.tx[0];
    assert.ok(tx);
    let next = 0;
    let expected = 0;
    while (next < 5000) {
      for (let burst = 1 + prng.below(20); burst > 0; burst--) {
        const frame = plainFrame(a.mac, b.mac, 60 + (next % 1400), next);
        if (tx.send(frame, 0, frame.length)) next++;
      }
      tx.kick();
      a.device.poll();
      a.driver.poll();
      for (const frame of b.receive()) {
        assert.deepEqual(frame, plainFrame(a.mac, b.mac, 60 + (expected % 1400), expected));
        expected++;
      }
      b.device.poll();
    }
    assert.equal(expected, next);
    assert.equal(tx.completedFrames, next);
  });

test('an ENA function and an 82599 VF talk, jumbo frames included', () => {
  const lab = new SimLab();
  const ena = lab.add({ driver: { mtu: 9000 } });
  ena.driver.start();
  const vf = new VfGuest(lab, 7, { driver: { mtu: 9000 } });
  vf.driver.start();
  for (const length of [60, 1514, 4000, 9014]) {
    const there = plainFrame(ena.mac, vf.mac, length, 1);
    assert.ok(ena.send(there));
    assert.deepEqual(vf.receive(), [there]);
    const back = plainFrame(vf.mac, ena.mac, length, 2);
    assert.ok(vf.send(back));
    assert.deepEqual(ena.receive(), [back]);
  }
  assert.deepEqual([...ena.refusals, ...vf.refusals], []);
});

test('flows spread over the queues by the hash, and a flow stays on its queue', () => {
  const [, a, b] = vfPair({ profile: 'datasheet', device: { parent: { macIsSet: true } } });
  const seen = new Set<number>();
  for (let port = 1; port < 65; port++) {
    const spec = { from: a.mac, to: b.mac, ip: port % 2 === 0 ? 4 : 6, l4: 'tcp' } as const;
    const frame = packet({ ...spec, sourcePort: port, payload: new Uint8Array(9) });
    a.send(frame);
    a.send(frame);
    const [queue, ...others] = b.driver.rx.filter((one) => one.next());
    assert.ok(queue);
    assert.equal(others.length, 0);
    assert.ok(queue.next(), 'the second one came to the same queue');
    assert.equal(queue.rssType, port % 2 === 0 ? 1 : 3);
    seen.add(queue.index);
  }
  assert.equal(seen.size, 4);
});

test('a known packet has the hash of the RSS specification; UDP is hashed by addresses', () => {
  const [, a, b] = vfPair();
  // Microsoft's verification suite: 66.9.149.187:2794 -> 161.142.100.80:1766
  const frame = packet({
    ...{ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', sourcePort: 2794, destinationPort: 1766 },
    payload: new Uint8Array(0),
  });
  frame.set([66, 9, 149, 187, 161, 142, 100, 80], 26);
  a.send(frame);
  const queue = b.driver.rx.find((one) => one.next());
  assert.equal(queue?.hash, 0x51cc_c178);
  frame[23] = 17;
  a.send(frame);
  const again = b.driver.rx.find((one) => one.next());
  assert.deepEqual([again?.hash, again?.rssType], [0x323e_8fc2, 2]);
  a.send(plainFrame(a.mac, b.mac, 60, 1));
  assert.deepEqual(
    [b.driver.rx[0]?.next(), b.driver.rx[0]?.rssType, b.driver.rx[0]?.hash],
    [true, 0, 0],
  );
});

test('unicasts for others, unknown multicasts and foreign VLANs do not come through', () => {
  const [lab, a, b] = vfPair({
    port: { spoofCheck: false },
    device: { parent: { spoofCheck: false } },
  });
  const bridged = lab.switch.addPort({ name: 'bridged' });
  assert.ok(bridged);
  const arrives = (to: number, vlan = -1): boolean => {
    const frame = plainFrame(a.mac, to, 80, 1);
    a.send(frame, vlan < 0 ? {} : { vlan });
    return b.receive().length === 1;
  };
  const [one, two] = [0x0100_5e00_0001, 0x0100_5e11_2233];
  assert.ok(!arrives(0x0200_0000_0077), 'flooded, because nobody owns it');
  assert.ok(arrives(0xffff_ffff_ffff));
  assert.ok(!arrives(one));
  assert.ok(b.driver.setMulticast([one, two, 0x3333_0000_0001]));
  assert.ok(arrives(one));
  assert.ok(arrives(two));
  assert.ok(!arrives(0x0100_5e44_5566));
  assert.ok(arrives(b.mac, 0), 'VLAN 0 is none');
  assert.ok(!arrives(b.mac, 5));
  assert.ok(b.driver.setVlan(5, true));
  assert.ok(arrives(b.mac, 5));
  assert.ok(b.driver.setVlan(5, false));
  assert.ok(!arrives(b.mac, 5));
  assert.equal(b.counters()['rx_rxFiltered'], 5);
});

test('a trusted function gets all multicasts when it asks for them', () => {
  const [, a, b] = vfPair({ profile: 'datasheet', device: { parent: { trusted: true } } });
  const frame = plainFrame(a.driver.mac, 0x0100_5e44_5566, 80, 1);
  assert.ok(b.driver.request(0x0c, [2]));
  a.send(frame);
  assert.deepEqual(b.receive(), [frame]);
});

for (const multicastFilterType of [0, 1, 2, 3])
  test(`multicast hashes of kind ${multicastFilterType} are taken from the right bits`, () => {
    const lab = new SimLab();
    const a = new VfGuest(lab, 1);
    const profile = { ...ec2Profile, multicastFilterType };
    const b = new VfGuest(lab, 2, { device: { profile } });
    a.driver.start();
    b.driver.start();
    const prng = new Prng(multicastFilterType);
    const macs = Array.from({ length: 8 }, () => 0x0100_5e00_0000 + prng.below(1 << 23));
    assert.equal(b.driver.multicastFilterType, multicastFilterType);
    assert.ok(b.driver.setMulticast(macs));
    for (const mac of macs) {
      a.send(plainFrame(a.mac, mac, 60, 1));
      assert.equal(b.receive().length, 1, mac.toString(16));
    }
  });

test('statistics count octets with their check sequence, wrap, and outlive every reset', () => {
  const [, a, b] = vfPair();
  const read = (guest: VfGuest, ...names: Parameters<typeof a.driver.registers.read>[0][]) =>
    names.map((name) => guest.driver.registers.read(name));
  a.send(plainFrame(a.mac, b.mac, 100, 1));
  a.send(plainFrame(a.mac, 0xffff_ffff_ffff, 60, 1));
  b.driver.setMulticast([0x0100_5e00_0001]);
  a.send(plainFrame(a.mac, 0x0100_5e00_0001, 60, 1));
  b.receive();
  assert.deepEqual(read(a, 'VFGPTC', 'VFGOTC_LSB', 'VFGOTC_MSB'), [3, 232, 0]);
  assert.deepEqual(read(b, 'VFGPRC', 'VFGORC_LSB', 'VFGORC_MSB', 'VFMPRC'), [3, 232, 0, 1]);
  b.driver.stop();
  b.device.reset('function');
  assert.deepEqual(read(b, 'VFGPRC', 'VFMPRC'), [3, 1]);
  Object.assign(b.device.stats, { rxPackets: 2 ** 32 - 1, rxOctets: 2 ** 36 - 100 });
  b.driver.start();
  a.send(plainFrame(a.mac, b.mac, 100, 1));
  assert.deepEqual(read(b, 'VFGPRC', 'VFGORC_LSB', 'VFGORC_MSB'), [0, 4, 0]);
});

test('a full receive ring holds frames up, and they come when there are buffers again', () => {
  const [, a, b] = vfPair({ driver: { rx: { depth: 8 } } });
  for (let i = 0; i < 20; i++) a.send(plainFrame(a.mac, b.mac, 100, i));
  const got: Uint8Array[] = [];
  for (let n = 0; n < 5; n++) got.push(...b.receive());
  assert.deepEqual(
    got,
    Array.from({ length: 20 }, (_, i) => plainFrame(a.mac, b.mac, 100, i)),
  );
});

test('a frame that is longer than the whole ring, or than the function wants, is dropped', () => {
  const [, a, b] = vfPair({ driver: { mtu: 9001, rx: { depth: 8, bufferBytes: 1024 } } });
  a.send(plainFrame(a.mac, b.mac, 9014, 1));
  assert.equal(b.counters()['rx_rxTooLong'], 1);
  const plain = vfPair({ device: { profile: { ...ec2Profile, parentMtu: 1500 } } });
  const [, c, d] = plain;
  c.send(plainFrame(c.mac, d.mac, 1515, 1));
  c.send(plainFrame(c.mac, d.mac, 1514, 1));
  d.driver.setVlan(5, true);
  c.driver.setVlan(5, true);
  c.send(plainFrame(c.mac, d.mac, 1514, 1), { vlan: 5 });
  assert.equal(d.receive().length, 2, 'a tag does not count');
  assert.equal(d.counters()['rx_rxTooLong'], 1);
});

test('a rate limits what the function sends, not what it receives', () => {
  const [lab, a, b] = vfPair({ driver: { tx: { depth: 512 } } });
  a.device.setRate(100e6);
  const tx = a.driver.tx[0];
  assert.ok(tx);
  let arrived = 0;
  const start = lab.clock.now();
  while (lab.clock.now() - start < nsPerSecond / 10) {
    for (;;) {
      const frame = plainFrame(a.mac, b.mac, 1250, 1);
      if (!tx.send(frame, 0, frame.length)) break;
    }
    tx.kick();
    lab.clock.advance(1e5);
    arrived += b.receive().length;
  }
  assert.ok(arrived > 950 && arrived < 1100, `${arrived} frames of 10,000 bits in 0.1 s`);
});

test('resets of every kind forget queues and filters, and the function comes back', () => {
  const [, a, b] = vfPair();
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  for (const reset of [
    () => b.driver.stop(),
    () => b.device.reset('function'),
    () => b.device.reset('detach'),
  ]) {
    b.driver.setVlan(9, true);
    reset();
    a.send(frame);
    assert.deepEqual(b.receive(), []);
    b.driver.start();
    a.send(frame, { vlan: 9 });
    assert.deepEqual(b.receive(), []);
    a.send(frame);
    assert.deepEqual(b.receive(), [frame]);
  }
});

test('the link of the wire and that of the administrator both end traffic', () => {
  const [, a, b] = vfPair();
  const frame = plainFrame(a.mac, b.mac, 100, 1);
  b.device.setWire(false);
  a.send(frame);
  b.device.setWire(true);
  b.device.setLink(false);
  a.send(frame);
  assert.deepEqual(b.receive(), []);
  assert.ok(!b.driver.setVlan(3, true), 'it has to say RESET first');
  b.driver.start();
  a.send(frame);
  assert.deepEqual(b.receive(), [], 'a reset does not help');
  assert.equal(b.driver.mailbox.ask([0x10])?.[1], 0, 'but it can ask');
  b.device.setLink(true);
  b.driver.start();
  a.send(frame);
  assert.deepEqual(b.receive(), [frame]);
  assert.deepEqual([b.counters()['rx_linkDown'], b.counters()['rx_rxDisabled']], [1, 2]);
});
