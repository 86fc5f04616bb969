import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ByteSink } from './file-sink.ts';
import { direction, PcapngWriter } from './pcapng.ts';

type Block = { type: number; body: DataView; options: Map<number, Uint8Array> };

/** Reads every block; checks lengths at both ends, padding and the end of options. */
function readBlocks(file: Uint8Array): Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const fixedBytes: Record<number, number> = { 168627466: 16, 1: 8, 5: 12, 6: 20 };
  const blocks: Block[] = [];
  for (let at = 0; at < file.length; ) {
    const type = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    assert.equal(length % 4, 0);
    assert.equal(view.getUint32(at + length - 4, true), length);
    const data = type === 6 ? (view.getUint32(at + 20, true) + 3) & ~3 : 0;
    const options = new Map<number, Uint8Array>();
    let o = at + 8 + (fixedBytes[type] as number) + data;
    for (; view.getUint16(o, true) !== 0; o += 4 + ((view.getUint16(o + 2, true) + 3) & ~3)) {
      const bytes = file.subarray(o + 4, o + 4 + view.getUint16(o + 2, true));
      options.set(view.getUint16(o, true), bytes);
    }
    assert.equal(o + 8, at + length, 'options end where the block does');
    blocks.push({ type, body: new DataView(file.buffer, file.byteOffset + at + 8), options });
    at += length;
  }
  return blocks;
}

const string = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value);

function put(w: PcapngWriter, id: number, timeNs: number, data: Uint8Array, comment = ''): void {
  const at = w.begin(id, timeNs, data.length, utf8(comment).length);
  if (at < 0) return;
  w.bytes.set(data.subarray(0, w.captured(data.length)), at);
  w.end(direction.inbound, utf8(comment));
}

/** Keeps what is written; says `done` only when told. */
class MemorySink implements ByteSink {
  parts: Uint8Array[] = [];
  pending: ((error: Error | null) => void)[] = [];
  write(bytes: Uint8Array, done: (error: Error | null) => void): void {
    this.parts.push(bytes.slice());
    this.pending.push(done);
  }
  writeNow(bytes: Uint8Array): void {
    this.parts.push(bytes.slice());
  }
  close(): void {}
  get file(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

test('a file that was written reads back: names, times, lengths, directions and comments', () => {
  const folder = mkdtempSync(join(tmpdir(), 'virtfn-pcapng-'));
  try {
    const path = join(folder, 'x.pcapng');
    const epochMs = Date.UTC(2026, 10, 23, 5, 30, 0, 123);
    const w = PcapngWriter.toFile(path, { epochMs });
    const a = w.addInterface({ name: 'a', description: '02:00', speedBps: 12.5e9 });
    const b = w.addInterface({ name: 'instance β' });
    put(w, a, 1_000_000_007, Uint8Array.of(1, 2, 3, 4, 5), 'delivered');
    put(w, b, 0, new Uint8Array(0));
    w.close();
    const [section, first, second, one, two, ...rest] = readBlocks(readFileSync(path));
    assert.ok(section && first && second && one && two);
    assert.equal(section.body.getUint32(0, true), 0x1a2b3c4d);
    assert.deepEqual(
      [string(first.options.get(2)), string(second.options.get(2))],
      ['a', 'instance β'],
    );
    assert.deepEqual(first.options.get(9), Buffer.of(9));
    assert.deepEqual(one.body.getUint32(0, true), a);
    const high = one.body.getUint32(4, true);
    const time = (BigInt(high) << 32n) | BigInt(one.body.getUint32(8, true));
    assert.equal(time, BigInt(epochMs) * 1_000_000n + 1_000_000_007n);
    assert.deepEqual([one.body.getUint32(12, true), one.body.getUint32(16, true)], [5, 5]);
    assert.deepEqual([one.body.getUint8(20), one.body.getUint8(24)], [1, 5]);
    assert.equal(string(one.options.get(1)), 'delivered');
    assert.deepEqual(one.options.get(2), Buffer.of(1, 0, 0, 0));
    assert.deepEqual([two.body.getUint32(0, true), two.options.has(1)], [b, false]);
    assert.deepEqual(
      rest.map((block) => block.type),
      [5, 5],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('told to drop, it drops and counts packets while both buffers are full', () => {
  const sink = new MemorySink();
  const w = new PcapngWriter(sink, { bufferBytes: 0, whenFull: 'drop' });
  const id = w.addInterface({ name: 'a' });
  const packet = new Uint8Array(10_000);
  for (let n = 0; n < 100; n++) put(w, id, n, packet);
  assert.ok(w.dropped > 0);
  assert.equal(sink.pending.length, 1, 'one write at a time');
  const before = w.dropped;
  sink.pending.pop()?.(null);
  put(w, id, 100, packet);
  assert.equal(w.dropped, before, 'there is room again');
  sink.pending.pop()?.(null);
  w.close();
  const blocks = readBlocks(sink.file);
  assert.equal(blocks.filter((block) => block.type === 6).length + before, 101);
  const dropped = blocks.at(-1)?.options.get(5);
  assert.equal(dropped?.[0], before & 255);
});

test('long packets are cut to the snap length and keep their true length', () => {
  const sink = new MemorySink();
  const w = new PcapngWriter(sink, { snapBytes: 96 });
  put(w, w.addInterface({ name: 'a' }), 0, new Uint8Array(1500).fill(9), 'cut');
  w.close();
  const packet = readBlocks(sink.file).find((block) => block.type === 6);
  assert.deepEqual(
    [packet?.body.getUint32(12, true), packet?.body.getUint32(16, true)],
    [96, 1500],
  );
});

test('a write that fails stops the capture, and close says why', () => {
  const sink = new MemorySink();
  const w = new PcapngWriter(sink);
  const id = w.addInterface({ name: 'a' });
  w.flush();
  sink.pending.pop()?.(new Error('disk full'));
  put(w, id, 0, new Uint8Array(60));
  assert.equal(w.dropped, 1);
  assert.throws(() => w.close(), /disk full/);
});

test('told to wait, it loses nothing, whichever of its writes ends first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'virtfn-pcapng-'));
  try {
    const path = join(folder, 'x.pcapng');
    const w = PcapngWriter.toFile(path, { bufferBytes: 0 });
    const id = w.addInterface({ name: 'a' });
    for (let n = 0; n < 800; n++) {
      put(w, id, n, new Uint8Array(1400).fill(n));
      if (n % 300 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    w.close();
    const packets = readBlocks(readFileSync(path)).filter((block) => block.type === 6);
    assert.deepEqual([packets.length, w.dropped], [800, 0]);
    assert.ok(
      packets.every((p, n) => p.body.getUint8(20) === (n & 255)),
      'in order',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what is under way when the writer is closed is in the file at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'virtfn-pcapng-'));
  try {
    const path = join(folder, 'x.pcapng');
    const w = PcapngWriter.toFile(path);
    const id = w.addInterface({ name: 'a' });
    for (let n = 0; n < 200; n++) put(w, id, n, new Uint8Array(1000).fill(n));
    w.flush();
    w.close();
    const packets = readBlocks(readFileSync(path)).filter((block) => block.type === 6);
    assert.equal(packets.length, 200 - w.dropped);
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
