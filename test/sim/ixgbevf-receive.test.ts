/** Where received frames go: buffers and header buffers of every kind, and what descriptors say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PSRTYPE } from '../../src/defs/ixgbevf-regs.ts';
import type { RxQueue } from '../../src/drivers/ixgbevf/rx-queue.ts';
import { type VfGuest, vfPair } from './ixgbevf-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

function next(guest: VfGuest): RxQueue {
  const queue = guest.driver.rx.find((one) => one.next());
  assert.ok(queue, 'nothing has arrived');
  return queue;
}

function joined(queue: RxQueue): Uint8Array {
  const bytes = new Uint8Array(queue.length);
  queue.copy(bytes, 0);
  return bytes;
}

test('a legacy queue describes frames in the older format', () => {
  const [, a, b] = vfPair({ driver: { mtu: 9001, rx: { descType: 'LEGACY' } } });
  b.driver.setVlan(5, true);
  a.driver.setVlan(5, true);
  for (const length of [60, 1514, 2048, 9014]) {
    const frame = plainFrame(a.mac, b.mac, length, length);
    a.send(frame, { vlan: 5 });
    const rx = next(b);
    assert.deepEqual(joined(rx), frame);
    assert.deepEqual([rx.status & 0xb, rx.vlan], [0xb, 5]);
  }
  const broken = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'udp', payload: new Uint8Array(9) });
  broken[24] = 0xff;
  broken[45] = 0xff;
  a.send(broken);
  assert.equal(next(b).errors, 0xc0, 'L4 and IP checksum errors');
});

test('buffers of every size hold frames of every length', () => {
  for (const kib of [1, 2, 3, 9, 16]) {
    const rx = { bufferBytes: kib * 1024, depth: 32 };
    const [, a, b] = vfPair({ driver: { mtu: 9001, rx } });
    for (const length of [60, 1023, 1024, 1025, 3072, 9014]) {
      const frame = plainFrame(a.mac, b.mac, length, length);
      a.send(frame);
      const queue = next(b);
      assert.equal(queue.pieces, Math.ceil(length / (kib * 1024)));
      assert.deepEqual(joined(queue), frame);
      queue.replenish();
    }
  }
});

/** What VFPSRTYPE says, of a packet of which kind, and how long its header is then. */
const all = PSRTYPE.TCP | PSRTYPE.UDP | PSRTYPE.IPV4 | PSRTYPE.IPV6 | PSRTYPE.L2;
const splits: [types: number, ip: 4 | 6, l4: 'tcp' | 'udp', header: number][] = [
  [all, 4, 'tcp', 54],
  [all, 4, 'udp', 42],
  [all, 6, 'tcp', 74],
  [all, 6, 'udp', 62],
  [PSRTYPE.IPV4, 4, 'tcp', 34],
  [PSRTYPE.IPV6, 6, 'udp', 54],
  [PSRTYPE.L2, 4, 'tcp', 14],
  [PSRTYPE.UDP | PSRTYPE.IPV6, 4, 'tcp', 0],
];

for (const [types, ip, l4, header] of splits)
  for (const descType of ['SPLIT', 'SPLIT_ALWAYS'] as const)
    test(`${descType}: ${l4} over IPv${ip}, types 0x${types.toString(16)}: a header of ${header} bytes`, () => {
      const [, a, b] = vfPair({ driver: { split: types, rx: { descType } } });
      const frame = packet({
        from: a.mac,
        to: b.mac,
        ip,
        l4,
        payload: new Uint8Array(500).fill(7),
      });
      a.send(frame);
      const rx = next(b);
      assert.deepEqual(joined(rx), frame);
      assert.equal(rx.isSplit, header > 0);
      const inHeader = header > 0 || descType === 'SPLIT' ? header : 256;
      assert.equal(rx.headerLength, inHeader);
      assert.equal(rx.lengths[0], inHeader > 0 ? inHeader : frame.length);
    });

test('a header that does not fit is flagged, and goes where the mode says', () => {
  for (const [descType, first] of [
    ['SPLIT', 574],
    ['SPLIT_ALWAYS', 64],
  ] as const) {
    const [, a, b] = vfPair({ driver: { split: all, rx: { descType, headerBytes: 64 } } });
    const frame = packet({
      ...{ from: a.mac, to: b.mac, ip: 6, l4: 'tcp' },
      payload: new Uint8Array(500),
    });
    a.send(frame);
    const rx = next(b);
    assert.deepEqual(joined(rx), frame);
    assert.deepEqual([rx.headerLength, rx.isSplit, rx.errors & 8], [74, true, 8]);
    assert.equal(rx.lengths[0], first);
  }
});

test('a split frame lies over several buffers, without its tag', () => {
  const rx = { descType: 'SPLIT', bufferBytes: 1024 } as const;
  const [, a, b] = vfPair({ driver: { mtu: 9001, split: all, rx } });
  for (const guest of [a, b]) guest.driver.setVlan(5, true);
  const payload = Uint8Array.from({ length: 5000 }, (_, i) => i);
  const frame = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'udp', payload });
  a.send(frame, { vlan: 5 });
  const queue = next(b);
  assert.deepEqual(joined(queue), frame);
  assert.deepEqual([queue.headerLength, queue.pieces, queue.vlan], [42, 6, 5]);
});

test('short frames fit into the header buffer alone', () => {
  const [, a, b] = vfPair({ driver: { split: 0, rx: { descType: 'SPLIT_ALWAYS' } } });
  const frame = plainFrame(a.mac, b.mac, 60, 1);
  a.send(frame);
  const rx = next(b);
  assert.deepEqual(joined(rx), frame);
  assert.deepEqual([rx.pieces, rx.headerLength, rx.isSplit], [1, 60, false]);
});

test('kinds of packets are told apart', () => {
  const [, a, b] = vfPair();
  const typeOf = (frame: Uint8Array): number => {
    a.send(frame);
    return next(b).packetType;
  };
  const spec = { from: a.mac, to: b.mac, payload: new Uint8Array(30) } as const;
  const tcp4 = packet({ ...spec, ip: 4, l4: 'tcp' });
  const udp6 = packet({ ...spec, ip: 6, l4: 'udp' });
  assert.equal(typeOf(plainFrame(a.mac, b.mac, 60, 1)), 0);
  assert.equal(typeOf(tcp4), 0x11);
  assert.equal(typeOf(udp6), 0x24);
  const sctp = tcp4.slice();
  sctp[23] = 132;
  assert.equal(typeOf(sctp), 0x41);
  const other = tcp4.slice();
  other[23] = 47;
  assert.equal(typeOf(other), 1);
  const fragment = tcp4.slice();
  fragment[20] = 0x20;
  assert.equal(typeOf(fragment), 1);
  const options = Uint8Array.from([...tcp4.subarray(0, 34), 1, 1, 1, 1, ...tcp4.subarray(34)]);
  options[14] = 0x46;
  options[17] = (options[17] as number) + 4;
  assert.equal(typeOf(options), 0x13);
  const extension = Uint8Array.from([
    ...udp6.subarray(0, 54),
    ...[17, 0, 1, 4, 0, 0, 0, 0],
    ...udp6.subarray(54),
  ]);
  extension[20] = 60;
  extension[19] = (extension[19] as number) + 8;
  assert.equal(typeOf(extension), 0x2c);
});
