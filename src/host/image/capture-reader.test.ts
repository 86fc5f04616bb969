import assert from 'node:assert/strict';
import { test } from 'node:test';
import { direction, PcapngWriter } from '../../lib/pcapng.ts';
import { readCapture } from './capture-reader.ts';

/** An IPv4 frame with this in it. */
function frame(protocol: number, from: number, to: number, l4: Buffer): Buffer {
  const bytes = Buffer.alloc(34 + l4.length);
  bytes.writeUInt16BE(0x0800, 12);
  bytes[14] = 0x45;
  bytes.writeUInt16BE(20 + l4.length, 16);
  bytes[23] = protocol;
  bytes.writeUInt32BE(from, 26);
  bytes.writeUInt32BE(to, 30);
  l4.copy(bytes, 34);
  return bytes;
}

function dhcp(fromPort: number, toPort: number, type: number, leased = 0): Buffer {
  const bytes = Buffer.alloc(8 + 300);
  bytes.writeUInt16BE(fromPort, 0);
  bytes.writeUInt16BE(toPort, 2);
  bytes.writeUInt32BE(leased, 8 + 16);
  bytes.set([0, 53, 1, type, 255], 8 + 240);
  return bytes;
}

function tcp(flags: number, options: number[], payload = ''): Buffer {
  const header = Buffer.alloc(20 + options.length);
  header[12] = (header.length / 4) << 4;
  header[13] = flags;
  header.set(options, 20);
  return Buffer.concat([header, Buffer.from(payload)]);
}

const ADDRESS = 0x0a00000a;
const METADATA = 0xa9fea9fe;
const story = [
  frame(17, 0, 0xffffffff, dhcp(68, 67, 3)),
  frame(17, 0x0a000001, ADDRESS, dhcp(67, 68, 5, ADDRESS)),
  frame(6, ADDRESS, METADATA, tcp(2, [1, 1, 1, 1, 2, 4, 0x23, 0x01])),
  frame(6, METADATA, ADDRESS, tcp(18, [])),
  frame(6, ADDRESS, METADATA, tcp(24, [], 'GET / HTTP/1.1\r\n\r\n')),
  frame(6, METADATA, ADDRESS, tcp(24, [], 'HTTP/1.1 200 OK\r\n\r\n')),
];

function capture(frames: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  const keep = (bytes: Uint8Array): void => void parts.push(Buffer.from(bytes));
  const write = (bytes: Uint8Array, done: (error: Error | null) => void): void => {
    keep(bytes);
    done(null);
  };
  const writer = new PcapngWriter({ write, writeNow: keep, close: () => {} });
  const port = writer.addInterface({ name: 'card' });
  for (const bytes of frames) {
    const at = writer.begin(port, 0, bytes.length, 0);
    writer.bytes.set(bytes, at);
    writer.end(direction.outbound, new Uint8Array(0));
  }
  writer.close();
  return Buffer.concat(parts);
}

test('a lease, its use, the metadata and the MTU are seen in the frames', () => {
  assert.deepEqual(readCapture(capture(story)), {
    dhcpAsked: true,
    leased: '10.0.0.10',
    usesLease: true,
    metadataAsked: true,
    metadataStatus: 200,
    mtu: 9001,
  });
});

test('an offer is no lease, and a lease that nobody uses is not used', () => {
  const [asks, acknowledges] = story;
  const offer = frame(17, 0x0a000001, ADDRESS, dhcp(67, 68, 2, ADDRESS));
  assert.ok(asks && acknowledges);
  assert.equal(readCapture(capture([asks, offer])).leased, null);
  assert.equal(readCapture(capture([asks, acknowledges])).usesLease, false);
});

test('a capture that is cut anywhere, or noise, is read as far as it goes', () => {
  const whole = capture(story);
  for (let end = 0; end < whole.length; end += 13) readCapture(whole.subarray(0, end));
  for (let at = 0; at < whole.length; at += 7) {
    const changed = Buffer.from(whole);
    changed[at] = 0xff;
    readCapture(changed);
  }
});
