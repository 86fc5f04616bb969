// What has to be cut up goes by the fast path as it goes by the TypeScript path: the same segments in
// the same buffers, kept together for the same receivers, refused for the same reasons.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { txDesc, txMetaDesc } from '../../src/defs/ena-io.ts';
import { enaProfiles } from '../../src/devices/ena/profile.ts';
import { addressHi, addressLo } from '../../src/drivers/dma-arena.ts';
import { Prng } from '../../src/lib/prng.ts';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { buildPacket } from '../../src/net/testing-packets.ts';
import { Allowance } from '../../src/switch/allowance/allowance.ts';
import { Switch } from '../../src/switch/switch.ts';
import { type Ends, largePacket, smallPacket } from './large-packets.ts';
import { type Descriptor, type Frame, play, same, Twins } from './twins.ts';

const guests = 3;
const profiles = enaProfiles.filter(({ name }) => ['permissive', 'large-receive'].includes(name));
let met = 0;

function endsOf(random: Prng, from: number): Ends {
  const to = random.oneIn(40) ? 200 : random.below(guests);
  return {
    srcMac: [2, 0, 0, 0, 0, random.oneIn(60) ? 77 : from + 1],
    dstMac: random.oneIn(60) ? Array<number>(6).fill(255) : [2, 0, 0, 0, 0, to + 1],
    src: [10, 0, 0, random.oneIn(60) ? 99 : from + 1],
    dst: [10, 0, 0, random.oneIn(20) ? 99 : to + 1],
  };
}

function randomFrame(random: Prng, from: number): Frame {
  const ends = endsOf(random, from);
  return random.oneIn(4) ? smallPacket(random, ends) : largePacket(random, ends);
}

/** Limits that are met in the middle of a burst. */
const tight = (random: Prng): Allowance =>
  new Allowance(
    {
      out: { baselineBps: 4e9, burstBps: random.pick([4e9, 9e9]), creditBits: 1e8 },
      in: { baselineBps: 5e9, burstBps: 5e9, creditBits: 0 },
      ...(random.oneIn(2) && { flowBps: 2e9 }),
      ...(random.oneIn(2) && { packetsPerSecond: 400_000 }),
    },
    0,
  );

function addTo(twins: Twins, random: Prng, i: number, isLimited: boolean): void {
  const profile = random.pick(profiles);
  const mtu = random.pick([1500, 1500, 9001]);
  const rxBufferBytes = random.pick([64, 512, 2048, 3712, 4096]);
  const osType = random.pick([1, 3]);
  const txBufferBytes = random.pick([197, 256, 2048]);
  const address = random.oneIn(4) ? {} : { address: 0x0a00_0001 + i };
  const spoofCheck = random.oneIn(2);
  const choice = random.next();
  twins.add(() => ({
    driver: {
      queuePairs: 2,
      rxDepth: 256,
      txDepth: 256,
      txBufferBytes,
      rxBufferBytes,
      mtu,
      osType,
    },
    device: { profile },
    port: {
      ...{ spoofCheck, ...address },
      ...(isLimited && { allowance: tight(new Prng(choice)) }),
    },
  }));
}

for (const switches of [1, 2])
  seededTimes(6, `packets to be cut up, on ${switches} switches`, (random) => {
    const twins = new Twins((clock) => new Switch({ clock }), switches);
    const isLimited = random.oneIn(3);
    for (let i = 0; i < guests; i++) addTo(twins, random, i, isLimited);
    play(twins, random, guests, (from) => randomFrame(random, from), 40);
    met += twins.fast.frames;
  });

// What a driver may write that is no driver.

const ends: Ends = {
  ...{ srcMac: [2, 0, 0, 0, 0, 1], dstMac: [2, 0, 0, 0, 0, 2] },
  ...{ src: [10, 0, 0, 1], dst: [10, 0, 0, 2] },
};
const bytes = buildPacket({ ...ends, payload: new Uint8Array(4000).fill(7) });

type DataFields = Partial<Omit<ReturnType<typeof txDesc.create>, 'view' | 'load' | 'store'>>;
type MetaFields = Partial<Omit<ReturnType<typeof txMetaDesc.create>, 'view' | 'load' | 'store'>>;

/** A data descriptor of bytes `from` .. `to` of the packet. */
const data =
  (from: number, to: number, fields: DataFields = {}): Descriptor =>
  (address, phase) => {
    const desc = txDesc.create();
    const words = new Int32Array(4);
    Object.assign(desc, { phase, length: to - from, comp_req: 1, tso_en: 1 });
    Object.assign(desc, { buff_addr_lo: addressLo(address + from), addr_hi: addressHi(address) });
    Object.assign(desc, fields);
    desc.store(words, 0);
    return [...words];
  };

const meta =
  (mss: number, fields: MetaFields = {}): Descriptor =>
  (_, phase) => {
    const desc = txMetaDesc.create();
    const words = new Int32Array(4);
    Object.assign(desc, { phase, meta_desc: 1, ext_valid: 1, eth_meta_type: 1, meta_store: 1 });
    Object.assign(desc, { first: 1, l3_hdr_len: 20, l3_hdr_off: 14, l4_hdr_len_in_words: 5 });
    Object.assign(desc, { mss_lo: mss & 0x3ff, mss_hi: mss >>> 10 }, fields);
    desc.store(words, 0);
    return [...words];
  };

const end = bytes.length;
const whole = data(0, end, { last: 1 });
const first = data(0, end, { first: 1, last: 1 });
const parts = (count: number): Descriptor[] =>
  Array.from({ length: count }, (_, i) =>
    data(i * 10, i === count - 1 ? end : i * 10 + 10, i === count - 1 ? { last: 1 } : {}),
  );
const good = [meta(1000), whole];

/** Each is sent between packets that are right. */
const hostile: readonly (readonly [what: string, ...packets: Descriptor[][]])[] = [
  ['nothing but what is right', [first], [first]],
  ['no segment size', [meta(0), whole]],
  ['segments of 47 bytes', [meta(47), whole]],
  ['segments of 48 bytes', [meta(48), whole]],
  ['segments longer than the MTU', [meta(4461), whole], [first]],
  ['segments as long as the MTU', [meta(4460), whole], [first]],
  ['segments longer than the packet', [meta(0x3fff), whole]],
  ['a meta descriptor that says nothing', [meta(0, { ext_valid: 0 }), whole], [first]],
  ['headers that are longer than they are', [meta(1000, { l4_hdr_len_in_words: 63 }), whole]],
  ['headers that are longer than the MTU', [meta(4300, { l3_hdr_len: 255 }), whole]],
  ['headers that are nowhere', [meta(1000, { l3_hdr_off: 255, l3_hdr_len: 0 }), whole]],
  ['reserved bits of a meta descriptor', [meta(1000, { reserved_w1: 3, comp_req: 1 }), whole]],
  ['a meta descriptor alone', [meta(500, { last: 1 })], [first]],
  ['two meta descriptors', [meta(500), meta(700, { first: 0 }), whole], [first]],
  ['a meta descriptor too late', [data(0, 60, { first: 1 }), meta(500, { first: 0 }), whole]],
  ['meta that is no first one', [meta(500, { first: 0 }), whole]],
  ['a first descriptor behind meta', [meta(500), first]],
  ['a meta descriptor and a plain packet', [meta(500), data(0, end, { last: 1, tso_en: 0 })]],
  ['19 buffers', [meta(500), ...parts(19)]],
  ['20 buffers', [meta(500), ...parts(20)]],
  ['a stale descriptor', [meta(500), data(0, 70), (at) => data(70, end, { last: 1 })(at, 0)]],
  ['an address of nobody', [meta(500), data(0, 70), data(70, end, { last: 1, addr_hi: 0xffff })]],
  [
    'a reserved bit in the middle',
    [meta(500), data(0, 70), data(70, end, { last: 1, reserved1: 1 })],
  ],
  [
    'a buffer of no bytes',
    [meta(500), data(0, 0), data(0, 66), data(9, 9), data(66, end, { last: 1 })],
  ],
  ['headers that end with the packet', [meta(500), data(0, 54, { last: 1 })]],
  ['half of the headers', [meta(500), data(0, 40, { last: 1 })]],
  ['less than an Ethernet header', [meta(500), data(0, 13, { last: 1 })]],
  [
    'no completion wanted',
    [meta(500), data(0, 66, { comp_req: 0 }), data(66, end, { comp_req: 0, last: 1 })],
  ],
  ['segments in name only', [meta(500), data(0, 66, { tso_en: 0 }), data(66, end, { last: 1 })]],
];

for (const [what, ...packets] of hostile)
  test(`${what}: both paths make the same of it`, () => {
    const twins = new Twins((clock) => new Switch({ clock }));
    for (let i = 0; i < 2; i++) twins.add(() => ({ driver: { mtu: 4500 } }));
    const all = [good, [first], [first], ...packets, [first], good, [first]];
    for (let turn = 0; turn < 2; turn++) {
      twins.put(0, all, bytes);
      same(twins.counts(), 'what was counted');
      same(twins.receive(1), 'what was received');
      same(twins.reap(0), 'what was sent');
    }
    assert.ok(twins.fast.frames > 0, 'what came before went the fast way');
  });

test('a packet of which the last descriptor comes later waits for it', () => {
  const twins = new Twins((clock) => new Switch({ clock }));
  for (let i = 0; i < 2; i++) twins.add(() => ({}));
  twins.put(0, [good, [first], [first], [meta(600), data(0, 66)]], bytes);
  same(twins.receive(1), 'what was received');
  twins.put(0, [[data(66, end, { last: 1 })], [first], [first], [first]], bytes);
  same(twins.receive(1), 'what was received then');
  same(twins.counts(), 'what was counted');
});

test('frames went the fast way', (t) => {
  t.diagnostic(`${met} frames`);
  assert.ok(met > 1000, `${met} frames`);
});
