import assert from 'node:assert/strict';
import { VirtualClock } from '../lib/clock.ts';
import { seeded } from '../lib/testing-seed.ts';
import { Frame } from '../net/frame.ts';
import { R } from '../net/reasons.ts';
import { buildPacket, loadPieces } from '../net/testing-packets.ts';
import { Allowance } from './allowance/allowance.ts';
import type { Shaper } from './allowance/shaper.ts';
import { Switch } from './switch.ts';
import { TestEndpoint } from './testing-endpoint.ts';

/** The rules of forwarding, as a person would write them down. */
class Model {
  readonly learned = new Map<number, number>();
  readonly expected: number[][];
  readonly owners: readonly (number | null)[];

  constructor(owners: readonly (number | null)[]) {
    this.owners = owners;
    this.expected = owners.map(() => []);
  }

  send(from: number, source: number, destination: number | 'all', id: number): void {
    if (!this.owners.includes(source)) this.learned.set(source, from);
    let to = destination === 'all' ? -1 : this.owners.indexOf(destination);
    if (to < 0 && destination !== 'all') to = this.learned.get(destination) ?? -1;
    for (const [i, list] of this.expected.entries())
      if (i !== from && (to === i || to < 0)) list.push(id);
  }
}

const macBytes = (n: number): number[] => [2, 0, 0, 0, 0, n];

seeded('whatever is sent when, everybody gets what the model says, in its order', (random) => {
  for (let run = 0; run < 10; run++) {
    const owners = [1, 2, 3, null, null];
    const model = new Model(owners);
    const fabric = new Switch({ clock: new VirtualClock() });
    const ends = owners.map((n, i) => {
      const mac = n === null ? {} : { mac: 0x02_00_00_00_00_00 + n };
      return new TestEndpoint(fabric.addPort({ name: `p${i}`, queueBytes: 2 ** 21, ...mac }));
    });
    const frame = new Frame();
    for (let id = 0; id < 400; id++) {
      const from = random.below(ends.length);
      const source = random.oneIn(3) ? 10 + random.below(5) : (owners[from] ?? 20 + from);
      const all = random.oneIn(8);
      const destination = random.pick([1, 2, 3, 10, 11, 12, 13, 14, 23, 24, 99]);
      const dstMac = all ? Array(6).fill(255) : macBytes(destination);
      const bytes = buildPacket({ srcMac: macBytes(source), dstMac, sequence: id });
      loadPieces(frame, bytes, 54, []);
      (ends[from] as TestEndpoint).port.transmit(frame);
      model.send(from, source, all ? 'all' : destination, id);
      if (random.oneIn(3)) (ends[from] as TestEndpoint).port.flush();
      const other = random.pick(ends);
      if (random.oneIn(4)) other.buffers = random.below(5);
      if (random.oneIn(4)) other.port.drain(0);
    }
    for (const end of ends) {
      end.buffers = Infinity;
      end.port.drain(0);
      end.port.flush();
    }
    const ids = ends.map((end) =>
      end.received.map((b) => new DataView(b.buffer).getUint32(38, false)),
    );
    assert.deepEqual(ids, model.expected, `run ${run}`);
  }
});

seeded('garbage with any offload request gets a verdict, and no more bytes', (random) => {
  const fabric = new Switch({ clock: new VirtualClock() });
  const ends = [1, 2].map(
    (n) => new TestEndpoint(fabric.addPort({ name: `p${n}`, mac: 0x02_00_00_00_00_00 + n })),
  ) as [TestEndpoint, TestEndpoint];
  const frame = new Frame();
  const verdicts = new Set<number>();
  for (let n = 0; n < 3000; n++) {
    const bytes = buildPacket({
      version: random.pick([4, 6] as const),
      protocol: random.pick(['tcp', 'udp'] as const),
      vlans: random.pick([[], [1], [1, 2]]),
      srcMac: macBytes(1),
      dstMac: macBytes(2),
      payload: new Uint8Array(random.below(600)),
    });
    for (let i = random.below(4); i > 0; i--) bytes[12 + random.below(60)] = random.next();
    const length = random.oneIn(10) ? random.below(bytes.length) : bytes.length;
    loadPieces(frame, bytes.subarray(0, length), random.below(257), [random.below(99)]);
    frame.offload = random.below(8);
    frame.mss = random.oneIn(3) ? random.below(600) : 0;
    verdicts.add(ends[0].port.transmit(frame));
    ends[0].port.flush();
    for (const got of ends[1].received.splice(0)) assert.ok(got.length <= length, `frame ${n}`);
  }
  for (const verdict of [R.delivered, R.runt, R.txBadOffload]) assert.ok(verdicts.has(verdict));
});

seeded('garbage that waits gets a verdict too, and nothing is left of it', (random) => {
  const clock = new VirtualClock();
  const fabric = new Switch({ clock });
  const slow = { baselineBps: 1e6, burstBps: 4e6, creditBits: 1e5 };
  const limits = { in: slow, out: slow, packetsPerSecond: 2000, flowBps: 5e5, queueMs: 50 };
  const ends = [1, 2].map((n) => {
    const allowance = new Allowance(limits, 0);
    const port = fabric.addPort({ name: `p${n}`, mac: 0x02_00_00_00_00_00 + n, allowance });
    return new TestEndpoint(port);
  }) as [TestEndpoint, TestEndpoint];
  const frame = new Frame();
  let sent = 0;
  let queued = 0;
  for (let n = 0; n < 1200; n++) {
    const from = random.below(2);
    const payload = new Uint8Array(random.below(random.oneIn(5) ? 20_000 : 600));
    const bytes = buildPacket({
      ...{
        version: random.pick([4, 6] as const),
        protocol: random.pick(['tcp', 'udp'] as const),
      },
      ...{ srcMac: macBytes(from + 1), dstMac: macBytes(2 - from), payload },
      srcPort: random.below(3),
    });
    for (let i = random.below(3); i > 0; i--) bytes[12 + random.below(60)] = random.next();
    loadPieces(frame, bytes, 60 + random.below(100), [random.below(99)]);
    frame.offload = random.below(8);
    frame.mss = random.oneIn(2) ? 48 + random.below(1400) : 0;
    sent++;
    if ((ends[from] as TestEndpoint).port.transmit(frame) === R.queued) queued++;
    ends[0].port.flush();
    clock.advance(random.below(3e6));
    const other = random.pick(ends);
    if (random.oneIn(20)) other.buffers = random.oneIn(2) ? Infinity : random.below(9);
    if (random.oneIn(99)) for (const up of [false, true]) other.port.setLink(up);
    other.port.drain(0);
  }
  for (const { port } of ends) port.setLink(true);
  clock.advance(10e9);
  assert.ok(queued > 20, `${queued} of ${sent} waited`);
  for (const { port } of ends) {
    const { out, in: into } = (port.shaper as Shaper).allowance;
    for (const gate of [out, into])
      for (const meter of [...gate.bytes, gate.packets])
        assert.ok(meter !== null && meter.waiting === 0, `${meter?.waiting} wait`);
  }
});
