/** Low-latency queues whose headers lie in a ring of their own, beside the ring of descriptors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE, LLQ_ENTRY_SIZE, LLQ_HEADER, llqResp, setLlq } from '../../src/defs/ena-admin.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import { pair, type SimGuest, SimLab } from './ena-lab.ts';
import { packet, plainFrame } from './naive-packets.ts';

const driver = { placement: 'device', llqHeaders: 'ring' } as const;

/** What of the device's memory there is at an offset of BAR 2. */
const barBytes = (guest: SimGuest, at: number, length: number): Uint8Array | undefined =>
  guest.device.bars[1]?.memory?.bytes.slice(at, at + length);

test('the ring of headers is offered where the profile says, and no card of EC2 is known to', () => {
  for (const profile of enaProfiles) {
    const [, a] = pair({ device: { profile } });
    const offer = a.driver.commands.getFeature(FEATURE.LLQ, llqResp, 1);
    assert.equal(offer.header_location_supported, profile.llqHeaderLocations);
    const choose = (): void => {
      const command = setLlq.create();
      command.header_location_enabled = LLQ_HEADER.RING;
      command.entry_size_enabled = LLQ_ENTRY_SIZE.B128;
      a.driver.commands.setFeature(FEATURE.LLQ, command);
    };
    const isOffered = (profile.llqHeaderLocations & LLQ_HEADER.RING) !== 0;
    assert.equal(isOffered, ['permissive', 'large-receive'].includes(profile.name));
    if (isOffered) choose();
    else assert.throws(choose, /ILLEGAL_PARAMETER/);
    assert.deepEqual(
      a.refusals.map((line) => line.split(':')[0]),
      isOffered ? [] : ['ena/llq-choice'],
    );
  }
});

test('frames of every length come through, over many turns of both rings', () => {
  const [, a, b] = pair({ driver: { ...driver, txDepth: 64, rxDepth: 64 } });
  assert.equal(a.driver.tx[0]?.ring.shape.headerRing, true);
  for (let i = 0; i < 2000; i++) {
    const frame = plainFrame(a.mac, b.mac, 60 + ((i * 37) % 1455), i);
    assert.ok(a.send(frame), `frame ${i}`);
    assert.deepEqual(b.receive(), [frame]);
    a.driver.poll();
  }
  assert.deepEqual([...a.refusals, ...b.refusals], []);
});

test('descriptors have 16 bytes, and a header is where its first descriptor is in its own ring', () => {
  const [, a, b] = pair({ driver: { ...driver, txDepth: 64, rxDepth: 64 } });
  const descriptors = 64 * 16;
  const frames = [0, 1, 2].map((i) => plainFrame(a.mac, b.mac, 300, i));
  for (const frame of frames) assert.ok(a.driver.tx[0]?.send(frame, 0, frame.length));
  // The accelerated card wants a meta descriptor in each packet: two descriptors a frame.
  for (const [i, frame] of frames.entries()) {
    const header = barBytes(a, descriptors + 2 * i * 128, 128);
    assert.deepEqual(header, frame.subarray(0, 128));
  }
  a.driver.tx[0]?.kick();
  assert.deepEqual(b.receive(), frames);
});

test('a packet of many pieces has one header, and TSO finds its headers there', () => {
  const [, a, b] = pair({ driver: { ...driver, mtu: 1500, txBufferBytes: 512 } });
  const long = plainFrame(a.mac, b.mac, 1514, 5);
  assert.ok(a.send(long));
  assert.deepEqual(b.receive(), [long]);
  const payload = Uint8Array.from({ length: 4000 }, (_, i) => i);
  const frame = packet({ from: a.mac, to: b.mac, ip: 4, l4: 'tcp', payload });
  const tso = new TxOffload({
    ...{ l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'full' },
    ...{ mss: 1000, l3Length: 20, l4Length: 20 },
  });
  assert.ok(a.driver.tx[0]?.send(frame, 0, frame.length, tso));
  a.driver.tx[0]?.kick();
  const parts = b.receive();
  assert.equal(parts.length, 4);
  assert.deepEqual(Buffer.concat(parts.map((part) => part.subarray(54))), Buffer.from(payload));
  assert.deepEqual(a.refusals, []);
});

test('every size of header, the largest rings, and eight queues that do not touch each other', () => {
  for (const size of [LLQ_ENTRY_SIZE.B128, LLQ_ENTRY_SIZE.B192, LLQ_ENTRY_SIZE.B256]) {
    const [profile] = enaProfiles;
    assert.ok(profile?.llq);
    const [, a, b] = pair({
      device: { profile: { ...profile, llq: { ...profile.llq, entrySizeRecommended: size } } },
      driver: { ...driver, queuePairs: 8, txDepth: 1024, rxDepth: 256 },
      memoryBytes: 96 << 20,
    });
    const bytes = [0, 128, 192, 0, 256][size];
    const depth = bytes === 128 ? profile.llq.maxDepth : profile.llq.maxWideDepth;
    const frames = a.driver.tx.flatMap((tx, queue) => {
      assert.deepEqual([tx.ring.shape.headerBytes, tx.spec.depth], [bytes, depth]);
      return Array.from({ length: 10 }, (_, i) => {
        const frame = plainFrame(a.mac, b.mac, 700, 100 * queue + i);
        assert.ok(tx.send(frame, 0, frame.length));
        return frame;
      });
    });
    for (const tx of a.driver.tx) tx.kick();
    assert.deepEqual(b.receive(), frames);
    assert.deepEqual(a.refusals, []);
  }
});

test('rings that do not fit into the queue’s memory are refused', () => {
  const [profile] = enaProfiles;
  assert.ok(profile?.llq);
  const llq = { ...profile.llq, entrySizeRecommended: LLQ_ENTRY_SIZE.B256, maxWideDepth: 1024 };
  const a = new SimLab().add({ device: { profile: { ...profile, llq } }, driver });
  // 1024 times 16 bytes of descriptor and 256 of header are more than there is.
  assert.throws(() => a.driver.start(), /CREATE_SQ: ILLEGAL_PARAMETER/);
  assert.match(a.refusals.join(), /^ena\/sq-shape/);
});
