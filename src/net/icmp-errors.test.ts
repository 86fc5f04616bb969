import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { read16, read32 } from './bytes.ts';
import { readMac } from './ethernet.ts';
import { Frame } from './frame.ts';
import { IcmpErrors, mayBeFragmented } from './icmp-errors.ts';
import { formatIpv4, parseIpv4 } from './ipv4.ts';
import { formatIpv6, parseIpv6, readIpv6 } from './ipv6.ts';
import { buildPacket, frameBytes, macA, naiveChecksum } from './testing-packets.ts';

const source = {
  mac: 0x0afe_0102_0304,
  address: parseIpv4('10.0.0.1'),
  address6: parseIpv6('fe80::8fe:1ff:fe02:304'),
};
const errors = new IcmpErrors();

function about(bytes: Uint8Array, mtu = 1500): Uint8Array | null {
  const frame = new Frame();
  const reply = new Frame();
  frame.load(bytes, 0, bytes.length);
  frame.parse();
  return errors.tooBig(frame, source, mtu, reply) ? frameBytes(reply) : null;
}

const big = new Uint8Array(3000).fill(7);

test('an IPv4 packet that is too big is quoted in "fragmentation needed", from the router', () => {
  const sent = buildPacket({ protocol: 'udp', payload: big });
  const bytes = about(sent) as Uint8Array;
  assert.deepEqual([...bytes.subarray(0, 6)], macA);
  assert.deepEqual([readMac(bytes, 6), read16(bytes, 12)], [source.mac, 0x0800]);
  assert.deepEqual(
    [formatIpv4(read32(bytes, 26)), formatIpv4(read32(bytes, 30)), bytes[23]],
    ['10.0.0.1', '10.0.0.10', 1],
  );
  assert.deepEqual(
    [...bytes.subarray(34, 36), ...bytes.subarray(38, 42)],
    [3, 4, 0, 0, 0x05, 0xdc],
  );
  assert.equal(read16(bytes, 16), bytes.length - 14);
  assert.equal(naiveChecksum(bytes.subarray(14, 34)), 0);
  assert.equal(naiveChecksum(bytes.subarray(34)), 0);
  assert.deepEqual(bytes.subarray(42), sent.subarray(14, 256), 'the head of the packet');
  assert.ok(bytes.length - 14 <= 576, 'RFC 1812, 4.3.2.3');
});

test('an IPv6 packet that is too big is quoted in "packet too big"', () => {
  const sent = buildPacket({ version: 6, payload: big });
  const bytes = about(sent, 9001) as Uint8Array;
  assert.equal(read16(bytes, 12), 0x86dd);
  assert.equal(formatIpv6(readIpv6(bytes, 22)), 'fe80::8fe:1ff:fe02:304');
  assert.deepEqual(bytes.subarray(38, 54), sent.subarray(22, 38), 'to the sender');
  assert.deepEqual([...bytes.subarray(54, 56), read32(bytes, 58)], [2, 0, 9001]);
  const length = bytes.length - 54;
  assert.equal(read16(bytes, 18), length);
  const pseudo = [...bytes.subarray(22, 54), 0, 0, length >>> 8, length & 255, 0, 0, 0, 58];
  assert.equal(naiveChecksum([...pseudo, ...bytes.subarray(54)]), 0);
  assert.deepEqual(bytes.subarray(62), sent.subarray(14, 256));
});

test('a frame that is still to be cut up is quoted as its first segment', () => {
  for (const version of [4, 6] as const) {
    const bytes = buildPacket({ version, payload: big });
    const frame = new Frame();
    const reply = new Frame();
    const [lengthAt, quotedAt] = version === 4 ? [16, 42] : [18, 62];
    bytes.set([0, 0], lengthAt);
    frame.load(bytes, 0, bytes.length);
    frame.mss = 1460;
    frame.parse();
    assert.ok(errors.tooBig(frame, source, 1300, reply));
    const quoted = frameBytes(reply).subarray(quotedAt);
    assert.equal(read16(quoted, version === 4 ? 2 : 4), version === 4 ? 1500 : 1480);
    if (version === 4) assert.equal(naiveChecksum(quoted.subarray(0, 20)), 0);
  }
});

/** A packet with some of its bytes changed. */
const changed = (
  version: 4 | 6,
  ...changes: readonly [at: number, value: number][]
): Uint8Array => {
  const bytes = buildPacket({ version, protocol: 'udp', payload: big });
  for (const [at, value] of changes) bytes[at] = value;
  return bytes;
};

test('nothing is said about errors, later fragments, groups and senders without an address', () => {
  const silent: Record<string, Uint8Array> = {
    'an ICMP error': changed(4, [23, 1], [34, 3]),
    'an ICMP redirect': changed(4, [23, 1], [34, 5]),
    'a later fragment': changed(4, [20, 0x20], [21, 0x10]),
    'a broadcast frame': changed(4, [0, 0xff]),
    'a broadcast': changed(4, [30, 255], [31, 255], [32, 255], [33, 255]),
    'a multicast': changed(4, [30, 224]),
    'no source': changed(4, [26, 0], [27, 0], [28, 0], [29, 0]),
    'a multicast source': changed(4, [26, 239]),
    'a broken header': changed(4, [14, 0x41]),
    'an ICMPv6 error': changed(6, [20, 58], [54, 1]),
    'an ICMPv6 redirect': changed(6, [20, 58], [54, 137]),
    'no IPv6 source': changed(
      6,
      ...Array.from({ length: 16 }, (_, i) => [22 + i, 0] as [number, number]),
    ),
    'an IPv6 multicast source': changed(6, [22, 0xff]),
    'unknown headers': changed(6, [20, 0], [54, 60], [55, 255]),
  };
  for (const [what, bytes] of Object.entries(silent)) assert.equal(about(bytes), null, what);
  assert.ok(about(changed(4, [23, 1], [34, 8])), 'a ping is answered');
  assert.ok(about(changed(6, [20, 58], [54, 128])));
  assert.ok(about(changed(4, [20, 0x20])), 'and a first fragment');
});

seeded('whatever a frame says of itself, an error about it stays within its bounds', (random) => {
  const frame = new Frame();
  const reply = new Frame();
  let told = 0;
  for (let n = 0; n < 20_000; n++) {
    const version = random.oneIn(2) ? 4 : 6;
    const bytes = buildPacket({ version, payload: big.subarray(0, random.below(400)) });
    for (let i = random.below(4); i > 0; i--) bytes[random.below(80)] = random.next();
    frame.load(bytes, 0, random.oneIn(4) ? random.below(bytes.length) : bytes.length);
    frame.mss = random.oneIn(3) ? random.below(3000) : 0;
    frame.parse();
    if (!errors.tooBig(frame, source, 1500, reply)) continue;
    told++;
    assert.ok(reply.length > 42 && reply.length <= 14 + 40 + 8 + 256);
  }
  assert.ok(told > 5000);
});

test('only IPv4 without "don\'t fragment" may be fragmented', () => {
  const may = (bytes: Uint8Array): boolean => {
    const frame = new Frame();
    frame.load(bytes, 0, bytes.length);
    frame.parse();
    return mayBeFragmented(frame);
  };
  assert.deepEqual(
    [may(changed(4)), may(changed(4, [20, 0])), may(changed(6))],
    [false, true, false],
  );
});
