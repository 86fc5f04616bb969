import assert from 'node:assert/strict';
import { test } from 'node:test';
import { L3_PROTO, L4_PROTO } from '../../src/defs/ena-io.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import { Prng } from '../../src/lib/prng.ts';
import { write32 } from '../../src/net/bytes.ts';
import { parseIpv4 } from '../../src/net/ipv4.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { checksumsAreRight, etherBytes, naiveSum, packet, partsOf } from './naive-packets.ts';

const bytesOf = (prng: Prng, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => prng.below(256));

function send(guest: SimGuest, frame: Uint8Array, offload: TxOffload): void {
  const tx = guest.driver.tx[0];
  assert.ok(tx);
  assert.ok(tx.send(frame, 0, frame.length, offload));
  tx.kick();
  guest.driver.poll();
}

/** What a driver leaves in the L4 checksum field: junk, or the pseudo header's sum. */
function leaveChecksum(frame: Uint8Array, kind: 'full' | 'partial', withLength: boolean): void {
  const { ip, l3Length, protocol, l4 } = partsOf(frame);
  const addresses = frame.subarray(etherBytes + (ip === 4 ? 12 : 8), etherBytes + l3Length);
  const length = withLength ? frame.length - l4 : 0;
  const pseudo = [...addresses, length >>> 8, length & 255, 0, protocol];
  const value = kind === 'full' ? 0xbeef : naiveSum(pseudo);
  const at = l4 + (protocol === 6 ? 16 : 6);
  frame.set([value >>> 8, value & 255], at);
}

for (const ip of [4, 6] as const)
  for (const l4 of ['tcp', 'udp'] as const)
    for (const kind of ['full', 'partial'] as const)
      for (const placement of ['host', 'device'] as const)
        test(`${placement}: checksums of ${l4} over IPv${ip} are computed (${kind}), and the receiver is told`, () => {
          const [, a, b] = pair({ driver: { placement } });
          const prng = new Prng(ip);
          for (let length = 0; length < 1400; length += 1 + prng.below(80)) {
            const frame = packet({
              from: a.mac,
              to: b.mac,
              ip,
              l4,
              payload: bytesOf(prng, length),
            });
            const { l3Length, l4Header } = partsOf(frame);
            const expected = frame.slice();
            leaveChecksum(frame, kind, true);
            if (ip === 4) frame.set([0x12, 0x34], etherBytes + 10);
            const spec = { l3: ip === 4 ? 'ipv4' : 'ipv6', l4, l3Csum: ip === 4 } as const;
            const lengths = { l3Length, l4Length: l4Header };
            send(a, frame, new TxOffload({ ...spec, l4Csum: kind, ...lengths }));
            const rx = b.driver.rx[0];
            assert.ok(rx);
            assert.ok(rx.next());
            assert.equal(rx.l3Proto, ip === 4 ? L3_PROTO.ipv4 : L3_PROTO.ipv6);
            assert.equal(rx.l4Proto, L4_PROTO[l4]);
            assert.deepEqual([rx.l4CsumChecked, rx.l4CsumErr, rx.l3CsumErr], [true, false, false]);
            const got = new Uint8Array(rx.length);
            rx.copy(got, 0);
            assert.deepEqual(got, expected);
            assert.ok(checksumsAreRight(got));
          }
        });

test('a wrong checksum that nobody asked to repair is delivered, and reported as wrong', () => {
  const [, a, b] = pair();
  const rx = b.driver.rx[0];
  assert.ok(rx);
  const payload = bytesOf(new Prng(3), 99);
  const frame = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload });
  frame[80] = (frame[80] as number) ^ 1;
  a.send(frame);
  assert.ok(rx.next());
  assert.deepEqual([rx.l3CsumErr, rx.l4CsumChecked, rx.l4CsumErr], [false, true, true]);
  frame[80] = (frame[80] as number) ^ 1;
  frame[24] = (frame[24] as number) ^ 1;
  a.send(frame);
  assert.ok(rx.next());
  assert.deepEqual([rx.l3CsumErr, rx.l4CsumErr], [true, false]);
});

/** Checks the segments of one large packet and returns their payloads in order. */
function joinSegments(whole: Uint8Array, segments: Uint8Array[], mss: number): number[] {
  const { ip, l4, payload: start } = partsOf(whole);
  const sequence = new DataView(whole.buffer).getUint32(l4 + 4);
  const joined: number[] = [];
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    const view = new DataView(segment.buffer);
    const payload = segment.subarray(start);
    assert.ok(checksumsAreRight(segment), `segment ${i}`);
    assert.equal(view.getUint32(l4 + 4), sequence + joined.length);
    assert.equal(payload.length, isLast ? payload.length : mss);
    assert.ok(payload.length <= mss && payload.length > 0);
    if (ip === 4) assert.equal(view.getUint16(18), 7 + i, 'identification');
    const flags = segment[l4 + 13] as number;
    assert.equal((flags & 0x09) !== 0, isLast, 'FIN and PSH are the last one only');
    assert.equal((flags & 0x80) !== 0, i === 0, 'CWR is the first one only');
    assert.deepEqual(segment.subarray(0, etherBytes), whole.subarray(0, etherBytes));
    const options = (frame: Uint8Array) => [...frame.subarray(l4 + 20, start)];
    assert.deepEqual(options(segment), options(whole));
    joined.push(...payload);
  }
  return joined;
}

for (const ip of [4, 6] as const)
  for (const placement of ['host', 'device'] as const)
    test(`${placement}: TCP over IPv${ip} is segmented so that every segment is right by itself`, () => {
      const [, a, b] = pair({ driver: { placement, txBufferBytes: 4096 } });
      const prng = new Prng(10 + ip);
      const sizes = [1, 999, 1448, 1449, 10_000, 40_001, 65_000];
      for (const [i, size] of sizes.entries()) {
        const mss = [1428, 536, 1400][i % 3] as number;
        const tcpOptions = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        const payload = bytesOf(prng, size);
        const flags = 0x80 | 0x10 | 0x08 | 0x01;
        const whole = packet({ from: a.mac, to: b.mac, ip, l4: 'tcp', tcpOptions, flags, payload });
        leaveChecksum(whole, 'partial', false);
        const l3 = ip === 4 ? 'ipv4' : 'ipv6';
        const { l3Length, l4Header } = partsOf(whole);
        const lengths = { l3Length, l4Length: l4Header };
        const offload = { l3, l4: 'tcp', l3Csum: ip === 4, l4Csum: 'partial', mss } as const;
        send(a, whole, new TxOffload({ ...offload, ...lengths }));
        const segments = b.receive();
        assert.equal(segments.length, Math.ceil(size / mss));
        assert.deepEqual(joinSegments(whole, segments, mss), [...payload]);
      }
      assert.deepEqual([a.refusals, b.refusals], [[], []]);
    });

test('segment size and offsets last until another meta descriptor changes them', () => {
  const [, a, b] = pair();
  const prng = new Prng(4);
  const spec = { l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'partial' } as const;
  const made = [700, 1000].map(
    (mss) => new TxOffload({ ...spec, mss, l3Length: 20, l4Length: 20 }),
  );
  for (const which of [0, 0, 1, 1, 0, 1]) {
    const payload = bytesOf(prng, 1900);
    const whole = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', flags: 0x98, payload });
    leaveChecksum(whole, 'partial', false);
    send(a, whole, made[which] as TxOffload);
    const segments = b.receive();
    const mss = [700, 1000][which] as number;
    assert.deepEqual(joinSegments(whole, segments, mss), [...payload]);
  }
});

for (const [who, osType, frames] of [
  ["Linux's", 1, 1],
  ["DPDK's", 3, 2],
] as const)
  test(`64 KiB in pages with an skb_shared_info each are ${frames} for a driver like ${who}, in 18 or 16 buffers`, () => {
    const profile = enaProfiles.find((one) => one.name === 'large-receive');
    assert.ok(profile);
    const lab = new SimLab();
    const a = lab.add({ driver: { txBufferBytes: 4096 } });
    const rx = { osType, rxBufferBytes: 3712 };
    const b = lab.add({
      device: { profile },
      driver: rx,
      port: { address: parseIpv4('10.0.0.2') },
    });
    for (const guest of [a, b]) guest.driver.start();
    const mss = 1448;
    const payload = bytesOf(new Prng(9), 45 * mss);
    const whole = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', flags: 0x98, payload });
    write32(whole, etherBytes + 16, parseIpv4('10.0.0.2'));
    leaveChecksum(whole, 'partial', false);
    const { l3Length, l4Header, l4 } = partsOf(whole);
    const spec = { l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'partial', mss } as const;
    send(a, whole, new TxOffload({ ...spec, l3Length, l4Length: l4Header }));
    const got = b.receive();
    assert.equal(got.length, frames);
    const start = l4 + l4Header;
    for (const piece of got) assert.ok(checksumsAreRight(piece));
    assert.deepEqual(
      got.flatMap((piece) => [...piece.subarray(start)]),
      [...payload],
    );
    assert.deepEqual([a.refusals, b.refusals], [[], []]);
  });

for (const name of ['large-receive', 'permissive'])
  test(`${name}: segments for the guest itself stay together as the profile says, as far as its buffers go`, () => {
    const profile = enaProfiles.find((one) => one.name === name);
    assert.ok(profile);
    const lab = new SimLab();
    const driver = { txBufferBytes: 4096 };
    const a = lab.add({ driver });
    const b = lab.add({ device: { profile }, port: { address: parseIpv4('10.0.0.2') } });
    for (const guest of [a, b]) guest.driver.start();
    const payload = bytesOf(new Prng(8), 50_000);
    const mss = 1448;
    for (const to of ['10.0.0.2', '10.0.0.99']) {
      const whole = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', flags: 0x98, payload });
      write32(whole, etherBytes + 16, parseIpv4(to));
      leaveChecksum(whole, 'partial', false);
      const { l3Length, l4Header, l4 } = partsOf(whole);
      const spec = { l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'partial', mss } as const;
      send(a, whole, new TxOffload({ ...spec, l3Length, l4Length: l4Header }));
      const got = b.receive();
      const wire = Math.ceil(payload.length / mss);
      if (profile.largeReceive && to === '10.0.0.2') assert.ok(got.length < wire / 4);
      else assert.equal(got.length, wire);
      for (const piece of got) assert.ok(checksumsAreRight(piece));
      const start = l4 + l4Header;
      for (const piece of got.slice(0, -1)) assert.equal((piece.length - start) % mss, 0);
      assert.deepEqual(
        got.flatMap((piece) => [...piece.subarray(start)]),
        [...payload],
      );
    }
    assert.deepEqual([a.refusals, b.refusals], [[], []]);
  });
