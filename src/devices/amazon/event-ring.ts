/**
 * The ring of the asynchronous event notification queue (AENQ) of ENA and EFA: entries of 64 bytes
 * that begin with group, phase and time. The driver grants room by writing how far it has read; an
 * event for which there is no room is dropped.
 */
import { AENQ_ENTRY_BYTES } from '../../defs/ena-admin.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing, isRingDepth } from '../../pci/guest-ring.ts';

/** What every event begins with. */
export type EventRecord = {
  group: number;
  phase: number;
  timestamp_low: number;
  timestamp_high: number;
  store(words: Int32Array, at: number): void;
};

const maxDepth = 1024;

export class EventRing {
  /** Bit per group that the driver has enabled. */
  enabledGroups = 0;
  /** Events for which the driver had left no room. */
  dropped = 0;
  readonly #memory: GuestMemory;
  readonly #clock: Clock;
  readonly #diagnostics: Diagnostics;
  readonly #shape: Rule;
  #ring: GuestRing | null = null;
  #written = 0;
  /** As far as the driver lets us write; free-running, 16 bits. */
  #limit = 0;

  /** `shape`: the rule that a ring of the wrong shape breaks. */
  constructor(memory: GuestMemory, clock: Clock, diagnostics: Diagnostics, shape: Rule) {
    this.#memory = memory;
    this.#clock = clock;
    this.#diagnostics = diagnostics;
    this.#shape = shape;
  }

  reset(): void {
    this.#ring = null;
    this.#written = 0;
    this.#limit = 0;
    this.enabledGroups = 0;
  }

  /** Where the next event goes, 16 bits, free-running. */
  get tail(): number {
    return this.#written & 0xffff;
  }

  /** Whether the driver has given the queue memory. */
  get isSetUp(): boolean {
    return this.#ring !== null;
  }

  setUp(iova: number, depth: number, entryBytes: number): void {
    this.#written = 0;
    this.#limit = 0;
    if (isRingDepth(depth, maxDepth) && entryBytes === AENQ_ENTRY_BYTES) {
      this.#ring = new GuestRing(this.#memory, iova, depth, AENQ_ENTRY_BYTES, 'write');
      return;
    }
    this.#ring = null;
    this.#diagnostics.refuse(this.#shape, () => `AENQ depth ${depth}`);
  }

  /** How far the driver's doorbell lets us write. */
  setLimit(limit: number): void {
    this.#limit = limit & 0xffff;
  }

  /** Grants the whole ring beyond what the driver has read: where the doorbell counts reads. */
  setConsumed(consumed: number): void {
    this.setLimit(consumed + (this.#ring?.depth ?? 0));
  }

  /** Whether the event was written, and the management vector is due. */
  post(group: number, event: EventRecord): boolean {
    const ring = this.#ring;
    if (ring === null || (this.enabledGroups & (1 << group)) === 0) return false;
    const room = (this.#limit - this.#written) & 0xffff;
    if (room === 0 || room > ring.depth || !ring.attach()) {
      this.dropped++;
      return false;
    }
    const now = this.#clock.now();
    event.group = group;
    event.phase = ring.phase(this.#written);
    event.timestamp_low = now % 2 ** 32;
    event.timestamp_high = Math.floor(now / 2 ** 32);
    event.store(ring.words, ring.at(this.#written));
    ring.push(this.#written);
    this.#written++;
    return true;
  }
}
