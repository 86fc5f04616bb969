/** What an 82599 VF does to frames on their way out: checksums, segments, tags; inside tunnels too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TxOffload } from '../../src/drivers/ixgbevf/tx-queue.ts';
import { Prng } from '../../src/lib/prng.ts';
import { vfPair } from './ixgbevf-lab.ts';
import {
  checksumsAreRight,
  etherBytes,
  naiveSum,
  type PacketSpec,
  packet,
  partsOf,
  plainFrame,
} from './naive-packets.ts';

const bytesOf = (prng: Prng, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => prng.below(256));

/** Leaves the pseudo-header's sum in the L4 checksum's place, as drivers do. */
function leaveSum(frame: Uint8Array, start = 0, withLength = true): void {
  const { ip, l3Length, protocol, l4 } = partsOf(frame.subarray(start));
  const at = start + etherBytes + (ip === 4 ? 12 : 8);
  const addresses = frame.subarray(at, start + etherBytes + l3Length);
  const length = withLength ? frame.length - start - l4 : 0;
  const value = naiveSum([...addresses, length >>> 8, length & 255, 0, protocol]);
  frame.set([value >>> 8, value & 255], start + l4 + (protocol === 6 ? 16 : 6));
}

/** What a driver says of a frame's headers, which begin at `start`. */
function offloadOf(frame: Uint8Array, start = 0): TxOffload {
  const { ip, l3Length, protocol, l4Header } = partsOf(frame.subarray(start));
  return {
    ...{ macBytes: start + etherBytes, ipBytes: l3Length, l4Bytes: l4Header },
    ...{ isIpv6: ip === 6, l4Sum: protocol === 6 ? 'TCP' : 'UDP' },
  };
}

for (const ip of [4, 6] as const)
  for (const l4 of ['tcp', 'udp'] as const)
    test(`checksums of ${l4} over IPv${ip} are filled in, and the receiver is told that they are right`, () => {
      const [, a, b] = vfPair();
      const prng = new Prng(ip);
      for (let length = 0; length < 1400; length += 1 + prng.below(80)) {
        const frame = packet({ from: a.mac, to: b.mac, ip, l4, payload: bytesOf(prng, length) });
        const expected = frame.slice();
        leaveSum(frame);
        if (ip === 4) frame.set([0x12, 0x34], etherBytes + 10);
        assert.ok(a.send(frame, { offload: { ...offloadOf(frame), ipv4Sum: ip === 4 } }));
        const rx = b.driver.rx.find((queue) => queue.next());
        assert.ok(rx);
        assert.equal(rx.status & 0x60, ip === 4 ? 0x60 : 0x20, 'IPCS and L4I');
        assert.equal(rx.errors, 0);
        assert.equal(rx.packetType, (ip === 4 ? 1 : 4) | (l4 === 'tcp' ? 16 : 32));
        const got = new Uint8Array(rx.length);
        rx.copy(got, 0);
        assert.deepEqual(got, expected);
      }
      assert.deepEqual(a.refusals, []);
    });

test('wrong sums that nobody asked to repair arrive, and are told as wrong', () => {
  const [, a, b] = vfPair();
  const frame = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload: new Uint8Array(40) });
  const errors = (): number | undefined => {
    a.send(frame);
    const rx = b.driver.rx.find((queue) => queue.next());
    return rx?.errors;
  };
  frame[60] = 1;
  assert.equal(errors(), 1 << 10);
  frame[60] = 0;
  frame[24] = 0xff;
  assert.equal(errors(), 1 << 11);
});

test('an SCTP checksum is a CRC32c', () => {
  const [, a, b] = vfPair();
  // RFC 3720, B.4: 32 bytes of zeros have the CRC32c aa 36 91 8a, as it is sent.
  const frame = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'udp', payload: new Uint8Array(24) });
  frame[23] = 132;
  frame.fill(0, 34);
  const offload = { macBytes: 14, ipBytes: 20, l4Bytes: 12, ipv4Sum: true, l4Sum: 'SCTP' } as const;
  a.send(frame, { offload });
  const [got] = b.receive();
  assert.deepEqual(Array.from(got?.subarray(42, 46) ?? []), [0xaa, 0x36, 0x91, 0x8a]);
  const long = Uint8Array.from([...frame, ...new Uint8Array(400)]);
  long[60] = 9;
  a.send(long, { offload });
  const [more] = b.receive();
  assert.ok(more);
  assert.equal(crc32c([...more.subarray(34, 42), 0, 0, 0, 0, ...more.subarray(46)]), u32(more, 42));
});

const u32 = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** Bit by bit, as it is defined. */
function crc32c(bytes: readonly number[]): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** What segments have to look like: payload in order, every header right. */
function checkSegments(whole: Uint8Array, parts: readonly Uint8Array[], mss: number): void {
  const { l4, payload } = partsOf(whole);
  const sequence = u32be(whole, l4 + 4);
  let at = payload;
  for (const [i, part] of parts.entries()) {
    assert.ok(checksumsAreRight(part), `segment ${i}`);
    assert.equal(u32be(part, l4 + 4), sequence + at - payload);
    const bytes = part.subarray(payload);
    assert.deepEqual(bytes, whole.subarray(at, at + mss));
    at += bytes.length;
  }
  assert.equal(at, whole.length);
}

const u32be = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);

for (const ip of [4, 6] as const)
  test(`a large TCP packet over IPv${ip} is cut into segments, and each of them is counted`, () => {
    const [, a, b] = vfPair({ driver: { tx: { bufferBytes: 4096 } } });
    const spec: PacketSpec = {
      ...{ from: a.mac, to: b.mac, ip, l4: 'tcp' },
      payload: bytesOf(new Prng(ip), 30_000),
    };
    const whole = packet(spec);
    const frame = whole.slice();
    leaveSum(frame, 0, false);
    // Drivers leave the lengths zero: the device fills them in.
    frame.set([0, 0], ip === 4 ? 16 : 18);
    const offload = { ...offloadOf(frame), mss: 1448, ipv4Sum: ip === 4 };
    assert.ok(a.send(frame, { offload }));
    checkSegments(whole, b.receive(), 1448);
    const headers = partsOf(whole).payload;
    const octets = 30_000 + 21 * (headers + 4);
    const { registers } = a.driver;
    assert.deepEqual([registers.read('VFGPTC'), registers.read('VFGOTC_LSB')], [21, octets]);
    assert.deepEqual(a.refusals, []);
  });

test('tags go in on the way out and come off on the way in, in segments too', () => {
  const [, a, b] = vfPair();
  for (const guest of [a, b]) guest.driver.setVlan(5, true);
  const frame = plainFrame(a.mac, b.mac, 700, 3);
  a.send(frame, { vlan: 0x6005 });
  const rx = b.driver.rx[0];
  assert.ok(rx);
  assert.ok(rx.next());
  assert.equal(rx.vlan, 0x6005);
  assert.equal(rx.status & 8, 8, 'VP');
  const got = new Uint8Array(rx.length);
  rx.copy(got, 0);
  assert.deepEqual(got, frame);
  rx.replenish();
  const payload = bytesOf(new Prng(7), 5000);
  const whole = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload });
  const large = whole.slice();
  leaveSum(large, 0, false);
  a.send(large, { vlan: 5, offload: { ...offloadOf(large), mss: 1000, ipv4Sum: true } });
  checkSegments(whole, b.receive(), 1000);
});

test('without VME the tag stays where it was', () => {
  const [, a, b] = vfPair({ driver: { rx: { stripVlan: false } } });
  for (const guest of [a, b]) guest.driver.setVlan(9, true);
  const frame = plainFrame(a.mac, b.mac, 200, 3);
  a.send(frame, { vlan: 9 });
  const rx = b.driver.rx[0];
  assert.ok(rx);
  assert.ok(rx.next());
  const got = new Uint8Array(rx.length);
  rx.copy(got, 0);
  const tagged = [...frame.subarray(0, 12), 0x81, 0, 0, 9, ...frame.subarray(12)];
  assert.deepEqual(Array.from(got), tagged);
  assert.deepEqual([rx.status & 8, rx.vlan], [8, 0]);
});

test('of a tunnel the inner sums are filled in, and the inner packet is cut up', () => {
  const [, a, b] = vfPair({ driver: { mtu: 9001 } });
  const innerSpec = { from: 0x0200_0000_1111, to: 0x0200_0000_2222, l4: 'tcp' } as const;
  for (const ip of [4, 6] as const) {
    const inner = packet({ ...innerSpec, ip, payload: bytesOf(new Prng(3), 6000) });
    const outer = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'udp', payload: inner });
    const start = outer.length - inner.length;
    const frame = outer.slice();
    leaveSum(frame, start, true);
    const { macBytes, ipBytes } = offloadOf(frame, start);
    // One sum: everything before the inner L4 header counts as "IP header".
    const sum = { macBytes: 14, ipBytes: macBytes + ipBytes - 14, l4Sum: 'TCP' } as const;
    a.send(frame, { offload: sum });
    const [whole] = b.receive();
    assert.deepEqual(whole, outer);
    leaveSum(frame, start, false);
    a.send(frame, { offload: { ...offloadOf(frame, start), mss: 1000, ipv4Sum: ip === 4 } });
    const parts = b.receive();
    for (const part of parts)
      assert.deepEqual(part.subarray(0, start), outer.subarray(0, start), 'outer headers');
    checkSegments(
      inner,
      parts.map((part) => part.slice(start)),
      1000,
    );
  }
  assert.deepEqual(a.refusals, []);
});

test('legacy descriptors: a plain sum anywhere, a tag, frames over several', () => {
  const [, a, b] = vfPair({ driver: { tx: { bufferBytes: 256 } } });
  for (const guest of [a, b]) guest.driver.setVlan(3, true);
  const right = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'udp', payload: new Uint8Array(900) });
  const frame = right.slice();
  leaveSum(frame);
  a.send(frame, { legacy: true, sum: { from: 34, at: 40 }, vlan: 3 });
  const rx = b.driver.rx.find((queue) => queue.next());
  assert.ok(rx);
  assert.equal(rx.vlan, 3);
  const got = new Uint8Array(rx.length);
  rx.copy(got, 0);
  assert.deepEqual(got, right);
  a.send(plainFrame(a.mac, b.mac, 60, 1), { legacy: true });
  assert.equal(b.receive().length, 1);
  assert.equal(a.driver.tx[0]?.reap(), 2);
});

test('the head may be written to one place, in place of every descriptor', () => {
  const [, a, b] = vfPair();
  const tx = a.driver.tx[0];
  assert.ok(tx);
  tx.stop();
  tx.start({ writesHead: true });
  for (let i = 0; i < 3; i++) tx.send(plainFrame(a.mac, b.mac, 100, i), 0, 100);
  tx.kick();
  assert.equal(tx.reap(), 3);
  assert.equal(a.driver.registers.read('VFTDH'), 3);
  assert.equal(a.arena.words[tx.wordOf(0) + 3], a.arena.words[tx.wordOf(1) + 3]);
  assert.equal(b.receive().length, 3);
});
