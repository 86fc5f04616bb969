import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../lib/clock.ts';
import { seeded } from '../lib/testing-seed.ts';
import { read16, read32 } from '../net/bytes.ts';
import { formatMac, parseMac, readMac } from '../net/ethernet.ts';
import { Frame } from '../net/frame.ts';
import { formatIpv4, parseIpv4 } from '../net/ipv4.ts';
import { verifySums } from '../net/offload.ts';
import { R } from '../net/reasons.ts';
import { buildPacket, naiveChecksum } from '../net/testing-packets.ts';
import { Switch } from '../switch/switch.ts';
import { TestEndpoint } from '../switch/testing-endpoint.ts';
import { attachNetwork } from './network.ts';
import { defaultPlan, type NetworkPlan } from './plan.ts';

const macs = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'].map(parseMac) as [number, number];
const plan: NetworkPlan = {
  ...defaultPlan,
  dns: ['10.0.0.2', '1.1.1.1'],
  domain: 'ec2.internal',
  leases: [
    { mac: macs[0], address: '10.0.0.10', hostname: 'ip-10-0-0-10' },
    { mac: macs[1], address: '10.0.1.11' },
  ],
};

function lab() {
  const fabric = new Switch({ clock: new VirtualClock() });
  const network = attachNetwork(fabric, plan);
  const [a, b] = macs.map((mac, i) => {
    return new TestEndpoint(fabric.addPort({ name: `p${i}`, mac }));
  }) as [TestEndpoint, TestEndpoint];
  return { ...network, a, b };
}

const be = (bytes: number, value: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) & 255);
const ip = (text: string): number[] => be(4, parseIpv4(text) >>> 0);
const broadcast = Array(6).fill(255);

type Ask = {
  type?: number;
  mac?: number;
  flags?: number;
  ciaddr?: string;
  to?: string;
  options?: number[];
};

/** A client's message, as the RFC draws it. */
function ask({ type = 1, mac = macs[0], flags = 0, ciaddr, to, options = [] }: Ask): Uint8Array {
  const fixed = new Uint8Array(240);
  fixed.set([1, 1, 6, 0, 0xca, 0xfe, 0xba, 0xbe, 0, 0, ...be(2, flags)]);
  if (ciaddr !== undefined) fixed.set(ip(ciaddr), 12);
  fixed.set(be(6, mac), 28);
  fixed.set([0x63, 0x82, 0x53, 0x63], 236);
  const payload = Uint8Array.from([...fixed, 53, 1, type, 0, ...options, 55, 2, 1, 3, 255]);
  return buildPacket({
    protocol: 'udp',
    srcMac: be(6, mac),
    dstMac: to === undefined ? broadcast : be(6, plan.router.mac),
    src: ip(ciaddr ?? '0.0.0.0'),
    dst: ip(to ?? '255.255.255.255'),
    srcPort: 68,
    dstPort: 67,
    payload,
  });
}

/** What the server said, for people: its fields and options; its checksums are checked here. */
function read(bytes: Uint8Array | undefined) {
  assert.ok(bytes, 'an answer came');
  const frame = new Frame();
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  verifySums(frame);
  assert.deepEqual([frame.ipv4Sum, frame.l4Sum], [1, 1]);
  assert.equal(read32(bytes, 46), 0xcafebabe | 0, 'the transaction is the same');
  const options: Record<number, string> = {};
  for (let at = 282; bytes[at] !== 255; at += 2 + (bytes[at + 1] as number))
    options[bytes[at] as number] = Buffer.from(
      bytes.subarray(at + 2, at + 2 + (bytes[at + 1] as number)),
    ).toString('hex');
  return {
    toMac: formatMac(readMac(bytes, 0)),
    to: formatIpv4(read32(bytes, 30)),
    ports: [read16(bytes, 34), read16(bytes, 36)],
    type: Number(options[53]),
    yiaddr: formatIpv4(read32(bytes, 58)),
    options,
  };
}

test('DISCOVER and REQUEST give the planned address with all of its options', () => {
  const { a, b, dhcp } = lab();
  assert.equal(a.send(ask({ type: 1 })), R.answered);
  const offer = read(a.received[0]);
  assert.deepEqual([offer.type, offer.yiaddr, offer.ports], [2, '10.0.0.10', [67, 68]]);
  assert.deepEqual([offer.to, offer.toMac], ['10.0.0.10', '02:00:00:00:00:0a']);
  const chosen = [54, 4, ...ip('10.0.0.1'), 50, 4, ...ip('10.0.0.10')];
  a.send(ask({ type: 3, options: chosen, flags: 0x8000 }));
  const ack = read(a.received[1]);
  assert.deepEqual([ack.type, ack.yiaddr], [5, '10.0.0.10']);
  assert.deepEqual([ack.to, ack.toMac], ['255.255.255.255', 'ff:ff:ff:ff:ff:ff']);
  assert.deepEqual(ack.options, {
    1: 'ffff0000',
    3: '0a000001',
    6: '0a00000201010101',
    12: Buffer.from('ip-10-0-0-10').toString('hex'),
    15: Buffer.from('ec2.internal').toString('hex'),
    26: '2329',
    28: '0a00ffff',
    51: '00000e10',
    53: '05',
    54: '0a000001',
    58: '00000708',
    59: '00000c4e',
  });
  assert.equal(b.received.length, 0, 'nobody else heard of it');
  assert.deepEqual([dhcp.counts.discover, dhcp.counts.ack], [1, 1]);
});

test('renewing is unicast and confirmed; INFORM gets options but no lease', () => {
  const { a } = lab();
  a.send(ask({ type: 3, ciaddr: '10.0.0.10', to: '10.0.0.1' }));
  const ack = read(a.received[0]);
  assert.deepEqual([ack.type, ack.to, ack.yiaddr], [5, '10.0.0.10', '10.0.0.10']);
  a.send(ask({ type: 8, ciaddr: '10.0.0.10' }));
  const inform = read(a.received[1]);
  assert.deepEqual([inform.type, inform.to, inform.yiaddr], [5, '10.0.0.10', '0.0.0.0']);
  assert.equal(inform.options[51], undefined);
  assert.equal(inform.options[26], '2329');
});

test('a wrong address is refused by broadcast NAK, when rebooting and when renewing', () => {
  const { a, dhcp } = lab();
  a.send(ask({ type: 3, options: [50, 4, ...ip('10.0.9.9')] }));
  a.send(ask({ type: 3, ciaddr: '10.0.9.9', to: '10.0.0.1' }));
  for (const bytes of a.received) {
    const nak = read(bytes);
    assert.deepEqual([nak.type, nak.to, nak.yiaddr], [6, '255.255.255.255', '0.0.0.0']);
    assert.deepEqual(Object.keys(nak.options), ['53', '54']);
  }
  assert.equal(dhcp.counts.nak, 2);
});

test('another server chosen, RELEASE and DECLINE get no answer', () => {
  const { a } = lab();
  const other = [54, 4, ...ip('10.0.0.77'), 50, 4, ...ip('10.0.0.10')];
  assert.equal(a.send(ask({ type: 3, options: other })), R.answered);
  assert.equal(a.send(ask({ type: 7, ciaddr: '10.0.0.10' })), R.answered);
  assert.equal(a.send(ask({ type: 4, options: [50, 4, ...ip('10.0.0.10')] })), R.answered);
  assert.equal(a.received.length, 0);
});

test('a client without a planned lease is left to other servers', () => {
  const { a, b } = lab();
  assert.equal(a.send(ask({ mac: parseMac('02:00:00:00:00:99') })), R.delivered);
  assert.equal(b.received.length, 1);
});

test('malformed requests are counted and get no answer, whatever is broken', () => {
  const { a, dhcp } = lab();
  const broken = (at: number, value: number): Uint8Array => {
    const bytes = ask({});
    bytes[42 + at] = value;
    return bytes;
  };
  const wrong = [broken(0, 2), broken(1, 6), broken(2, 16), broken(27, 1), broken(236, 0)];
  wrong.push(broken(241, 200), broken(240, 99));
  for (const bytes of wrong) assert.equal(a.send(bytes), R.badRequest);
  assert.equal(dhcp.counts.malformed, wrong.length);
});

seeded('random DHCP messages do no harm, and are counted', (random) => {
  const { dhcp, a } = lab();
  for (let n = 0; n < 2000; n++) {
    const bytes = ask({ options: Array.from({ length: random.below(60) }, () => random.next()) });
    bytes[random.below(bytes.length)] = random.next();
    a.send(random.oneIn(4) ? bytes.subarray(0, random.below(bytes.length)) : bytes);
  }
  assert.ok(dhcp.counts.malformed > 100);
});

const arpFrame = (operation: number, target: string, sender = '10.0.0.10'): Uint8Array =>
  Uint8Array.from([
    ...broadcast,
    ...be(6, macs[0]),
    ...[8, 6, 0, 1, 8, 0, 6, 4, 0, operation],
    ...be(6, macs[0]),
    ...ip(sender),
    ...Array(6).fill(0),
    ...ip(target),
  ]);

test("ARP for the router is answered with its MAC; everybody else's is flooded", () => {
  const { a, b } = lab();
  assert.equal(a.send(arpFrame(1, '10.0.0.1')), R.answered);
  const reply = a.received[0] as Uint8Array;
  assert.equal(readMac(reply, 0), macs[0]);
  assert.deepEqual([read16(reply, 12), read16(reply, 20)], [0x0806, 2]);
  assert.equal(readMac(reply, 22), plan.router.mac);
  assert.equal(formatIpv4(read32(reply, 28)), '10.0.0.1');
  assert.equal(readMac(reply, 32), macs[0]);
  assert.equal(a.send(arpFrame(1, '10.0.1.11')), R.delivered);
  assert.equal(b.received.length, 1);
  assert.equal(a.send(arpFrame(2, '10.0.0.1')), R.delivered, 'a reply is none of its business');
  assert.equal(a.send(arpFrame(1, '10.0.0.1').subarray(0, 30)), R.badRequest);
});

test('the router answers pings, and other frames to it are not flooded', () => {
  const { a, b } = lab();
  const echo = buildPacket({
    protocol: 'udp',
    srcMac: be(6, macs[0]),
    dstMac: be(6, plan.router.mac),
    dst: ip('10.0.0.1'),
    payload: Uint8Array.from({ length: 1400 }, (_, i) => i),
  });
  assert.equal(a.send(echo), R.noReceiver);
  echo[23] = 1;
  echo.set([8, 0, 0, 0, 0x12, 0x34, 0, 1], 34);
  assert.equal(a.send(echo), R.answered);
  const reply = a.received[0] as Uint8Array;
  assert.deepEqual(
    [...reply.subarray(34, 36), ...reply.subarray(38, 42)],
    [0, 0, 0x12, 0x34, 0, 1],
  );
  assert.deepEqual(reply.subarray(42), echo.subarray(42));
  assert.equal(naiveChecksum(reply.subarray(34)), 0);
  assert.equal(naiveChecksum(reply.subarray(14, 34)), 0);
  assert.equal(formatIpv4(read32(reply, 30)), '10.0.0.10');
  assert.equal(b.received.length, 0);
});
