/**
 * The same lab twice: one switch carries all frames by the TypeScript path, the other one by the fast
 * path where it can. Both are told the same at the same times, so all that guests, counters and clocks
 * show has to be the same. So it has where a twin is several switches with trunks between them.
 */

import assert from 'node:assert/strict';
import type { DmaArena } from '../../src/drivers/dma-arena.ts';
import type { TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import type { TxQueue } from '../../src/drivers/ena/tx-queue.ts';
import type { FastPath } from '../../src/fastpath/fast-path.ts';
import { openFastPath } from '../../src/host/dataplane/fast-path.ts';
import type { Arena } from '../../src/lib/arena.ts';
import { nsPerMs, VirtualClock } from '../../src/lib/clock.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { Switch } from '../../src/switch/switch.ts';
import { makeTrunks, pump } from '../../src/switch/trunk/testing-trunks.ts';
import type { Trunk } from '../../src/switch/trunk/trunk.ts';
import { type LinearMapping, LinearMemory } from '../../src/sys/linear-memory.ts';
import { type GuestOptions, type SimGuest, SimLab } from './ena-lab.ts';

/** Makes the network of one twin. */
type MakeNetwork = (clock: VirtualClock, arena: Arena | undefined) => Switch;

const guestBytes = 8 << 20;
/** Where frames in pieces lie: the end of a guest's memory, which its driver does not use. */
const stageBytes = 2 << 20;
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
  #staged = 0;

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

  /** Puts a frame into a guest's memory, in pieces that lie apart; says where. */
  stage(arena: DmaArena, bytes: Uint8Array, pieces: readonly number[]): number[] {
    let from = 0;
    return pieces.map((length) => {
      if (this.#staged + length + 1 > stageBytes) this.#staged = 0;
      const at = arena.bytes.length - stageBytes + this.#staged;
      arena.bytes.set(bytes.subarray(from, from + length), at);
      from += length;
      this.#staged += length + 1;
      return arena.base + at;
    });
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

/** `pieces`: the lengths of the buffers that it lies in; in those of the queue, one after the other, if absent. */
export type Frame = {
  readonly bytes: Uint8Array;
  readonly offload: TxOffload;
  readonly pieces?: readonly number[];
};

/** The words of a descriptor, whose buffer may lie at an address. */
export type Descriptor = (address: number, phase: number) => number[];

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
      const { arena, driver } = twin.guests[guest] as SimGuest;
      const tx = driver.tx[queue] as TxQueue;
      let sent = 0;
      for (const { bytes, offload, pieces } of frames) {
        if (pieces === undefined) sent += tx.send(bytes, 0, bytes.length, offload) ? 1 : 0;
        else {
          const addresses = twin.stage(arena, bytes, pieces);
          sent += tx.sendPieces(addresses, pieces, pieces.length, offload) ? 1 : 0;
        }
      }
      tx.kick();
      return sent;
    });
  }

  /** Writes descriptors of any words, and says what the doorbell then says. */
  put(guest: number, packets: readonly (readonly Descriptor[])[], bytes: Uint8Array): void {
    this.#both((twin) => {
      const { arena, driver } = twin.guests[guest] as SimGuest;
      const tx = driver.tx[0] as TxQueue;
      const [address = 0] = twin.stage(arena, bytes, [bytes.length]);
      for (const packet of packets)
        for (const [i, make] of packet.entries())
          tx.put(make(address, tx.ring.phase), i === packet.length - 1);
      tx.kick();
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

/** Says what differs between twins, if anything does. */
export function same(said: readonly unknown[], what: string): void {
  assert.equal(said[1], said[0], what);
}

/** Bursts of frames between so many guests, in any order. */
export function play(
  twins: Twins,
  random: Prng,
  guests: number,
  frame: (from: number) => Frame,
  steps: number,
): void {
  for (let step = 0; step < steps; step++) {
    const from = random.below(guests);
    const burst = Array.from({ length: 1 + random.below(40) }, () => frame(from));
    same(twins.send(from, burst, random.below(2)), `step ${step}: room in the ring`);
    if (random.oneIn(3)) twins.advance(random.below(3) * nsPerMs);
    for (let guest = 0; guest < guests; guest++) {
      if (random.oneIn(2)) same(twins.receive(guest), `step ${step}: what ${guest} received`);
      if (random.oneIn(2)) same(twins.reap(guest), `step ${step}: what ${guest} has sent`);
    }
    same(twins.counts(), `step ${step}: what was counted`);
  }
  assert.ok(twins.fast.frames > 0, 'some frames went the fast way');
}
