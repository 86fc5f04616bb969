/**
 * Guests without a virtual machine: a function, its poll-mode reference driver and a minimal host,
 * all in this process and thread. What a lab uses where there is no QEMU.
 */
import { DhcpClient } from '../../drivers/dhcp-client.ts';
import { DmaArena } from '../../drivers/dma-arena.ts';
import { NetEndpoint } from '../../drivers/endpoint.ts';
import { MonotonicClock } from '../../lib/clock.ts';
import { Diagnostics, type RefusalListener } from '../../lib/diagnostics.ts';
import { parseMac } from '../../net/ethernet.ts';
import { formatIpv4 } from '../../net/ipv4.ts';
import type { Switch } from '../../switch/switch.ts';
import type { DataplaneConfig } from '../dataplane/config.ts';
import { createNic, type EthernetName, ethernetModel, modelOf } from '../dataplane/models.ts';
import { createNetwork } from '../dataplane/network.ts';
import type { ChosenFunction } from '../nic/functions.ts';
import { type ReferenceNic, referenceNics } from './reference-nics.ts';

/** Rings and buffers of one driver with one queue pair. */
const arenaBytes = 16 << 20;
/** Guests' memory begins at addresses of its own, so that a mix-up goes nowhere. */
const arenaStride = 2 ** 33;
/** So long the guests run before anything else in the process has a turn. */
const sliceMs = 20;

export class ReferenceGuest {
  readonly name: string;
  readonly model: EthernetName;
  readonly driver: ReferenceNic;
  readonly endpoint: NetEndpoint;

  constructor(fn: ChosenFunction, index: number, mtu: number, fabric: Fabric) {
    this.name = fn.name;
    this.model = ethernetModel(fn.model);
    const arena = new DmaArena(arenaBytes, (index + 1) * arenaStride);
    const host = {
      memory: arena.memory,
      interrupts: { raise: () => {} }, // everything is polled
      clock: fabric.clock,
      diagnostics: new Diagnostics((refusal) => fabric.onRefusal(this.name, refusal)),
      deviceMemory: (sizeBytes: number) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
    };
    const port = fabric.switch.addPort({
      ...{ name: fn.name, mac: parseMac(fn.mac), mtu: modelOf(fn.model).maxMtu },
    });
    // One queue pair each: one thread drives them all.
    const { queuePairs: _, ...spec } = fn;
    const device = createNic(fn.model, { ...spec, queuePairs: 1 }, { host, port });
    this.driver = referenceNics[this.model](device, arena, mtu);
    const none = { address: 0, prefix: 0, gateway: 0 };
    this.endpoint = new NetEndpoint(this.driver.nic, fabric.clock, none);
  }

  get address(): string {
    return formatIpv4(this.endpoint.address);
  }
}

/** A switch with its network and the guests on it, and the loop that runs them all. */
export class Fabric {
  readonly clock = new MonotonicClock();
  readonly switch: Switch;
  readonly guests: readonly ReferenceGuest[];
  readonly onRefusal: (name: string, refusal: Parameters<RefusalListener>[0]) => void;
  readonly #signal: AbortSignal;

  constructor(
    functions: readonly ChosenFunction[],
    config: DataplaneConfig,
    options: { mtu: number; signal: AbortSignal; onRefusal: Fabric['onRefusal'] },
  ) {
    this.#signal = options.signal;
    this.onRefusal = options.onRefusal;
    this.switch = createNetwork(config, this.clock).switch;
    this.guests = functions.map((fn, i) => new ReferenceGuest(fn, i, options.mtu, this));
  }

  /** Gets every guest its address. False: not all have one after `maxMs`. */
  async dhcp(maxMs: number): Promise<boolean> {
    const clients = this.guests.map(({ endpoint }, i) => new DhcpClient(endpoint, 0x7669_0000 + i));
    return this.runUntil(() => clients.every(({ isBound }) => isBound), maxMs);
  }

  /**
   * Runs all guests until `done` says so, asked after each turn; false when `maxMs` are over.
   * Throws the signal's reason when that is aborted.
   */
  async runUntil(done: () => boolean, maxMs: number): Promise<boolean> {
    const end = performance.now() + maxMs;
    for (;;) {
      this.#signal.throwIfAborted();
      const slice = Math.min(end, performance.now() + sliceMs);
      do {
        for (const guest of this.guests) guest.endpoint.poll();
        if (done()) return true;
      } while (performance.now() < slice);
      this.clock.runDue();
      if (performance.now() >= end) return done();
      await new Promise(setImmediate);
    }
  }
}
