import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../../lib/testing-seed.ts';
import { address6, buildPacket, type PacketSpec } from '../../net/testing-packets.ts';
import { keyWords, kind, Packet } from './packet.ts';
import { packetOf } from './testing-nics.ts';

const keyOf = (packet: Packet, outward: boolean): number[] => {
  const key = new Int32Array(keyWords);
  packet.writeKey(key, 3, outward);
  return [...key];
};

/** What an error quotes: the IP packet, cut off after `l4Bytes` of its L4 header. */
function quote(spec: PacketSpec, l4Bytes: number): Uint8Array {
  const header = spec.version === 6 ? 40 : 20;
  return buildPacket(spec).slice(14, 14 + header + l4Bytes);
}

const specs: PacketSpec[] = [
  {},
  { protocol: 'udp' },
  { version: 6, src: address6(1), dst: address6(2) },
  { version: 6, protocol: 'udp', src: address6(3), dst: address6(4) },
];

test('eight bytes of what an error quotes are enough to know its connection', () => {
  for (const spec of specs) {
    const version = spec.version ?? 4;
    const bytes = quote(spec, 8);
    const quoted = new Packet();
    assert.ok(quoted.readQuoted(bytes, 0, bytes.length, version));
    assert.deepEqual(keyOf(quoted, true), keyOf(packetOf(spec), true));
    assert.deepEqual(keyOf(quoted, false), keyOf(packetOf(spec), false));
    for (let short = 0; short < bytes.length; short++)
      assert.equal(quoted.readQuoted(bytes, 0, short, version), false, `${short} bytes`);
  }
});

test('a key is the same for what is sent and for its answer, and names who asked by ICMP', () => {
  const there = packetOf({ srcPort: 1, dstPort: 2 });
  const back = packetOf({ src: [10, 0, 0, 11], dst: [10, 0, 0, 10], srcPort: 2, dstPort: 1 });
  assert.deepEqual(keyOf(there, true), keyOf(back, false));
  assert.notDeepEqual(keyOf(there, true), keyOf(there, false));
  const quoted = new Packet();
  const icmp = (type: number): number[] => {
    const bytes = quote({ protocol: 'udp' }, 8);
    bytes[9] = 1;
    bytes.set([type, 0, 0, 0, 0, 7], 20);
    assert.ok(quoted.readQuoted(bytes, 0, bytes.length, 4));
    return keyOf(quoted, true);
  };
  const asked = icmp(8);
  const answered = icmp(0);
  assert.notDeepEqual(asked, answered, 'its own question is not the answer to another one');
  assert.deepEqual([quoted.kind, asked[2], answered[2]], [kind.answer, 7, 7]);
});

seeded('garbage that claims to be quoted is read within its bounds', (random) => {
  const quoted = new Packet();
  let read = 0;
  for (let n = 0; n < 20_000; n++) {
    const spec = random.pick(specs);
    const bytes = quote(spec, random.below(30));
    for (let i = random.below(3); i > 0; i--) bytes[random.below(bytes.length)] = random.next();
    if (quoted.readQuoted(bytes, 0, bytes.length, spec.version ?? 4)) {
      read++;
      assert.ok(quoted.kind <= kind.answer);
      assert.ok(Number.isInteger(quoted.srcPort) && quoted.srcPort <= 0xffff);
    }
  }
  assert.ok(read > 5000, `${read}`);
});
