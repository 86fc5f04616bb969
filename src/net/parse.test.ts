import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../lib/testing-seed.ts';
import { Frame } from './frame.ts';
import { formatIpv4 } from './ipv4.ts';
import { fragment, Headers } from './parse.ts';
import { address6, buildPacket, loadPieces, type PacketSpec } from './testing-packets.ts';

function parsed(bytes: Uint8Array, headBytes = 256): Headers {
  const frame = new Frame();
  loadPieces(frame, bytes, headBytes);
  frame.parse();
  return frame.headers;
}

test('a TCP packet over IPv4 shows all of its headers', () => {
  const h = parsed(buildPacket({ tcpFlags: 0x12, tcpOptions: [2, 4, 5, 0xb4] }));
  assert.equal(h.etherType, 0x0800);
  assert.equal(h.vlan, -1);
  assert.equal(h.ipVersion, 4);
  assert.equal(formatIpv4(h.src), '10.0.0.10');
  assert.equal(formatIpv4(h.dst), '10.0.0.11');
  assert.deepEqual([h.l3Offset, h.l4Offset, h.payloadOffset, h.ipEnd], [14, 34, 58, 58]);
  assert.deepEqual([h.l4Protocol, h.srcPort, h.dstPort, h.tcpFlags], [6, 40_000, 5201, 0x12]);
  assert.deepEqual([h.dstMacHi, h.dstMacLo], [0x0200, 0x0b]);
  assert.equal(h.malformed, false);
});

test('two VLAN tags are stepped over, and the outer one is kept', () => {
  const h = parsed(buildPacket({ vlans: [0x2005, 7], protocol: 'udp' }));
  assert.deepEqual([h.vlan, h.etherType, h.l3Offset, h.dstPort], [0x2005, 0x0800, 22, 5201]);
});

test('IPv6 addresses are four words, and extension headers are walked', () => {
  const hopByHop = [44, 0, 1, 4, 0, 0, 0, 0];
  const atomic = [6, 0, 0, 0, 0, 0, 0, 1];
  const extensions = { first: 0, bytes: [...hopByHop, ...atomic] };
  const h = parsed(buildPacket({ version: 6, src: address6(1), dst: address6(2), extensions }));
  assert.deepEqual([h.ipVersion, h.l4Protocol, h.l4Offset, h.dstPort], [6, 6, 70, 5201]);
  assert.equal(h.src0 >>> 0, 0xfd00_0101);
  assert.equal(h.src >>> 0, 0x0101_0101);
  assert.equal(h.dst & 0xff, 2);
  assert.equal(h.fragment, fragment.none);
});

test('later fragments have a protocol, but no ports', () => {
  const bytes = buildPacket();
  bytes[20] = 0x20;
  assert.equal(parsed(bytes).fragment, fragment.first);
  assert.equal(parsed(bytes).srcPort, 40_000);
  bytes[20] = 0x00;
  bytes[21] = 0x10;
  const later = parsed(bytes);
  assert.deepEqual(
    [later.fragment, later.l4Protocol, later.l4Offset, later.srcPort],
    [fragment.later, 6, -1, 0],
  );
});

test('Ethernet padding is not part of the packet', () => {
  const packet = buildPacket({ protocol: 'udp', payload: Uint8Array.of(1) });
  const padded = new Uint8Array(60);
  padded.set(packet);
  assert.equal(parsed(padded).ipEnd, 43);
});

test('lengths that contradict the frame are malformed, unless the frame is still to be cut', () => {
  const bytes = buildPacket({ payload: new Uint8Array(100) });
  bytes[16] = 0xff;
  assert.equal(parsed(bytes).malformed, true);
  assert.equal(parsed(bytes).ipVersion, 0);
  const h = new Headers();
  h.parse(new DataView(bytes.buffer), bytes.length, bytes.length, true);
  assert.deepEqual([h.malformed, h.ipEnd, h.payloadOffset], [false, bytes.length, 54]);
});

test('a head that ends inside a header gives no field of that header', () => {
  const bytes = buildPacket({ payload: new Uint8Array(100) });
  const short = parsed(bytes, 50);
  assert.deepEqual([short.ipVersion, short.l4Protocol, short.l4Offset], [4, 6, -1]);
  assert.equal(parsed(bytes, 33).ipVersion, 0);
  assert.equal(parsed(bytes, 13).malformed, true);
  const options = buildPacket({ tcpOptions: Array(20).fill(1) });
  assert.deepEqual([parsed(options, 60).srcPort, parsed(options, 60).payloadOffset], [40_000, -1]);
});

seeded('nothing past the head is ever read, and garbage never throws', (random) => {
  const specs: PacketSpec[] = [
    {},
    { version: 6 },
    { protocol: 'udp', vlans: [5] },
    { version: 6, vlans: [1, 2] },
    {
      version: 6,
      extensions: { first: 0, bytes: [43, 0, 0, 0, 0, 0, 0, 0, 6, 1, ...Array(14).fill(0)] },
    },
  ];
  for (let n = 0; n < 5000; n++) {
    const bytes = buildPacket({ ...random.pick(specs), payload: new Uint8Array(20) });
    for (let i = random.below(4); i > 0; i--) bytes[12 + random.below(60)] = random.next();
    const limit = random.below(bytes.length + 1);
    const h = new Headers();
    // A view of exactly the head: one byte more would be a RangeError.
    const parse = () =>
      h.parse(new DataView(bytes.buffer, 0, limit), limit, bytes.length, random.oneIn(4));
    assert.doesNotThrow(parse, `a head of ${limit}`);
    assert.ok(h.l4Offset <= limit && h.payloadOffset <= limit && h.ipEnd <= bytes.length);
  }
});
