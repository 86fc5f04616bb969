/**
 * Everything that the management vector tells of: answered commands, and events such as the state
 * of the link and the keep-alive of every second.
 */
import { AENQ_GROUP } from '../../defs/ena-admin.ts';
import { type Clock, nsPerSecond, type Timer } from '../../lib/clock.ts';
import type { Interrupts } from '../../pci/function.ts';
import type { EventQueue } from './event-queue.ts';
import type { Hints } from './hints.ts';
import type { EnaStats } from './stats.ts';

const managementVector = 0;
const keepAliveNs = nsPerSecond;

export class Management {
  linkUp = true;
  readonly #events: EventQueue;
  readonly #stats: EnaStats;
  readonly #clock: Clock;
  readonly #interrupts: Interrupts;
  #masked = false;
  /** The vector was due while it was masked. */
  #pending = false;
  #keepAlive: Timer | null = null;

  constructor(events: EventQueue, stats: EnaStats, clock: Clock, interrupts: Interrupts) {
    this.#events = events;
    this.#stats = stats;
    this.#clock = clock;
    this.#interrupts = interrupts;
  }

  /** The link stays as its owner set it. */
  reset(): void {
    this.#keepAlive?.cancel();
    this.#keepAlive = null;
    this.#masked = false;
    this.#pending = false;
  }

  /** There is something new in the admin completion queue or the event queue. */
  raise(): void {
    this.#pending = this.#masked;
    if (!this.#masked) this.#interrupts.raise(managementVector);
  }

  /** INTR_MASK. */
  mask(masked: boolean): void {
    this.#masked = masked;
    if (!masked && this.#pending) this.raise();
  }

  /** AENQ_HEAD_DB: room for events. The first time the driver also learns the link's state. */
  grantEvents(head: number): void {
    const first = this.#keepAlive === null && this.#events.isSetUp;
    this.#events.setLimit(head);
    if (!first) return;
    this.#tell(this.#events.linkChange(this.linkUp));
    this.#beat();
  }

  setLink(up: boolean): void {
    if (this.linkUp === up) return;
    this.linkUp = up;
    this.#tell(this.#events.linkChange(up));
  }

  /** False when the driver has not enabled that event, or left no room for it. */
  announce(group: number): boolean {
    return this.#tell(this.#events.plain(group));
  }

  requestReset(): boolean {
    return this.announce(AENQ_GROUP.DEVICE_REQUEST_RESET);
  }

  fatalError(): boolean {
    return this.announce(AENQ_GROUP.FATAL_ERROR);
  }

  /** What about the configuration deserves the driver's attention, as bits. */
  notify(bitmap: number): boolean {
    return this.#tell(this.#events.notify(bitmap));
  }

  /** New time-outs for the driver. */
  hint(hints: Hints): boolean {
    return this.#tell(this.#events.hints(hints.event()));
  }

  #tell(written: boolean): boolean {
    if (written) this.raise();
    return written;
  }

  #beat(): void {
    this.#keepAlive = this.#clock.after(keepAliveNs, () => {
      this.#tell(this.#events.keepAlive(this.#stats));
      this.#beat();
    });
  }
}
