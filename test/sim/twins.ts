/**
 * The same lab twice: one switch carries all frames by the TypeScript path, the other one by the fast
 * path where it can. Both are told the same at the same times, so all that guests, counters and clocks
 * show has to be the same. So it has where a twin is several switches with trunks between them.
 */

import type { TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import type { FastPath } from '../../src/fastpath/fast-path.ts';
import { openFastPath } from '../../src/host/dataplane/fast-path.ts';
import type { Arena } from '../../src/lib/arena.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import type { Switch } from '../../src/switch/switch.ts';
import { makeTrunks, pump } from '../../src/switch/trunk/testing-trunks.ts';
import type { Trunk } from '../../src/switch/trunk/trunk.ts';
import { type LinearMapping, LinearMemory } from '../../src/sys/linear-memory.ts';
import { type GuestOptions, type SimGuest, SimLab } from './ena-lab.ts';

/** Makes the network of one twin. */
type MakeNetwork = (clock: VirtualClock, arena: Arena | undefined) => Switch;

const guestBytes = 8 << 20;
/** Small, so that it is full now and then. */
const ringBytes = 2 ** 18;
/** Addresses of 4 GiB are scarce: one memory for all twins of a process. */
const linear = new LinearMemory();

export class Twin {
  readonly clock = new VirtualClock();
  readonly guests: SimGuest[] = [];
  readonly #labs: readonly SimLab[];
  readonly #fast: readonly FastPath[];
  readonly #trunks: readonly (readonly (Trunk | null)[])[];

  /** `switches`: as many, with trunks between them; guests are plugged in at each in turn. */
  constructor(make: MakeNetwork, isFast: boolean, switches = 1) {
    const arena = isFast ? linear : undefined;
    const pages = (sizeBytes: number) => linear.pages(sizeBytes) as LinearMapping;
    this.#trunks = isFast
      ? makeTrunks(switches, ringBytes, pages)
      : makeTrunks(switches, ringBytes);
    this.#labs = this.#trunks.map((own) => {
      const network = make(this.clock, arena);
      network.trunks.push(...own.filter((trunk) => trunk !== null));
      return new SimLab(this.clock, network);
    });
    this.#fast = isFast ? this.#labs.map((lab) => openFastPath(lab.switch, linear)) : [];
  }

  /** That went the fast way; in a trunk at either end of it. */
  get frames(): number {
    return this.#fast.reduce((sum, { frames }) => sum + frames, 0);
  }

  add(options: GuestOptions): SimGuest {
    const index = this.guests.length;
    const home = index % this.#labs.length;
    const mac = options.mac ?? 0x0200_0000_0000 + index + 1;
    const added = this.#labs.map(({ switch: network }, i) => {
      const trunk = this.#trunks[i]?.[home] ?? null;
      if (trunk === null) return this.#addAt(i, { ...options, mac });
      const { allowance: _, ...port } = options.port ?? {};
      network.addPort({ name: `far ${index}`, mac, ...port, trunk });
      return null;
    });
    const guest = added[home] as SimGuest;
    this.guests.push(guest);
    return guest;
  }

  #addAt(home: number, options: GuestOptions): SimGuest {
    const lab = this.#labs[home] as SimLab;
    if (this.#fast.length === 0) return lab.add(options);
    const memory = linear.pages(guestBytes);
    const [piece] = memory?.pieces ?? [];
    if (memory === null || piece === undefined) throw new Error('no room for a guest');
    return lab.add({ ...options, memory: { bytes: piece.bytes, linear: memory.linear } });
  }

  advance(ns: number): void {
    this.clock.advance(ns);
    this.settle();
  }

  /** Until nothing is under way between switches. */
  settle(): void {
    pump(this.#labs.map((lab) => lab.switch));
  }

  /** What all switches count at a guest's port. */
  counters(guest: number): Record<string, number> {
    const sum: Record<string, number> = {};
    for (const lab of this.#labs)
      for (const [name, value = 0] of Object.entries(
        lab.switch.ports[guest]?.counters.snapshot() ?? {},
      ))
        sum[name] = (sum[name] ?? 0) + value;
    return sum;
  }
}

export type Frame = { readonly bytes: Uint8Array; readonly offload: TxOffload };

export class Twins {
  readonly plain: Twin;
  readonly fast: Twin;

  constructor(make: MakeNetwork, switches = 1) {
    this.plain = new Twin(make, false, switches);
    this.fast = new Twin(make, true, switches);
  }

  /** `options` are made for each, for they may hold what changes. */
  add(options: () => GuestOptions): void {
    for (const twin of [this.plain, this.fast]) twin.add(options()).driver.start();
  }

  /** Says how many of the frames found room in the ring. */
  send(guest: number, frames: readonly Frame[], queue = 0): readonly number[] {
    return this.#both((twin) => {
      const tx = twin.guests[guest]?.driver.tx[queue];
      let sent = 0;
      for (const { bytes, offload } of frames)
        if (tx?.send(bytes, 0, bytes.length, offload)) sent++;
      tx?.kick();
      return sent;
    });
  }

  /** All that a guest can see of what came for it since it last looked. */
  receive(guest: number): readonly string[] {
    return this.#both((twin) => {
      const { driver } = twin.guests[guest] as SimGuest;
      const lines: string[] = [];
      for (const [i, queue] of driver.rx.entries()) {
        while (queue.next()) {
          const frame = new Uint8Array(queue.length);
          queue.copy(frame, 0);
          const { pieces, hash, status } = queue;
          // The phase bit is the driver's own business.
          lines.push(
            [i, pieces, hash, status.toString(16), Buffer.from(frame).toString('hex')].join(),
          );
        }
        queue.replenish();
      }
      return lines.join('\n');
    });
  }

  reap(guest: number): readonly string[] {
    return this.#both((twin) => {
      const { driver } = twin.guests[guest] as SimGuest;
      return driver.tx.map((queue) => queue.reap()).join();
    });
  }

  advance(ns: number): void {
    for (const twin of [this.plain, this.fast]) twin.advance(ns);
  }

  /** What the switch and the devices have counted, and how often guests were interrupted. */
  counts(): readonly string[] {
    return this.#both((twin) =>
      twin.guests
        .map((guest, i) => {
          const { txPackets, txBytes, txDrops, rxPackets, rxBytes, rxDrops } = guest.device.stats;
          const stats = { txPackets, txBytes, txDrops, rxPackets, rxBytes, rxDrops };
          const { interrupts, refusals } = guest;
          const { fast_tx_frames: _, ...port } = twin.counters(i);
          return JSON.stringify({ port, stats, interrupts, refusals });
        })
        .join('\n'),
    );
  }

  #both<T>(ask: (twin: Twin) => T): readonly T[] {
    return [this.plain, this.fast].map((twin) => {
      const answer = ask(twin);
      twin.settle();
      return answer;
    });
  }
}
