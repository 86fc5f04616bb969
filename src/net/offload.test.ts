import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Prng } from '../lib/prng.ts';
import { seeded } from '../lib/testing-seed.ts';
import { pseudoHeaderSum } from './checksum.ts';
import { checksum, Frame } from './frame.ts';
import { finishOffload, finishPartial, sumVerdict, verifySums } from './offload.ts';
import { R } from './reasons.ts';
import { buildPacket, frameBytes, loadPieces, type PacketSpec } from './testing-packets.ts';

const randomBytes = (random: Prng, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => random.next());

function randomSpec(random: Prng, maxPayload: number): PacketSpec {
  return {
    version: random.pick([4, 6] as const),
    protocol: random.pick(['tcp', 'udp'] as const),
    vlans: random.pick([[], [5], [5, 6]]),
    payload: randomBytes(random, random.below(maxPayload)),
    tcpOptions: Array(random.below(4) * 4).fill(1),
  };
}

function randomPieces(random: Prng): number[] {
  return Array.from({ length: random.below(20) }, () => random.below(120));
}

const l4FieldOf = (frame: Frame): number =>
  frame.headers.l4Offset + (frame.headers.l4Protocol === 6 ? 16 : 6);

seeded('full and partial requests give the packet that its builder would have sent', (random) => {
  const frame = new Frame();
  for (let n = 0; n < 500; n++) {
    const spec = randomSpec(random, 1600);
    const right = buildPacket(spec);
    loadPieces(frame, right.slice(), 128 + random.below(128), randomPieces(random));
    frame.parse();
    const { head, headers: h } = frame;
    const partial = random.oneIn(2);
    const field = l4FieldOf(frame);
    const at = h.l3Offset + (h.ipVersion === 4 ? 12 : 8);
    const pseudo = pseudoHeaderSum(
      head,
      at,
      h.ipVersion === 4 ? 4 : 16,
      h.l4Protocol,
      h.ipEnd - h.l4Offset,
    );
    const before = partial ? pseudo : random.next() & 0xffff;
    head[field] = before >>> 8;
    head[field + 1] = before;
    frame.offload = partial ? checksum.l4Partial : checksum.l4;
    if (h.ipVersion === 4) {
      head[h.l3Offset + 10] = random.next();
      frame.offload |= checksum.ipv4;
    }
    assert.equal(finishOffload(frame), R.delivered);
    assert.deepEqual(frameBytes(frame), right, `case ${n}`);
    assert.equal(frame.l4Sum, sumVerdict.right);
    assert.equal(frame.offload, 0);
  }
});

test('a UDP checksum that comes out as zero is sent as ffff', () => {
  const packet = buildPacket({ protocol: 'udp', payload: Uint8Array.of(0, 0) });
  const sum = (packet[40] as number) * 256 + (packet[41] as number);
  // Adding the checksum itself to the payload brings the sum to ffff, its complement to 0.
  packet[42] = sum >>> 8;
  packet[43] = sum;
  const frame = new Frame();
  loadPieces(frame, packet, 256);
  frame.offload = checksum.l4;
  frame.parse();
  finishOffload(frame);
  assert.deepEqual([...frame.head.subarray(40, 42)], [0xff, 0xff]);
  frame.l4Sum = sumVerdict.unknown;
  verifySums(frame);
  assert.equal(frame.l4Sum, sumVerdict.right);
});

test('a request that does not fit the frame is refused', () => {
  const refused = (bytes: Uint8Array, offload: number, headBytes = 256): number => {
    const frame = new Frame();
    loadPieces(frame, bytes, headBytes);
    frame.offload = offload;
    frame.parse();
    return finishOffload(frame);
  };
  assert.equal(refused(buildPacket({ version: 6 }), checksum.ipv4), R.txBadOffload);
  const icmp = buildPacket({ protocol: 'udp' });
  icmp[23] = 1;
  assert.equal(refused(icmp, checksum.l4), R.txBadOffload);
  const fragmented = buildPacket();
  fragmented[20] = 0x20;
  assert.equal(refused(fragmented, checksum.l4Partial), R.txBadOffload);
  assert.equal(refused(buildPacket(), checksum.l4, 44), R.txBadOffload);
  const arp = new Uint8Array(60);
  arp[12] = 8;
  arp[13] = 6;
  assert.equal(refused(arp, checksum.l4), R.txBadOffload);
});

seeded('sums of received frames are judged; a flipped bit anywhere is found', (random) => {
  const frame = new Frame();
  for (let n = 0; n < 500; n++) {
    const spec = { ...randomSpec(random, 400), version: 4, vlans: [] } as const;
    const bytes = buildPacket(spec);
    loadPieces(frame, bytes, 60 + random.below(100), randomPieces(random));
    frame.parse();
    verifySums(frame);
    assert.deepEqual([frame.ipv4Sum, frame.l4Sum], [1, 1], `case ${n}`);
    const at = 34 + random.below(bytes.length - 34);
    if (at === 46 || (spec.protocol === 'udp' && (at === 40 || at === 41))) continue;
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
    loadPieces(frame, bytes, 60, randomPieces(random));
    frame.parse();
    verifySums(frame);
    assert.deepEqual([frame.ipv4Sum, frame.l4Sum], [1, 2], `byte ${at}`);
  }
});

test('no UDP checksum is unknown over IPv4 and wrong over IPv6', () => {
  const verdict = (version: 4 | 6): number => {
    const bytes = buildPacket({ version, protocol: 'udp' });
    const field = 14 + (version === 4 ? 20 : 40) + 6;
    bytes[field] = 0;
    bytes[field + 1] = 0;
    const frame = new Frame();
    loadPieces(frame, bytes, 256);
    frame.parse();
    verifySums(frame);
    return frame.l4Sum;
  };
  assert.equal(verdict(4), sumVerdict.unknown);
  assert.equal(verdict(6), sumVerdict.wrong);
});

test('a checksum is put where the sender says, and only into the head', () => {
  const frame = new Frame();
  const right = buildPacket({ protocol: 'udp', payload: new Uint8Array(301).fill(7) });
  const bytes = right.slice();
  const [start, at] = [34, 40];
  const pseudo = pseudoHeaderSum(right, 26, 4, 17, right.length - start);
  bytes.set([pseudo >>> 8, pseudo & 255], at);
  loadPieces(frame, bytes, 64, [100]);
  assert.ok(finishPartial(frame, start, at));
  assert.deepEqual(frameBytes(frame), right);
  assert.ok(!finishPartial(frame, start, 63), 'the field would leave the head');
  assert.ok(!finishPartial(frame, start, start - 2));
  assert.ok(!finishPartial(frame, right.length + 1, right.length + 1));
});
