import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CapturedPacket, CaptureError, readCapture } from './capture-reader.ts';
import type { ByteSink } from './file-sink.ts';
import { direction, PcapngWriter } from './pcapng.ts';
import { seeded } from './testing-seed.ts';

const seen = (file: Uint8Array) => {
  const packets: (Omit<CapturedPacket, 'bytes' | 'start'> & { data: number[] })[] = [];
  const summary = readCapture(
    (at, length) => file.slice(at, at + length),
    ({ bytes, start, ...packet }) =>
      packets.push({ ...packet, data: [...bytes.subarray(start, start + packet.captured)] }),
  );
  return { packets, summary };
};

/** Words of 32 bits in either byte order, or bytes as they are. */
function bytesOf(little: boolean, ...parts: (number | Uint8Array)[]): Uint8Array {
  const out: number[] = [];
  for (const part of parts) {
    if (typeof part !== 'number') out.push(...part);
    else {
      const word = [part >>> 24, (part >>> 16) & 255, (part >>> 8) & 255, part & 255];
      out.push(...(little ? word.reverse() : word));
    }
  }
  return Uint8Array.from(out);
}

const pcap = (little: boolean, magic: number, ...records: (number | Uint8Array)[]) =>
  bytesOf(little, magic, 0x0002_0004, 0, 0, 65_535, 1, ...records);

test('pcap of both byte orders, with micro- and nanoseconds', () => {
  for (const little of [true, false])
    for (const [magic, tick] of [
      [0xa1b2_c3d4, 1000],
      [0xa1b2_3c4d, 1],
    ] as const) {
      const data = Uint8Array.of(1, 2, 3);
      const file = pcap(
        little,
        magic,
        1_700_000_000,
        999,
        3,
        60,
        data,
        1_700_000_001,
        5,
        3,
        3,
        data,
      );
      const { packets, summary } = seen(file);
      assert.deepEqual(summary, { format: 'pcap', packets: 2, truncatedAt: null, outOfOrder: 0 });
      const [first, second] = packets;
      assert.deepEqual([first?.timeNs, first?.length, first?.data], [0, 60, [1, 2, 3]]);
      assert.equal(second?.timeNs, 1e9 - 994 * tick);
    }
});

class MemorySink implements ByteSink {
  readonly parts: Uint8Array[] = [];
  write(bytes: Uint8Array, done: (error: Error | null) => void): void {
    this.writeNow(bytes);
    done(null);
  }
  writeNow(bytes: Uint8Array): void {
    this.parts.push(bytes.slice());
  }
  close(): void {}
}

/** What our own writer writes. */
function written(): Uint8Array {
  const sink = new MemorySink();
  const writer = new PcapngWriter(sink, { epochMs: Date.UTC(2026, 10, 26) });
  const ids = ['a', 'b'].map((name) => writer.addInterface({ name }));
  for (let n = 0; n < 50; n++) {
    const id = ids[n & 1] as number;
    const at = writer.begin(id, n * 1001, 20 + n, 0);
    writer.bytes.fill(n, at, at + 20 + n);
    writer.end(n & 1 ? direction.inbound : direction.outbound, new Uint8Array(0));
  }
  writer.close();
  return Buffer.concat(sink.parts);
}

test('what our writer wrote: exact times, directions, every byte', () => {
  const { packets, summary } = seen(written());
  assert.equal(summary.format, 'pcapng');
  assert.equal(packets.length, 50);
  for (const [n, packet] of packets.entries()) {
    // The second interface's first packet is placed by whole doubles: within 256 ns.
    assert.ok(Math.abs(packet.timeNs - n * 1001) <= 256, `packet ${n} at ${packet.timeNs}`);
    assert.deepEqual(packet.data, Array(20 + n).fill(n));
    assert.deepEqual([packet.link, packet.direction], [1, n & 1 ? 1 : 2]);
  }
});

test('a file that was cut is read up to there, and says where', () => {
  const whole = written();
  const last = whole.length - 1;
  assert.equal(seen(whole.subarray(0, last)).packets.length, 50, 'the statistics are cut');
  const { packets, summary } = seen(whole.subarray(0, 1000));
  assert.ok(packets.length > 5 && packets.length < 20);
  assert.ok(summary.truncatedAt !== null && summary.truncatedAt < 1000);
});

test('what is no capture, or contradicts itself, is an error with its offset', () => {
  const refused = (file: Uint8Array, message: RegExp) =>
    assert.throws(() => seen(file), { name: 'CaptureError', message });
  refused(Uint8Array.of(1, 2), /too short for a capture \(offset 0\)/);
  refused(new Uint8Array(100), /neither pcap nor pcapng \(offset 0\)/);
  refused(Uint8Array.of(0x1f, 0x8b, 8, 0, 0), /gunzip/);
  refused(pcap(true, 0xa1b2_c3d4, 1, 1, 2 ** 31, 1), /a packet of 2147483648 bytes.*\(offset 24\)/);
  const section = [0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, -1, -1, 28];
  refused(bytesOf(true, 0x0a0d_0d0a, 28, 7, 1, 0, 0, 28), /without a byte order \(offset 0\)/);
  refused(bytesOf(true, ...section, 9, 13, 0, 0), /a block of 13 bytes \(offset 28\)/);
  refused(bytesOf(true, ...section, 9, 16, 0, 20), /two lengths of a block differ \(offset 28\)/);
  const packet = [6, 32, 3, 0, 0, 0, 0, 32];
  refused(bytesOf(true, ...section, ...packet), /interface 3, which there is not \(offset 28\)/);
  const port = [1, 20, 1, 0, 20];
  const long = [6, 32, 0, 0, 0, 99, 99, 32];
  refused(bytesOf(true, ...section, ...port, ...long), /99 bytes in a block that ends before/);
});

seeded('whatever is in the file, it ends, with packets of it or with an error', (random) => {
  const whole = written();
  for (let n = 0; n < 2000; n++) {
    const file = whole.slice(0, random.below(whole.length));
    for (let i = 1 + random.below(8); i > 0 && file.length > 0; i--)
      file[random.below(file.length)] = random.next();
    try {
      for (const packet of seen(file).packets)
        assert.equal(packet.data.length, packet.captured, `file ${n}`);
    } catch (error) {
      assert.ok(error instanceof CaptureError, `file ${n}: ${error}`);
    }
  }
});
