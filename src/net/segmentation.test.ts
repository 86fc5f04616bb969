import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { Frame } from './frame.ts';
import { verifySums } from './offload.ts';
import { R } from './reasons.ts';
import { minMss, Segmenter } from './segmentation.ts';
import { buildPacket, frameBytes, loadPieces, type PacketSpec } from './testing-packets.ts';

/** Every produced frame as bytes, in order. */
function segmentsOf(bytes: Uint8Array, mss: number, headBytes: number, pieces: number[]) {
  const frame = new Frame();
  loadPieces(frame, bytes, headBytes, pieces);
  frame.mss = mss;
  frame.parse();
  const segmenter = new Segmenter();
  assert.equal(segmenter.check(frame), R.delivered);
  segmenter.begin(frame);
  const out = new Frame();
  const all: Uint8Array[] = [];
  while (segmenter.next(out)) all.push(frameBytes(out));
  return all;
}

function parsed(bytes: Uint8Array): Frame {
  const frame = new Frame();
  loadPieces(frame, bytes, 256);
  frame.parse();
  return frame;
}

seeded('segments hold the payload in order, with right headers and right sums', (random) => {
  for (let n = 0; n < 40; n++) {
    const payload = Uint8Array.from({ length: random.below(20_000) }, () => random.next());
    const spec: PacketSpec = {
      version: random.pick([4, 6] as const),
      vlans: random.pick([[], [9]]),
      payload,
      tcpOptions: Array(random.below(10) * 4).fill(1),
      tcpFlags: 0x10 | 0x80 | 0x08 | 0x01,
      sequence: random.next(),
      identification: 0xfffe,
    };
    const mss = minMss + random.below(9000);
    const pieces = Array.from({ length: random.below(38) }, () => random.below(4000));
    const all = segmentsOf(buildPacket(spec), mss, 130 + random.below(127), pieces);
    assert.equal(all.length, Math.max(1, Math.ceil(payload.length / mss)));
    let at = 0;
    for (const [i, bytes] of all.entries()) {
      const { headers: h } = parsed(bytes);
      const part = bytes.subarray(h.payloadOffset);
      const last = i === all.length - 1;
      // Built anew from what is expected of it: equal to the last byte, checksums included.
      const expected = buildPacket({
        ...spec,
        payload: payload.subarray(at, at + mss),
        sequence: ((spec.sequence as number) + at) >>> 0,
        identification: (0xfffe + i) & 0xffff,
        tcpFlags: 0x10 | (i === 0 ? 0x80 : 0) | (last ? 0x09 : 0),
      });
      assert.deepEqual(bytes, expected, `case ${n}, segment ${i}`);
      at += part.length;
    }
    assert.equal(at, payload.length);
  }
});

test('whatever the sender left in the length and checksum fields is replaced', () => {
  const bytes = buildPacket({ payload: new Uint8Array(3000) });
  for (const i of [16, 17, 24, 25, 50, 51]) bytes[i] = 0xee;
  for (const segment of segmentsOf(bytes, 1448, 256, [])) {
    const frame = parsed(segment);
    verifySums(frame);
    assert.deepEqual([frame.ipv4Sum, frame.l4Sum], [1, 1]);
  }
});

test('the largest request is cut without copying payload', () => {
  const bytes = buildPacket({ payload: new Uint8Array(60_000).fill(7) });
  const frame = new Frame();
  loadPieces(frame, bytes, 54);
  frame.mss = 8960;
  frame.parse();
  const segmenter = new Segmenter();
  segmenter.begin(frame);
  const out = new Frame();
  while (segmenter.next(out)) {
    assert.equal(out.headLength, 54);
    assert.ok(out.segmentBytes[0] === bytes);
  }
});

test('what is not an unfragmented TCP packet with all headers in the head is refused', () => {
  const begin = (bytes: Uint8Array, mss: number, headBytes = 256): number => {
    const frame = new Frame();
    loadPieces(frame, bytes, headBytes);
    frame.mss = mss;
    frame.parse();
    return new Segmenter().check(frame);
  };
  const payload = new Uint8Array(3000);
  assert.equal(begin(buildPacket({ payload, protocol: 'udp' }), 1400), R.txBadOffload);
  assert.equal(begin(buildPacket({ payload }), minMss - 1), R.txBadOffload);
  assert.equal(begin(buildPacket({ payload }), 1448, 50), R.txBadOffload);
  const fragmented = buildPacket({ payload });
  fragmented[20] = 0x20;
  assert.equal(begin(fragmented, 1448), R.txBadOffload);
  const arp = new Uint8Array(60);
  assert.equal(begin(arp, 1448), R.txBadOffload);
  const huge = buildPacket({ payload: new Uint8Array(65_520) });
  assert.equal(begin(huge, 65_530), R.txBadOffload);
});

test('of a tunnelled packet the inner one is cut up, behind outer headers as they are', () => {
  const inner = { payload: Uint8Array.from({ length: 3000 }, (_, i) => i), sequence: 5 };
  const outer = buildPacket({ protocol: 'udp', payload: buildPacket(inner) });
  const innerAt = 14 + 20 + 8 + 14;
  const frame = new Frame();
  loadPieces(frame, outer, 200, [700, 700]);
  frame.mss = 1000;
  frame.innerAt = innerAt;
  frame.parse();
  const segmenter = new Segmenter();
  assert.equal(segmenter.check(frame), R.delivered);
  segmenter.begin(frame);
  const out = new Frame();
  const outerBytes = innerAt - 14;
  for (let i = 0; segmenter.next(out); i++) {
    const bytes = frameBytes(out);
    assert.deepEqual(bytes.subarray(0, outerBytes), outer.subarray(0, outerBytes));
    const expected = buildPacket({
      ...inner,
      payload: inner.payload.subarray(i * 1000, (i + 1) * 1000),
      sequence: 5 + i * 1000,
      identification: 7 + i,
    });
    assert.deepEqual(bytes.subarray(outerBytes), expected);
    assert.deepEqual([out.ipv4Sum, out.l4Sum], [0, 0], 'the outer sums are not known');
  }
  frame.innerAt = 300;
  assert.equal(segmenter.check(frame), R.txBadOffload, 'no headers in what was copied');
});
