/** The limit of fragments that a function may send, and the feature that lifts it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE, setFragBypass } from '../../src/defs/ena-admin.ts';
import { L3_PROTO, L4_PROTO } from '../../src/defs/ena-io.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { nsPerMs, nsPerSecond } from '../../src/lib/clock.ts';
import { pair, type SimGuest } from './ena-lab.ts';
import { packet } from './naive-packets.ts';

const driver = { txDepth: 32, rxDepth: 64 };

/** The first fragment of a packet, or a later one, or a whole packet. */
function make(
  a: SimGuest,
  b: SimGuest,
  ip: 4 | 6,
  what: 'first' | 'later' | 'whole',
  tag: boolean,
) {
  const payload = new Uint8Array(64);
  const frame = packet({ from: a.mac, to: b.mac, ip, l4: 'udp', payload });
  if (what !== 'whole' && ip === 4) frame.set(what === 'first' ? [0x20, 0] : [0, 8], 14 + 6);
  if (what !== 'whole' && ip === 6) frame[14 + 6] = 44;
  if (!tag) return frame;
  return Uint8Array.from([...frame.subarray(0, 12), 0x81, 0, 0, 5, ...frame.subarray(12)]);
}

/** How many of `count` frames leave the card. */
function sent(a: SimGuest, b: SimGuest, frame: Uint8Array, count: number): number {
  const before = a.device.stats.txPackets;
  for (let i = 0; i < count; i++) {
    assert.ok(a.send(frame));
    a.driver.poll();
    b.receive();
  }
  return a.device.stats.txPackets - before;
}

for (const profile of enaProfiles)
  test(`${profile.name}: fragments leave as many a second as the card lets them`, () => {
    const limit = profile.egressFragmentsPerSecond;
    const [lab, a, b] = pair({ driver, device: { profile } });
    const most = limit === 0 ? 1100 : limit;
    const isReal = /^(nitro-v|strict)/.test(profile.name);
    assert.equal(limit, isReal ? 1024 : 0);
    lab.clock.advance(nsPerSecond);
    const kinds = [4, 6].flatMap((ip) =>
      ['first', 'later'].flatMap((what) => [true, false].map((tag) => [ip, what, tag] as const)),
    );
    for (const [ip, what, tag] of kinds) {
      const frame = make(a, b, ip as 4 | 6, what as 'first' | 'later', tag);
      assert.equal(sent(a, b, frame, 1100), most, `IPv${ip} ${what} ${tag}`);
      assert.equal(sent(a, b, make(a, b, ip as 4 | 6, 'whole', tag), 20), 20, 'whole packets');
      lab.clock.advance(nsPerMs);
      assert.equal(sent(a, b, frame, 10), limit === 0 ? 10 : 0, 'the second is not over');
      lab.clock.advance(nsPerSecond);
    }
    const lost = limit === 0 ? 0 : kinds.length * (1110 - limit);
    assert.equal(a.driver.stats().txDrops, lost);
    assert.equal(a.driver.fault, null, 'what is dropped is completed, too');
    assert.deepEqual(a.refusals, []);
  });

test('a receiver is told of fragments and of tags', () => {
  const [, a, b] = pair({ driver });
  const tagged = (frame: Uint8Array): Uint8Array =>
    Uint8Array.from([...frame.subarray(0, 12), 0x88, 0xa8, 0, 7, ...frame.subarray(12)]);
  const seen = (frame: Uint8Array) => {
    assert.ok(a.send(frame));
    a.driver.poll();
    const [queue] = b.driver.rx;
    assert.ok(queue);
    assert.ok(queue.next());
    const { isFragment, vlanTags, l3Proto, l4Proto } = queue;
    queue.replenish();
    return [isFragment, vlanTags, l3Proto, l4Proto];
  };
  const { ipv4, ipv6 } = L3_PROTO;
  assert.deepEqual(seen(make(a, b, 4, 'whole', false)), [false, 0, ipv4, L4_PROTO.udp]);
  assert.deepEqual(seen(make(a, b, 4, 'whole', true)), [false, 1, ipv4, L4_PROTO.udp]);
  assert.deepEqual(seen(tagged(make(a, b, 6, 'whole', true))), [false, 2, ipv6, L4_PROTO.udp]);
  assert.deepEqual(seen(make(a, b, 4, 'first', true)), [true, 1, ipv4, L4_PROTO.unknown]);
  assert.deepEqual(seen(make(a, b, 4, 'later', false)), [true, 0, ipv4, L4_PROTO.unknown]);
});

test('FRAG_BYPASS lifts the limit where a card has it, until the next reset', () => {
  for (const profile of enaProfiles) {
    if (profile.egressFragmentsPerSecond === 0) continue;
    const [, a, b] = pair({ driver, device: { profile } });
    const frame = make(a, b, 4, 'first', false);
    const lift = (): void => {
      const command = Object.assign(setFragBypass.create(), { enable: 1 });
      a.driver.commands.setFeature(FEATURE.FRAG_BYPASS, command);
    };
    if (((profile.features >>> FEATURE.FRAG_BYPASS) & 1) === 0) {
      assert.throws(lift, /UNSUPPORTED_OPCODE/);
      continue;
    }
    lift();
    assert.equal(sent(a, b, frame, 2000), 2000);
    a.driver.start();
    assert.equal(sent(a, b, frame, 2000), 1024);
  }
});
