// Several switches with a trunk between them do what one switch with all their ports does, when rings
// are read before anything else happens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Prng } from '../../lib/prng.ts';
import { seeded } from '../../lib/testing-seed.ts';
import { checksum } from '../../net/frame.ts';
import { R, reasonNames } from '../../net/reasons.ts';
import { buildPacket } from '../../net/testing-packets.ts';
import { Allowance } from '../allowance/allowance.ts';
import type { PortOptions } from '../port.ts';
import { Switch } from '../switch.ts';
import { VerdictTap } from '../tap-verdicts.ts';
import { TestEndpoint } from '../testing-endpoint.ts';
import { CrossingClock, makeTrunks, pump } from './testing-trunks.ts';

const mac = (n: number): number => 0x02_00_00_00_00_00 + n;
const macBytes = (n: number): number[] => [2, 0, 0, 0, 0, n];
const broadcast = [255, 255, 255, 255, 255, 255];

/** Ports on so many switches, by turns; `ends` are in the order of the ports. */
class Fabric {
  readonly switches: Switch[] = [];
  readonly clock = new CrossingClock(this.switches);
  readonly ends: TestEndpoint[];

  constructor(count: number, ports: readonly Omit<PortOptions, 'name'>[], capacityBytes?: number) {
    const trunks = makeTrunks(count, capacityBytes);
    for (const mine of trunks) {
      const one = new Switch({ clock: this.clock });
      one.trunks.push(...mine.filter((trunk) => trunk !== null));
      this.switches.push(one);
    }
    this.ends = ports.map((options, n) => {
      const home = n % count;
      const [end] = this.switches.flatMap((one, i) => {
        const trunk = trunks[i]?.[home] ?? null;
        const name = `p${n}`;
        if (trunk === null) return [new TestEndpoint(one.addPort({ name, ...options }))];
        const { allowance: _, ...rest } = options;
        one.addPort({ name, ...rest, trunk });
        return [];
      });
      return end as TestEndpoint;
    });
  }

  send(from: number, bytes: Uint8Array, offload = 0, mss = 0): void {
    (this.ends[from] as TestEndpoint).send(bytes, offload, mss);
    pump(this.switches);
  }

  /** Of each port, from all switches. */
  counters(): Record<string, number>[] {
    return this.ends.map((_, n) => {
      const sum: Record<string, number> = {};
      for (const { ports } of this.switches)
        for (const [name, value] of Object.entries(ports[n]?.counters.snapshot() ?? {}))
          sum[name] = (sum[name] ?? 0) + (value ?? 0);
      return sum;
    });
  }
}

/** The same to each: random frames, buffers that come and go, links that fail. */
function compare(random: Prng, ports: () => Omit<PortOptions, 'name'>[], frames: number): void {
  const fabrics = [1, 2, 3].map((count) => new Fabric(count, ports()));
  const count = ports().length;
  const each = (work: (fabric: Fabric) => void): void => fabrics.forEach(work);
  // Whoever is not known by its port says where it is.
  for (let n = 0; n < count; n++)
    each((one) => one.send(n, buildPacket({ srcMac: macBytes(n + 1), dstMac: broadcast })));
  for (let id = 0; id < frames; id++) {
    const from = random.below(count);
    const to = random.below(count);
    const isLarge = random.oneIn(9);
    const bytes = buildPacket({
      ...{ srcMac: macBytes(random.oneIn(30) ? 1 : from + 1), sequence: id },
      dstMac: random.oneIn(12) ? broadcast : macBytes(to + 1),
      payload: new Uint8Array(isLarge ? 5000 + random.below(30_000) : random.below(900)).fill(id),
    });
    const mss = isLarge ? 1000 + random.below(500) : 0;
    const offload = random.oneIn(2) ? checksum.ipv4 | checksum.l4 : 0;
    each((one) => one.send(from, bytes, isLarge ? checksum.ipv4 | checksum.l4 : offload, mss));
    const other = random.below(count);
    const buffers = random.oneIn(6) ? random.below(5) : -1;
    const room = random.oneIn(9) ? random.below(20_000) : -1;
    const link = random.oneIn(40) ? random.oneIn(2) : null;
    const pause = random.oneIn(4) ? random.below(1e6) : 0;
    each(({ ends, clock }) => {
      const end = ends[other] as TestEndpoint;
      if (buffers >= 0) end.buffers = buffers === 4 ? Infinity : buffers;
      if (room >= 0) end.roomBytes = room;
      if (link !== null) end.port.setLink(link);
      end.port.drain(0);
      clock.advance(pause);
    });
    each(({ switches }) => pump(switches));
  }
  each(({ ends, clock, switches }) => {
    clock.advance(1e9);
    for (const end of ends) {
      end.buffers = Infinity;
      end.port.setLink(true);
      end.port.drain(0);
    }
    pump(switches);
  });
  const [one, ...others] = fabrics as [Fabric, ...Fabric[]];
  for (const [i, other] of others.entries()) {
    const said = `${i + 2} switches`;
    for (const [n, end] of other.ends.entries()) {
      assert.deepEqual(end.received, one.ends[n]?.received, `${said}: frames of port ${n}`);
      assert.deepEqual(end.sums, one.ends[n]?.sums, `${said}: sums of port ${n}`);
    }
    assert.deepEqual(other.counters(), one.counters(), said);
  }
}

seeded('the same frames, sums and counts at each port, whatever is sent when', (random) => {
  compare(random, () => [1, 2, 3, 4].map((n) => ({ mac: mac(n) })), 300);
  compare(random, () => [{ mac: mac(1) }, {}, { mac: mac(3), spoofCheck: true }, {}, {}], 300);
});

seeded('the same with allowances at both ends, and ENA Express', (random) => {
  const slow = { baselineBps: 3e8, burstBps: 1e9, creditBits: 1e5 };
  const flow = { flowBps: 5e7, expressFlowBps: 1e8 };
  const limits = { in: slow, out: slow, ...flow, packetsPerSecond: 20_000, queueMs: 5 };
  compare(
    random,
    () =>
      [1, 2, 3, 4].map((n) => ({
        ...{ mac: mac(n), address: 0x0a00_000a, express: { udp: true } },
        allowance: new Allowance(limits, 0),
      })),
    300,
  );
});

test('a flood crosses once, however many ports are there, and never comes back', () => {
  const fabric = new Fabric(2, Array<object>(8).fill({}));
  fabric.send(0, buildPacket({ srcMac: macBytes(1), dstMac: broadcast }));
  assert.deepEqual(
    fabric.ends.map(({ received }) => received.length),
    [0, 1, 1, 1, 1, 1, 1, 1],
  );
  fabric.send(7, buildPacket({ srcMac: macBytes(8), dstMac: macBytes(1) }));
  assert.deepEqual(
    fabric.ends.map(({ received }) => received.length),
    [1, 1, 1, 1, 1, 1, 1, 1],
  );
});

test('a trunk that is full drops, and that is counted at the sender', () => {
  const fabric = new Fabric(2, [{ mac: mac(1) }, { mac: mac(2) }], 2 ** 18);
  const [a, b] = fabric.ends as [TestEndpoint, TestEndpoint];
  const bytes = buildPacket({
    ...{ srcMac: macBytes(1), dstMac: macBytes(2), payload: new Uint8Array(8000) },
  });
  const verdicts = Array.from({ length: 40 }, () => a.send(bytes));
  const carried = verdicts.filter((verdict) => verdict === R.queued).length;
  assert.ok(carried > 20 && carried < 40);
  assert.ok(verdicts.slice(carried).every((verdict) => verdict === R.queueFull));
  pump(fabric.switches);
  assert.equal(b.received.length, carried);
  assert.equal(fabric.counters()[0]?.['tx_queueFull'], 40 - carried);
  assert.equal(a.send(bytes), R.queued);
});

test('a frame meets its receiver as that is when it leaves the ring, in the order of its sender', () => {
  const fabric = new Fabric(2, [{ mac: mac(1) }, { mac: mac(2) }]);
  const [a, b] = fabric.ends as [TestEndpoint, TestEndpoint];
  const frame = (n: number, dstMac = macBytes(2)): Uint8Array =>
    buildPacket({ srcMac: macBytes(1), dstMac, payload: new Uint8Array([n]) });
  const sent = [frame(0), frame(1, broadcast), frame(2)];
  b.port.setLink(false);
  for (const bytes of sent) assert.equal(a.send(bytes), R.queued);
  b.port.setLink(true);
  pump(fabric.switches);
  assert.deepEqual(b.received, sent);
  a.send(frame(3));
  b.port.setLink(false);
  pump(fabric.switches);
  assert.deepEqual(b.received, sent);
  assert.equal(fabric.counters()[1]?.['rx_linkDown'], 1);
});

test('whoever watches hears of a frame once where it was sent, and again where it was lost', () => {
  const fabric = new Fabric(2, [{ mac: mac(1) }, { mac: mac(2) }]);
  const told: string[] = [];
  for (const [i, one] of fabric.switches.entries())
    one.addTap(
      new VerdictTap(fabric.clock, { perSecond: 100 }, (verdicts) => {
        for (const { from, to, reason } of verdicts) told.push(`${i} ${from} ${to} ${reason}`);
      }),
    );
  const bytes = buildPacket({ srcMac: macBytes(1), dstMac: macBytes(2) });
  const after = (work: () => void): string[] => {
    work();
    fabric.clock.advance(1e8);
    return told.splice(0);
  };
  const [, b] = fabric.ends as [TestEndpoint, TestEndpoint];
  assert.deepEqual(
    after(() => fabric.send(0, bytes)),
    ['0 p0 p1 queued'],
  );
  b.refusal = R.rxFiltered;
  assert.deepEqual(
    after(() => fabric.send(0, bytes)),
    ['0 p0 p1 queued', '1 p0 p1 rxFiltered'],
  );
  b.refusal = null;
  b.buffers = 0;
  assert.deepEqual(
    after(() => fabric.send(0, bytes)),
    ['0 p0 p1 queued'],
  );
  assert.equal(reasonNames[R.queued], 'queued');
});
