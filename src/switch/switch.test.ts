import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond, VirtualClock } from '../lib/clock.ts';
import { Prng } from '../lib/prng.ts';
import { writeArp } from '../net/arp.ts';
import { formatMac, parseMac } from '../net/ethernet.ts';
import { checksum, Frame } from '../net/frame.ts';
import { parseIpv4, writeIpv4 } from '../net/ipv4.ts';
import { R, reasonNames } from '../net/reasons.ts';
import { buildPacket } from '../net/testing-packets.ts';
import type { Delivery } from './forwarder.ts';
import type { PortOptions, SwitchPort } from './port.ts';
import { notMine } from './responder.ts';
import { Switch } from './switch.ts';
import { TestEndpoint } from './testing-endpoint.ts';

const mac = (n: number): number[] => [2, 0, 0, 0, 0, n];
const macNumber = (n: number): number => parseMac(formatMac(0x02_00_00_00_00_00 + n));
const packet = (from: number, to: number | readonly number[], payloadBytes = 10): Uint8Array =>
  buildPacket({
    srcMac: mac(from),
    dstMac: typeof to === 'number' ? mac(to) : to,
    payload: new Uint8Array(payloadBytes).fill(from),
  });
const broadcast = Array(6).fill(255);

/** A switch with `count` ports that own MACs 1, 2, .. (or, with `owned` false, none). */
function lab(count: number, owned = true, options: Partial<PortOptions> = {}) {
  const clock = new VirtualClock();
  const fabric = new Switch({ clock });
  const ends = Array.from({ length: count }, (_, i) => {
    const own = owned ? { mac: macNumber(i + 1) } : {};
    return new TestEndpoint(fabric.addPort({ name: `p${i + 1}`, ...own, ...options }));
  });
  return { clock, fabric, ends: ends as [TestEndpoint, TestEndpoint, TestEndpoint] };
}
const counts = (ends: readonly TestEndpoint[]): number[] => ends.map((e) => e.received.length);

test('a frame for an owned MAC goes to its owner alone, byte for byte', () => {
  const { ends } = lab(3);
  const bytes = packet(1, 2, 1000);
  assert.equal(ends[0].send(bytes), R.delivered);
  assert.deepEqual(counts(ends), [0, 1, 0]);
  assert.deepEqual(ends[1].received[0], bytes);
});

test('broadcast, multicast and unknown addresses go to everybody but the sender', () => {
  const { ends } = lab(4);
  for (const to of [broadcast, [1, 0, 0x5e, 0, 0, 1], mac(99)])
    assert.equal(ends[1].send(packet(2, to)), R.delivered);
  assert.deepEqual(counts(ends), [3, 0, 3, 3]);
});

test('a foreign source is learned, moves with its port, and is forgotten with age', () => {
  const { clock, ends } = lab(3, false);
  ends[0].send(packet(77, 99));
  assert.deepEqual(counts(ends), [0, 1, 1]);
  ends[1].send(packet(5, 77));
  assert.deepEqual(counts(ends), [1, 1, 1], 'learned behind the first port');
  ends[2].send(packet(77, 5));
  ends[1].send(packet(5, 77));
  assert.deepEqual(counts(ends), [1, 2, 2], 'moved behind the third port');
  clock.advance(301 * nsPerSecond);
  ends[1].send(packet(5, 77));
  assert.deepEqual(counts(ends), [2, 2, 3], 'too old: flooded');
});

test("nobody can take over an owner's MAC by sending from it", () => {
  const { ends } = lab(3);
  ends[2].send(packet(2, 1));
  ends[0].send(packet(1, 2));
  assert.deepEqual(counts(ends), [1, 1, 0]);
});

test('with the source check on, foreign sources are dropped and counted', () => {
  const { ends } = lab(2, true, { spoofCheck: true });
  assert.equal(ends[0].send(packet(9, 2)), R.spoofedSource);
  assert.equal(ends[0].send(packet(1, 2)), R.delivered);
  assert.deepEqual(counts(ends), [0, 1]);
  assert.equal(ends[0].port.counters.get('tx_spoofedSource'), 1);
});

test('a port may take another address, and further ones; nobody else can have them', () => {
  const { ends } = lab(3, true, { spoofCheck: true });
  const [a, b, c] = ends;
  assert.ok(a.port.addMac(macNumber(9)));
  assert.ok(!b.port.addMac(macNumber(9)));
  assert.ok(!b.port.setMac(macNumber(1)));
  assert.equal(a.send(packet(9, 2)), R.delivered);
  assert.equal(b.send(packet(2, 9)), R.delivered);
  assert.ok(b.port.setMac(macNumber(7)));
  assert.equal(b.send(packet(2, 1)), R.spoofedSource, 'its old address is foreign to it now');
  assert.equal(a.send(packet(1, 7)), R.delivered);
  a.port.removeMac(macNumber(9));
  assert.equal(a.send(packet(9, 3)), R.spoofedSource);
  assert.ok(b.port.setMac(null));
  assert.ok(c.port.setMac(macNumber(7)), 'an address that was given up is free');
  assert.deepEqual(counts(ends), [1, 2, 0]);
});

test('with an address given, other IPv4 and ARP sources are dropped; none at all is not', () => {
  const address = parseIpv4('10.0.0.10');
  const { ends } = lab(2, true, { spoofCheck: true, address });
  ends[1].port.spoofCheck = false;
  const ip = (source: string): Uint8Array => {
    const bytes = packet(1, 2, 40);
    writeIpv4(bytes, 14, 40, 17, parseIpv4(source), parseIpv4('10.0.0.11'));
    bytes.set([0x08, 0x00], 12);
    return bytes;
  };
  const arp = (source: string): Uint8Array => {
    const bytes = packet(1, 2, 28);
    writeArp(bytes, 14, 1, macNumber(1), parseIpv4(source), 0, parseIpv4('10.0.0.11'));
    bytes.set([0x08, 0x06], 12);
    return bytes;
  };
  for (const make of [ip, arp]) {
    assert.equal(ends[0].send(make('10.0.0.10')), R.delivered);
    assert.equal(ends[0].send(make('0.0.0.0')), R.delivered);
    assert.equal(ends[0].send(make('10.0.0.12')), R.spoofedSource);
  }
});

test('a hundred thousand random sources fill a bounded table, and owners stay reachable', () => {
  const { ends } = lab(3);
  const random = new Prng(7);
  const frame = new Frame();
  const bytes = packet(1, 2);
  frame.load(bytes, 0, bytes.length);
  ends[1].refusal = R.rxDisabled;
  for (let n = 0; n < 100_000; n++) {
    frame.head[8] = random.next();
    frame.head[9] = random.next();
    frame.head[10] = random.next();
    ends[0].port.transmit(frame);
  }
  ends[1].refusal = null;
  ends[2].send(packet(3, 2));
  assert.deepEqual(counts(ends), [0, 1, 0]);
});

test('frames wait for buffers in order, new ones behind old ones, and come with drain', () => {
  const { ends } = lab(2);
  ends[1].buffers = 2;
  const verdicts = [10, 11, 12, 13].map((n) => ends[0].send(packet(1, 2, n)));
  assert.deepEqual(verdicts, [R.delivered, R.delivered, R.queued, R.queued]);
  ends[1].buffers = 1;
  assert.equal(ends[0].send(packet(1, 2, 14)), R.queued, 'stalled until drain');
  ends[1].port.drain(0);
  assert.equal(ends[1].received.length, 3);
  ends[1].buffers = Infinity;
  const flushes = ends[1].flushes;
  ends[1].port.drain(0);
  assert.equal(ends[1].flushes, flushes + 1, 'drained frames are flushed, once');
  assert.equal(ends[0].send(packet(1, 2, 15)), R.delivered);
  const sizes = ends[1].received.map((b) => b.length - 54);
  assert.deepEqual(sizes, [10, 11, 12, 13, 14, 15]);
  assert.equal(ends[1].port.counters.get('rx_frames'), 6);
});

test('a full queue drops the newest, and says so at the receiver', () => {
  const { ends } = lab(2, true, { queueBytes: 0 });
  ends[1].buffers = 0;
  const verdicts = Array.from({ length: 9 }, () => ends[0].send(packet(1, 2, 9000)));
  assert.deepEqual(new Set(verdicts), new Set([R.queued, R.queueFull]));
  const dropped = verdicts.filter((v) => v === R.queueFull).length;
  assert.equal(ends[1].port.counters.get('rx_queueFull'), dropped);
  ends[1].port.connect(null);
  assert.equal(ends[1].port.counters.get('rx_noReceiver'), 9 - dropped);
});

test('every refusal has its reason, on the side that refused', () => {
  const { ends } = lab(2);
  const [a, b] = ends;
  assert.equal(a.send(new Uint8Array(13)), R.runt);
  assert.equal(a.send(packet(1, 2, 9500)), R.txTooLong);
  assert.equal(a.send(packet(1, 1)), R.reflected);
  assert.equal(a.send(packet(1, 2), checksum.ipv4 | 0), R.delivered);
  assert.equal(a.send(new Uint8Array(60), checksum.l4), R.txBadOffload);
  assert.equal(a.send(buildPacket({ protocol: 'udp' }), 0, 1400), R.txBadOffload);
  b.refusal = R.rxTooLong;
  assert.equal(a.send(packet(1, 2)), R.rxTooLong);
  b.port.setLink(false);
  assert.equal(a.send(packet(1, 2)), R.linkDown);
  assert.equal(b.send(packet(2, 1)), R.linkDown);
  b.port.setLink(true);
  b.port.connect(null);
  assert.equal(a.send(packet(1, 2)), R.noReceiver);
  assert.deepEqual(a.port.counters.snapshot(), {
    tx_frames: 9,
    tx_bytes: 13 + 9554 + 64 * 5 + 60 + 42,
    tx_runt: 1,
    tx_txTooLong: 1,
    tx_reflected: 1,
    tx_txBadOffload: 2,
  });
  const { rx_rxTooLong, rx_linkDown, rx_noReceiver, tx_linkDown } = b.port.counters.snapshot();
  assert.deepEqual([rx_rxTooLong, rx_linkDown, rx_noReceiver, tx_linkDown], [1, 1, 1, 1]);
  assert.equal(reasonNames.length, new Set(reasonNames).size);
});

test('a large TCP frame arrives as wire frames with known-good sums', () => {
  const { ends } = lab(2);
  const payload = Uint8Array.from({ length: 10_000 }, (_, i) => i);
  const bytes = buildPacket({ srcMac: mac(1), dstMac: mac(2), payload });
  assert.equal(ends[0].send(bytes, checksum.l4 | checksum.ipv4, 1448), R.delivered);
  assert.equal(ends[1].received.length, 7);
  assert.deepEqual(
    Buffer.concat(ends[1].received.map((b) => b.subarray(54))),
    Buffer.from(payload),
  );
  assert.deepEqual(new Set(ends[1].sums.map(String)), new Set(['1,1']));
  assert.equal(ends[0].port.counters.get('tx_frames'), 7);
  assert.equal(ends[1].flushes, 1);
});

test('only ports that were given frames are flushed, once per burst', () => {
  const { ends } = lab(3);
  const bytes = packet(1, 2);
  const frame = new Frame();
  for (let n = 0; n < 5; n++) {
    frame.load(bytes, 0, bytes.length);
    ends[0].port.transmit(frame);
  }
  ends[0].port.flush();
  ends[0].port.flush();
  assert.deepEqual(
    ends.map((e) => e.flushes),
    [0, 1, 0],
  );
});

test('endpoints that answer from flush() talk to the end, without nesting', () => {
  const { ends } = lab(2);
  let left = 100;
  let depth = 0;
  for (const [i, end] of ends.entries())
    end.onFlush = () => {
      assert.equal(depth++, 0);
      if (left-- > 0) end.send(packet(i + 1, 2 - i));
      depth--;
    };
  ends[0].send(packet(1, 2));
  assert.deepEqual(counts(ends), [50, 51]);
});

test('an endpoint that transmits from receive() is a bug, and said to be one', () => {
  const { ends } = lab(2);
  ends[1].receive = () => ends[1].send(packet(2, 1));
  assert.throws(() => ends[0].send(packet(1, 2)), /from within receive/);
});

test('the network itself answers into the burst of the one who asked', () => {
  const { fabric, ends } = lab(3);
  const answer = packet(50, 1);
  fabric.addResponder({
    respond: (request, reply) => {
      if (request.headers.dstMacLo !== 51) return notMine;
      reply.load(answer, 0, answer.length);
      return R.answered;
    },
  });
  ends[0].buffers = 0;
  assert.equal(ends[0].send(packet(1, 51)), R.answered);
  assert.deepEqual(counts(ends), [0, 0, 0]);
  ends[0].buffers = 1;
  ends[0].port.drain(0);
  assert.deepEqual(ends[0].received[0], answer);
  assert.equal(ends[0].send(packet(1, 52)), R.delivered, 'not its business: flooded');
});

test('taps see what was sent, offered, made to wait and delivered later', () => {
  const { fabric, ends } = lab(3);
  const seen: string[] = [];
  const tap = {
    sent: (_: Frame, port: { name: string }, verdict: number) =>
      seen.push(`${port.name} sent ${reasonNames[verdict]}`),
    offered: (_: Frame, to: { name: string }, from: { name: string } | null, verdict: number) =>
      seen.push(`${from?.name} > ${to.name} ${reasonNames[verdict]}`),
  };
  fabric.addTap(tap);
  ends[1].buffers = 0;
  ends[0].send(packet(1, broadcast));
  ends[1].buffers = 1;
  ends[1].port.drain(0);
  fabric.removeTap(tap);
  ends[0].send(packet(1, 2));
  assert.deepEqual(seen, [
    'p1 > p2 queued',
    'p1 > p3 delivered',
    'p1 sent delivered',
    'p1 > p2 delivered',
  ]);
});

test('ports come and go: a removed one takes its MACs along and leaves its counts', () => {
  const { fabric, ends } = lab(3);
  ends[2].send(packet(88, 1));
  fabric.removePort(ends[2].port);
  ends[0].send(packet(1, 3));
  assert.deepEqual(counts(ends), [1, 1, 0]);
  assert.equal(fabric.totals().get('tx_frames'), 2);
  assert.throws(() => fabric.addPort({ name: 'x', mac: macNumber(1) }), /belongs to another/);
  const again = new TestEndpoint(fabric.addPort({ name: 'p3', mac: macNumber(3) }));
  assert.equal(again.port.index, 2);
  ends[0].send(packet(1, 3));
  assert.equal(again.received.length, 1);
});

test("what comes from outside is counted as itself, whatever a guest's last frame was", () => {
  let delivery: Delivery | null = null;
  const fabric = new Switch({
    clock: new VirtualClock(),
    forwarder: (given) => {
      delivery = given;
      const forward = (from: SwitchPort): number => given.refuse(from, R.noRoute);
      return { rule: null, forward, portAdded() {}, portRemoved() {} };
    },
  });
  const port = fabric.addPort({ name: 'a' });
  const frame = new Frame();
  const bytes = packet(1, 2, 5000);
  frame.load(bytes, 0, bytes.length);
  frame.mss = 1000;
  assert.equal(port.transmit(frame), R.noRoute);
  assert.equal(port.counters.get('tx_noRoute'), 5);
  assert.ok(delivery !== null);
  (delivery as Delivery).refuseAt(port, frame, null, R.aclInDenied);
  assert.equal(port.counters.get('rx_aclInDenied'), 1);
});

test('a fabric port has its own address space: the same MAC may be an Ethernet port too', () => {
  const { fabric, ends } = lab(2);
  const fabricEnd = (n: number, more: Partial<PortOptions> = {}): TestEndpoint =>
    new TestEndpoint(
      fabric.addPort({ name: `f${n}`, mac: macNumber(n), fabric: true, spoofCheck: true, ...more }),
    );
  const [a, b] = [fabricEnd(1), fabricEnd(2)];
  assert.throws(() => fabricEnd(2), /belongs to another port/);
  assert.equal(ends[0].send(packet(1, 2)), R.delivered);
  assert.equal(ends[0].send(packet(1, broadcast)), R.delivered);
  assert.deepEqual(counts([...ends, a, b]), [0, 2, 0, 0], 'Ethernet stays on Ethernet');
  assert.equal(a.send(packet(1, 2)), R.delivered);
  assert.equal(a.send(packet(1, 9)), R.noReceiver);
  assert.equal(a.send(packet(1, broadcast)), R.noReceiver);
  assert.equal(a.send(packet(7, 2)), R.spoofedSource);
  assert.deepEqual(counts([...ends, a, b]), [0, 2, 0, 1], 'and the fabric on the fabric');
});
