/**
 * The same lab twice: one switch carries all frames by the TypeScript path, the other one by the fast
 * path where it can. Both are told the same at the same times, so all that guests, counters and clocks
 * show has to be the same.
 */

import type { TxOffload } from '../../src/drivers/ena/tx-offload.ts';
import { FastPath } from '../../src/fastpath/fast-path.ts';
import { instantiateFastpath } from '../../src/fastpath/module.ts';
import type { Arena } from '../../src/lib/arena.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Lending } from '../../src/switch/lending.ts';
import type { Switch } from '../../src/switch/switch.ts';
import { LinearMemory } from '../../src/sys/linear-memory.ts';
import { type GuestOptions, type SimGuest, SimLab } from './ena-lab.ts';

/** Makes the network of one twin. */
type MakeNetwork = (clock: VirtualClock, arena: Arena | undefined) => Switch;

const guestBytes = 8 << 20;
/** Addresses of 4 GiB are scarce: one memory for all twins of a process. */
const linear = new LinearMemory();
const module = instantiateFastpath(linear.memory);

export class Twin {
  readonly lab: SimLab;
  readonly #fast: FastPath | null;

  constructor(make: MakeNetwork, isFast: boolean) {
    const clock = new VirtualClock();
    const arena = isFast ? linear : undefined;
    const network = make(clock, arena);
    this.lab = new SimLab(clock, network);
    this.#fast = arena === undefined ? null : new FastPath(arena, module, new Lending(network));
    network.bursts = this.#fast;
  }

  /** That went the fast way. */
  get frames(): number {
    return this.#fast?.frames ?? 0;
  }

  add(options: GuestOptions): SimGuest {
    if (this.#fast === null) return this.lab.add(options);
    const memory = linear.pages(guestBytes);
    const [piece] = memory?.pieces ?? [];
    if (memory === null || piece === undefined) throw new Error('no room for a guest');
    return this.lab.add({ ...options, memory: { bytes: piece.bytes, linear: memory.linear } });
  }
}

export type Frame = { readonly bytes: Uint8Array; readonly offload: TxOffload };

export class Twins {
  readonly plain: Twin;
  readonly fast: Twin;

  constructor(make: MakeNetwork) {
    this.plain = new Twin(make, false);
    this.fast = new Twin(make, true);
  }

  /** `options` are made for each, for they may hold what changes. */
  add(options: () => GuestOptions): void {
    for (const twin of [this.plain, this.fast]) twin.add(options()).driver.start();
  }

  /** Says how many of the frames found room in the ring. */
  send(guest: number, frames: readonly Frame[], queue = 0): readonly number[] {
    return this.#both((twin) => {
      const tx = twin.lab.guests[guest]?.driver.tx[queue];
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
      const { driver } = twin.lab.guests[guest] as SimGuest;
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
      const { driver } = twin.lab.guests[guest] as SimGuest;
      return driver.tx.map((queue) => queue.reap()).join();
    });
  }

  advance(ns: number): void {
    for (const twin of [this.plain, this.fast]) twin.lab.clock.advance(ns);
  }

  /** What the switch and the devices have counted, and how often guests were interrupted. */
  counts(): readonly string[] {
    return this.#both((twin) =>
      twin.lab.guests
        .map((guest) => {
          const { txPackets, txBytes, txDrops, rxPackets, rxBytes, rxDrops } = guest.device.stats;
          const stats = { txPackets, txBytes, txDrops, rxPackets, rxBytes, rxDrops };
          const { interrupts, refusals } = guest;
          const { fast_tx_frames: _, ...port } = guest.counters();
          return JSON.stringify({ port, stats, interrupts, refusals });
        })
        .join('\n'),
    );
  }

  #both<T>(ask: (twin: Twin) => T): readonly T[] {
    return [ask(this.plain), ask(this.fast)];
  }
}
