// A region whose interfaces are spread over two routers with a trunk between them does what one router
// does: the worlds of the differential test, played by both.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nsPerSecond, VirtualClock } from '../../src/lib/clock.ts';
import { seededTimes } from '../../src/lib/testing-seed.ts';
import { parseMac } from '../../src/net/ethernet.ts';
import { Frame } from '../../src/net/frame.ts';
import type { SwitchPort } from '../../src/switch/port.ts';
import { TestEndpoint } from '../../src/switch/testing-endpoint.ts';
import { makeTrunks, pump } from '../../src/switch/trunk/testing-trunks.ts';
import type { VpcModel } from '../../src/vpc/model.ts';
import { Region } from '../../src/vpc/region.ts';
import { frameOf } from '../vpc-frames.ts';
import { type Event, type Limits, playWorld } from './vpc-differential.ts';

const worlds = 30;

/** The model's interfaces on so many routers; those of one account on the same. */
class Split {
  readonly clock = new VirtualClock();
  readonly #regions: Region[];
  readonly #ends = new Map<string, TestEndpoint>();
  readonly #frame = new Frame();
  #model: VpcModel;
  readonly #first: VpcModel;
  /** Ports that frames crossed to. */
  readonly #remote: SwitchPort[] = [];

  constructor(count: number, model: VpcModel, limits: Limits) {
    this.#model = model;
    this.#first = model;
    const trunks = makeTrunks(count);
    this.#regions = trunks.map((mine, i) => {
      const options = { ...limits, connections: 8192, fragments: 1024, seed: i + 1 };
      const region = new Region({ clock: this.clock, model, ...options });
      for (const trunk of mine) if (trunk !== null) region.network.trunks.push(trunk);
      const [gateways] = mine;
      if (gateways !== null && gateways !== undefined) region.router.connectBy(gateways);
      return region;
    });
    const accounts = [...new Set(model.interfaces.map(({ id, instance }) => instance ?? id))];
    for (const { id, instance, mac } of model.interfaces) {
      const home = accounts.indexOf(instance ?? id) % count;
      for (const [i, { network }] of this.#regions.entries()) {
        const trunk = trunks[i]?.[home] ?? null;
        const options = { name: id, mac: parseMac(mac) };
        if (trunk === null) this.#ends.set(id, new TestEndpoint(network.addPort(options)));
        else this.#remote.push(network.addPort({ ...options, trunk }));
      }
    }
  }

  play(event: Event): void {
    if ('pause' in event) this.clock.advance(event.pause * nsPerSecond);
    else if ('model' in event) {
      this.#model = event.model;
      for (const region of this.#regions) region.update(event.model);
    } else {
      const { packet } = event;
      const bytes = frameOf(this.#first, packet);
      const end = this.#ends.get(packet.from);
      if (end !== undefined) end.send(bytes);
      else this.#enter(packet.from, bytes);
      pump(this.#regions.map(({ network }) => network));
    }
  }

  #enter(gateway: string, bytes: Uint8Array): void {
    const { router, network } = this.#regions[0] as Region;
    const vpc = this.#model.internetGateways.find(({ id }) => id === gateway)?.vpc ?? '';
    this.#frame.load(bytes, 0, bytes.length);
    router.enter(vpc, this.#frame);
    network.flush();
  }

  /** What arrived since the last call. */
  take(): [string, Uint8Array[]][] {
    return [...this.#ends].map(([id, end]) => [id, end.received.splice(0)]);
  }

  /** By interface, added up. */
  counters(): [string, Record<string, number>][] {
    return [...this.#ends].map(([id, { port }]) => {
      const sum: Record<string, number> = {};
      for (const { counters } of [port, ...this.#remote.filter(({ name }) => name === id)])
        for (const [name, value = 0] of Object.entries(counters.snapshot()))
          sum[name] = (sum[name] ?? 0) + value;
      return [id, Object.fromEntries(Object.entries(sum).sort())];
    });
  }

  /** Connections that are tracked, in all. */
  get tracked(): number {
    return this.#regions.reduce((sum, { router }) => sum + router.trackedConnections(), 0);
  }
}

const reasons = new Set<string>();
let played = 0;

seededTimes(worlds, 'two and three routers do what one does', (_, seed) => {
  const { model, limits, events } = playWorld(seed);
  const [one, ...others] = [1, 2, 3].map((count) => new Split(count, model, limits));
  assert.ok(one !== undefined);
  for (const [at, event] of events.entries()) {
    one.play(event);
    const expected = one.take();
    for (const other of others) {
      other.play(event);
      assert.deepEqual(other.take(), expected, `event ${at}`);
      assert.equal(other.tracked, one.tracked, `event ${at}: connections`);
    }
  }
  for (const [, counters] of one.counters())
    for (const name of Object.keys(counters)) reasons.add(name);
  for (const other of others) assert.deepEqual(other.counters(), one.counters());
  played++;
});

test('they met what is judged at either side', (t) => {
  t.diagnostic([...reasons].join(', '));
  if (played < worlds) return;
  for (const name of ['rx_aclInDenied', 'rx_sgIngressNone', 'rx_trackingFull', 'tx_noGateway'])
    assert.ok(reasons.has(name), name);
});
