/** The events that ENA tells its driver of: link changes, keep-alives, errors. */
import {
  AENQ_GROUP,
  AENQ_SYNDROME_UPDATE_HINTS,
  aenqConfNotifications,
  aenqEvent,
  type aenqHints,
  aenqKeepAlive,
  aenqLinkChange,
} from '../../defs/ena-admin.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { EventRing } from '../amazon/event-ring.ts';
import { enaRules } from './rules.ts';
import { type EnaStats, split } from './stats.ts';

export class EventQueue extends EventRing {
  readonly #link = aenqLinkChange.create();
  readonly #keepAlive = aenqKeepAlive.create();
  readonly #plain = aenqEvent.create();

  constructor(memory: GuestMemory, clock: Clock, diagnostics: Diagnostics) {
    super(memory, clock, diagnostics, enaRules['admin-queue-shape']);
  }

  /** Each returns whether the event was written (and the management vector is due). */
  linkChange(up: boolean): boolean {
    const event = this.#link;
    event.clear();
    event.link_status = up ? 1 : 0;
    return this.post(AENQ_GROUP.LINK_CHANGE, event);
  }

  keepAlive(stats: EnaStats): boolean {
    const event = this.#keepAlive;
    event.clear();
    [event.rx_drops_low, event.rx_drops_high] = split(stats.rxDrops);
    [event.tx_drops_low, event.tx_drops_high] = split(stats.txDrops);
    [event.rx_overruns_low, event.rx_overruns_high] = split(stats.rxOverruns);
    return this.post(AENQ_GROUP.KEEP_ALIVE, event);
  }

  /** FATAL_ERROR, WARNING, REFRESH_CAPABILITIES or DEVICE_REQUEST_RESET. */
  plain(group: number): boolean {
    this.#plain.clear();
    return this.post(group, this.#plain);
  }

  /** New hints, by which a driver changes its time-outs. */
  hints(event: ReturnType<typeof aenqHints.create>): boolean {
    event.syndrome = AENQ_SYNDROME_UPDATE_HINTS;
    return this.post(AENQ_GROUP.NOTIFICATION, event);
  }

  /** `bitmap`: what about the configuration deserves the driver's attention. */
  notify(bitmap: number): boolean {
    const event = aenqConfNotifications.create();
    event.notifications_bitmap_lo = bitmap;
    return this.post(AENQ_GROUP.CONF_NOTIFICATIONS, event);
  }
}
