// The fast path carries what it carries exactly as the TypeScript path would have: every byte, length,
// status, hash, completion, interrupt and counter, whatever is sent, in whatever order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { permissive } from '../../src/devices/ena/profile.ts';
import { noOffload, TxOffload, type TxOffloadSpec } from '../../src/drivers/ena/tx-offload.ts';
import { nsPerSecond } from '../../src/lib/clock.ts';
import { Prng } from '../../src/lib/prng.ts';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { parseMac } from '../../src/net/ethernet.ts';
import { buildPacket } from '../../src/net/testing-packets.ts';
import { Allowance } from '../../src/switch/allowance/allowance.ts';
import { Switch } from '../../src/switch/switch.ts';
import type { Packet } from '../../src/vpc/evaluate-packet.ts';
import { Region } from '../../src/vpc/region.ts';
import { frameOf } from '../vpc-frames.ts';
import { type Frame, play, same, Twins } from './twins.ts';
import { randomPacket, randomPause, type Sent } from './vpc-packets.ts';
import { changed, randomModel } from './vpc-worlds.ts';

/** Sums that the card is asked for; a meta descriptor comes before the first of a kind. */
const sums = (['none', 'full', 'partial'] as const).flatMap((l4Csum) =>
  [true, false].flatMap((l3Csum) =>
    (['tcp', 'udp'] as const).map((l4): TxOffloadSpec => {
      const l4Length = l4 === 'tcp' ? 20 : 8;
      return { l3: 'ipv4', l4, l3Csum, l4Csum, l3Length: 20, l4Length };
    }),
  ),
);
const offloads = sums.map((spec) => ({ spec, offload: new TxOffload(spec) }));
const tso = new TxOffload({
  ...{ l3: 'ipv4', l4: 'tcp', l3Csum: true, l4Csum: 'full', mss: 700, l3Length: 20, l4Length: 20 },
});

const macOf = (guest: number): number[] => [2, 0, 0, 0, 0, guest + 1];
const guests = 3;
let met = 0;

/** Mostly what the fast path takes, and everything else in between. */
function randomFrame(random: Prng, from: number): Frame {
  const to = random.oneIn(40) ? 200 : random.below(guests);
  const protocol = random.pick(['tcp', 'udp'] as const);
  const length = random.pick([0, 1, 18, 22, 86, 87, 130, 600, 1400, 1472, random.below(1480)]);
  const bytes = buildPacket({
    ...{ protocol, dstMac: random.oneIn(60) ? Array(6).fill(255) : macOf(to) },
    srcMac: random.oneIn(60) ? macOf(77) : macOf(from),
    ...{ src: [10, 0, 0, from + 1], dst: [10, 0, 0, to + 1] },
    ...{ srcPort: random.below(65_536), dstPort: random.below(65_536) },
    payload: Uint8Array.from({ length: Math.min(length, 1446) }, () => random.below(256)),
    ...(random.oneIn(30) && { version: 6, src: Array(16).fill(1), dst: Array(16).fill(2) }),
    ...(random.oneIn(30) && { vlans: [5] }),
    ...(random.oneIn(10) && { tcpOptions: [1, 1, 1, 1, 1, 1, 1, 1] }),
  });
  if (random.oneIn(20)) bytes[14 + random.below(bytes.length - 14)] = random.below(256);
  // UDP without a sum.
  if (protocol === 'udp' && random.oneIn(3)) bytes.fill(0, 40, 42);
  if (random.oneIn(30))
    return { bytes: bytes.subarray(0, 14 + random.below(30)), offload: noOffload };
  if (!random.oneIn(3)) return { bytes, offload: noOffload };
  const fitting = offloads.filter(({ spec }) => spec.l4 === protocol || random.oneIn(10));
  if (protocol === 'tcp' && random.oneIn(8)) return { bytes, offload: tso };
  return { bytes, offload: random.pick(fitting).offload };
}

function addTo(twins: Twins, random: Prng, i: number, rxBufferBytes: number): void {
  const rxDepth = random.pick([64, 256]);
  const spoofCheck = random.oneIn(2);
  const txBufferBytes = random.pick([197, 256, 2048]);
  twins.add(() => ({
    driver: { queuePairs: 2, rxDepth, txDepth: 256, txBufferBytes, rxBufferBytes },
    device: { profile: permissive },
    port: { spoofCheck, address: 0x0a00_0001 + i },
  }));
}

for (const switches of [1, 2])
  seededTimes(6, `an Ethernet of three guests on ${switches} switches`, (random) =>
    playEthernet(random, switches),
  );

function playEthernet(random: Prng, switches: number): void {
  const twins = new Twins((clock) => new Switch({ clock }), switches);
  const rxBufferBytes = random.pick([64, 512, 2048]);
  for (let i = 0; i < guests; i++) addTo(twins, random, i, rxBufferBytes);
  play(twins, random, guests, (from) => randomFrame(random, from), 60);
}

const none = new Uint8Array(0);

/** A later packet of a flow: neither opens nor ends anything. */
const goingOn = (packet: Packet): Packet =>
  packet.protocol === 6 ? { ...packet, tcpFlags: 0x10 } : packet;

/** Limits that are met now and then. */
const tight = (random: Prng, now: number): Allowance =>
  new Allowance(
    {
      out: { baselineBps: 2e8, burstBps: random.pick([2e8, 1e9]), creditBits: 1e7 },
      in: { baselineBps: 3e8, burstBps: 3e8, creditBits: 0 },
      ...(random.oneIn(2) && { flowBps: 1e8 }),
      ...(random.oneIn(2) && { packetsPerSecond: 40_000 }),
    },
    now,
  );

for (const switches of [1, 2])
  seededTimes(
    6,
    `random VPCs on ${switches} switches, and changes of their rules`,
    (random, seed) => playVpc(random, seed, switches),
  );

function playVpc(random: Prng, seed: number, switches: number): void {
  const model = randomModel(random);
  const regions: Region[] = [];
  const twins = new Twins((clock, arena) => {
    const limits = { flows: 256, connections: 8192, fragments: 1024 };
    const region = new Region({ clock, model, seed, ...limits, ...(arena && { arena }) });
    regions.push(region);
    return region.network;
  }, switches);
  const names = model.interfaces.map(({ id }) => id);
  const limited = random.oneIn(3);
  const choice = random.next();
  for (const { mac } of model.interfaces)
    twins.add(() => ({
      driver: { queuePairs: 1, rxDepth: 256, txDepth: 256 },
      device: { profile: permissive },
      mac: parseMac(mac),
      ...(limited && { port: { allowance: tight(new Prng(choice), 0) } }),
    }));
  const recent: Sent[] = [];
  let current = model;
  for (let step = 0; step < 150; step++) {
    if (random.oneIn(24)) {
      current = changed(random, current, model);
      for (const region of regions) region.update(current);
    }
    if (random.oneIn(5)) twins.advance(randomPause(random) * nsPerSecond);
    const present = recent.filter(({ packet }) => names.includes(packet.from));
    const packets = [...present.slice(0, 6).map(({ packet }) => packet)];
    packets.push(randomPacket(random, current, present));
    const [{ from } = { from: '' }] = [random.pick(packets)];
    const guest = names.indexOf(from);
    if (guest < 0) continue;
    const own = packets.filter((packet) => packet.from === from);
    const frames = Array.from({ length: 1 + random.below(30) }, () => {
      // Mostly one flow that goes on: that is what the fast path is for.
      const packet = random.oneIn(4) ? random.pick(own) : goingOn(own[0] as Packet);
      const bytes = frameOf(model, packet);
      const isLarge = packet.protocol === 6 && random.oneIn(8);
      const most = isLarge ? 12_000 : 1200;
      const noise = random.oneIn(3) || isLarge ? new Uint8Array(random.below(most)) : none;
      const frame = Buffer.concat([bytes, noise]);
      if (isLarge) return { bytes: frame, offload: tso, pieces: [54, frame.length - 54] };
      return { bytes: frame, offload: random.oneIn(40) ? tso : noOffload };
    });
    same(twins.send(guest, frames), `step ${step}: room in the ring`);
    for (const [to, name] of names.entries()) {
      const received = twins.receive(to);
      same(received, `step ${step}: what ${name} received`);
      const packet = own.at(-1);
      if (received[0] !== '' && packet !== undefined) recent.unshift({ packet, deliveredTo: name });
    }
    recent.splice(24);
    same(twins.reap(guest), `step ${step}: what ${from} has sent`);
    same(twins.counts(), `step ${step}: what was counted`);
    same(
      [0, switches].map((first) =>
        regions
          .slice(first, first + switches)
          .reduce((sum, { router }) => sum + router.trackedConnections(), 0),
      ),
      `step ${step}: what is tracked`,
    );
  }
  met += twins.fast.frames;
}

test('frames went the fast way', (t) => {
  t.diagnostic(`${met} frames`);
  assert.ok(met > 1000, `${met} frames`);
});
