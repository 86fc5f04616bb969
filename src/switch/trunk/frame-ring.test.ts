import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Prng } from '../../lib/prng.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { Frame, maxFrameBytes } from '../../net/frame.ts';
import { frameBytes, loadPieces } from '../../net/testing-packets.ts';
import { RingReader, RingWriter, ringHeadBytes } from './frame-ring.ts';

const capacity = 2 ** 18;

function makeRing(bytes = capacity) {
  const memory = new Uint8Array(ringHeadBytes + bytes);
  return { memory, writer: new RingWriter(memory), reader: new RingReader(memory) };
}

/** A frame of so many bytes that are all `n`. */
function frameOf(length: number, n: number, random: Prng): Frame {
  const frame = new Frame();
  const bytes = new Uint8Array(length).fill(n);
  loadPieces(frame, bytes, random.below(257), [random.below(200), random.below(3000)]);
  frame.l4Sum = random.below(3);
  frame.ipv4Sum = random.below(3);
  frame.mss = random.below(9000);
  frame.innerAt = random.below(200);
  return frame;
}

seeded(
  'frames come out as they went in, in order, in bursts of any size, through thousands of wraps',
  (random) => {
    const { writer, reader } = makeRing();
    const out = new Frame();
    const expected: unknown[] = [];
    let refused = 0;
    let taken = 0;
    for (let n = 0; n < 3000; n++) {
      const isFilling = (n & 256) === 0;
      if (random.below(8) < (isFilling ? 7 : 4)) {
        const length = random.oneIn(40) ? random.below(maxFrameBytes - 14) : random.below(1500);
        const frame = frameOf(14 + length, n, random);
        const [kind, to, from] = [random.below(4), random.below(65_536), random.below(65_536)];
        if (!writer.push(kind, to, from, frame)) refused++;
        else
          expected.push([
            ...[n & 255, frame.length, frame.headLength, kind, to, from],
            ...[frame.l4Sum, frame.ipv4Sum, frame.mss, frame.innerAt],
          ]);
        if (random.oneIn(8)) writer.publish();
      } else {
        for (
          let most = random.below(isFilling ? 2 : 9);
          most > 0 && reader.next(out);
          most--, taken++
        ) {
          const bytes = frameBytes(out);
          const facts = [out.l4Sum, out.ipv4Sum, out.mss, out.innerAt];
          const { kind, to, from } = reader;
          assert.deepEqual(
            [bytes[0], out.length, out.headLength, kind, to, from, ...facts],
            expected.shift(),
            `step ${n}`,
          );
          assert.ok(bytes.every((byte) => byte === bytes[0]));
        }
        if (random.oneIn(3)) reader.release();
      }
    }
    assert.ok(taken > 500 && refused > 0, `${taken} taken, ${refused} refused`);
    assert.equal(reader.broken, 0);
  },
);

test('what is not published is not seen, and what is not released is not overwritten', () => {
  const { writer, reader } = makeRing();
  const frame = new Frame();
  const out = new Frame();
  frame.load(new Uint8Array(60_000).fill(7), 0, 60_000);
  let pushed = 0;
  while (writer.push(0, 0, 0, frame)) pushed++;
  assert.equal(pushed, 4);
  assert.ok(!reader.next(out));
  writer.publish();
  for (let i = 0; i < pushed; i++) assert.ok(reader.next(out));
  assert.ok(!reader.next(out) && !writer.push(0, 0, 0, frame));
  assert.deepEqual(frameBytes(out), frameBytes(frame));
  reader.release();
  assert.ok(writer.push(0, 0, 0, frame));
});

test('a ring whose reader keeps up is used at its start only, and loses no room by that', () => {
  const { memory, writer, reader } = makeRing();
  const frame = new Frame();
  const out = new Frame();
  let sent = 0;
  let seen = 0;
  const send = (count: number): number => {
    for (let i = 0; i < count; i++) {
      frame.load(new Uint8Array(1000).fill(sent & 0xff), 0, 1000);
      if (!writer.push(0, 0, sent & 0xffff, frame)) return i;
      sent++;
    }
    writer.publish();
    return count;
  };
  const read = (): void => {
    while (reader.next(out)) {
      assert.equal(reader.from, seen & 0xffff);
      assert.equal(frameBytes(out)[999], seen++ & 0xff);
    }
    reader.release();
  };
  for (let i = 0; i < 500; i++, read()) assert.equal(send(32), 32);
  assert.equal(seen, 500 * 32);
  assert.ok(memory.subarray(ringHeadBytes + 128 * 1024).every((byte) => byte === 0));
  // From wherever it is: as much fits in as into a new one, whether the reader looked in between or not.
  for (let i = 0; i < 100; i++, read()) {
    send(1 + (i % 7));
    if ((i & 1) === 0) read();
    const room = send(1000);
    assert.ok(room >= capacity / 1024 - 12, `${room}`);
    writer.publish();
  }
  assert.equal(seen, sent);
  assert.equal(reader.broken, 0);
});

test('a reader that sleeps is woken once, and does not sleep while there is something to read', () => {
  const { writer, reader } = makeRing();
  const frame = new Frame();
  const out = new Frame();
  frame.load(new Uint8Array(60), 0, 60);
  const send = (): boolean => writer.push(0, 0, 0, frame) && writer.publish();
  assert.equal(send(), false, 'it is awake');
  assert.equal(reader.sleep(), false, 'a frame is there');
  assert.equal(send(), false, 'it stayed awake');
  while (reader.next(out));
  assert.equal(reader.sleep(), true);
  assert.equal(writer.publish(), false, 'nothing is new');
  assert.equal(send(), true);
  assert.equal(send(), false, 'it has been woken');
  while (reader.next(out));
  assert.equal(reader.sleep(), true);
  reader.wake();
  assert.equal(send(), false, 'it woke by itself');
});

test('places run over', () => {
  const memory = new Uint8Array(ringHeadBytes + capacity);
  const words = new Int32Array(memory.buffer);
  words[0] = words[32] = 0x7fff_ff00;
  const writer = new RingWriter(memory);
  const reader = new RingReader(memory);
  const frame = new Frame();
  const out = new Frame();
  frame.load(new Uint8Array(9000).fill(3), 0, 9000);
  for (let n = 0; n < 100; n++) {
    assert.ok(writer.push(1, n, 0, frame));
    writer.publish();
    assert.ok(reader.next(out) && reader.to === n && out.length === 9000);
    reader.release();
  }
  assert.ok(words[0] < 0);
});

seeded(
  'whatever stands in a ring, a reader sees frames within it or none, and comes to an end',
  (random) => {
    let broken = 0;
    for (let run = 0; run < 300; run++) {
      const { memory, writer, reader } = makeRing();
      const words = new Int32Array(memory.buffer);
      const frame = frameOf(14 + random.below(2000), run, random);
      for (let i = 0; i < 20; i++) writer.push(0, 0, 0, frame);
      writer.publish();
      for (let i = 0; i < 10; i++)
        words[(ringHeadBytes >> 2) + random.below(400) * 4] = random.oneIn(4) ? -1 : random.next();
      if (random.oneIn(3)) words[32] = random.next();
      const out = new Frame();
      let seen = 0;
      for (; seen < 20_000 && reader.next(out); seen++) {
        assert.ok(out.length <= maxFrameBytes && out.headLength <= 256, `run ${run}`);
        frameBytes(out);
      }
      assert.ok(seen < 20_000, `run ${run}`);
      broken += reader.broken;
    }
    assert.ok(broken > 0);
  },
);
