/**
 * The asynchronous event notification queue (AENQ): link changes, keep-alives, errors. The driver
 * grants room by writing the head doorbell; an event for which there is no room is dropped.
 */
import {
  AENQ_ENTRY_BYTES,
  AENQ_GROUP,
  AENQ_SYNDROME_UPDATE_HINTS,
  aenqConfNotifications,
  aenqEvent,
  aenqHints,
  aenqKeepAlive,
  aenqLinkChange,
} from '../../defs/ena-admin.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing, isRingDepth } from '../../pci/guest-ring.ts';
import { enaRules } from './rules.ts';
import { type EnaStats, split } from './stats.ts';

const maxDepth = 1024;

export class EventQueue {
  /** Bit per group that the driver has enabled. */
  enabledGroups = 0;
  /** Events for which the driver had left no room. */
  dropped = 0;
  readonly #memory: GuestMemory;
  readonly #clock: Clock;
  readonly #diagnostics: Diagnostics;
  readonly #link = aenqLinkChange.create();
  readonly #keepAlive = aenqKeepAlive.create();
  readonly #plain = aenqEvent.create();
  #ring: GuestRing | null = null;
  #written = 0;
  /** As far as the driver lets us write; free-running, 16 bits. */
  #limit = 0;

  constructor(memory: GuestMemory, clock: Clock, diagnostics: Diagnostics) {
    this.#memory = memory;
    this.#clock = clock;
    this.#diagnostics = diagnostics;
  }

  reset(): void {
    this.#ring = null;
    this.#written = 0;
    this.#limit = 0;
    this.enabledGroups = 0;
  }

  /** Whether the driver has given the queue memory. */
  get isSetUp(): boolean {
    return this.#ring !== null;
  }

  setUp(iova: number, caps: number): void {
    const depth = caps & 0xffff;
    this.#written = 0;
    this.#limit = 0;
    if (isRingDepth(depth, maxDepth) && caps >>> 16 === AENQ_ENTRY_BYTES) {
      this.#ring = new GuestRing(this.#memory, iova, depth, AENQ_ENTRY_BYTES, 'write');
      return;
    }
    this.#ring = null;
    this.#diagnostics.refuse(enaRules['admin-queue-shape'], () => `AENQ depth ${depth}`);
  }

  setHead(head: number): void {
    this.#limit = head & 0xffff;
  }

  /** Each returns whether the event was written (and the management vector is due). */
  linkChange(up: boolean): boolean {
    const event = this.#link;
    event.clear();
    event.link_status = up ? 1 : 0;
    return this.#post(AENQ_GROUP.LINK_CHANGE, event);
  }

  keepAlive(stats: EnaStats): boolean {
    const event = this.#keepAlive;
    event.clear();
    [event.rx_drops_low, event.rx_drops_high] = split(stats.rxDrops);
    [event.tx_drops_low, event.tx_drops_high] = split(stats.txDrops);
    [event.rx_overruns_low, event.rx_overruns_high] = split(stats.rxOverruns);
    return this.#post(AENQ_GROUP.KEEP_ALIVE, event);
  }

  /** FATAL_ERROR, WARNING, REFRESH_CAPABILITIES or DEVICE_REQUEST_RESET. */
  plain(group: number): boolean {
    this.#plain.clear();
    return this.#post(group, this.#plain);
  }

  /** New hints, by which a driver changes its time-outs. Zero: the driver's own. */
  hints(watchdogMs: number, missingTxMs: number): boolean {
    const event = aenqHints.create();
    event.syndrome = AENQ_SYNDROME_UPDATE_HINTS;
    event.driver_watchdog_timeout = watchdogMs;
    event.missing_tx_completion_timeout = missingTxMs;
    return this.#post(AENQ_GROUP.NOTIFICATION, event);
  }

  /** `bitmap`: what about the configuration deserves the driver's attention. */
  notify(bitmap: number): boolean {
    const event = aenqConfNotifications.create();
    event.notifications_bitmap_lo = bitmap;
    return this.#post(AENQ_GROUP.CONF_NOTIFICATIONS, event);
  }

  #post(group: number, event: EventRecord): boolean {
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
    [event.timestamp_low, event.timestamp_high] = split(now);
    event.store(ring.words, ring.at(this.#written));
    ring.push(this.#written);
    this.#written++;
    return true;
  }
}

type EventRecord = ReturnType<typeof aenqEvent.create>;
