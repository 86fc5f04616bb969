/**
 * How long the driver waits for its device, and when it gives up and calls for a reset: a missing
 * keep-alive, or too many packets that were never completed. The device's hints change each of
 * these times. Follows `ena_update_hints`, `check_for_missing_keep_alive` and
 * `check_missing_comp_in_tx_queue` of Linux.
 */
import { HW_HINTS_NO_TIMEOUT, type hwHintsResp } from '../../defs/ena-admin.ts';
import { type Clock, nsPerMs } from '../../lib/clock.ts';
import type { Record32 } from '../../lib/layout.ts';
import type { ResetReason } from './mmio.ts';
import type { TxQueue } from './tx-queue.ts';

type Hints = Partial<Record32<typeof hwHintsResp.fields>>;

/** Linux's own: ENA_DEVICE_KALIVE_TIMEOUT, TX_TIMEOUT, MAX_NUM_OF_TIMEOUTED_PACKETS and so on. */
const own = {
  mmioReadMs: 200,
  adminMs: 3000,
  keepAliveMs: 6000,
  missingTxMs: 5000,
  missedTxPackets: 128,
};
export type Patience = typeof own;

export class Watchdog {
  readonly clock: Clock | null;
  /** As hinted; Infinity: for ever. */
  patience: Patience = { ...own };
  /** When the device last showed a sign of life, by the clock. */
  #alive = 0;
  #keepAlives = 0;

  /** Without a clock nothing is ever too late. */
  constructor(clock: Clock | null) {
    this.clock = clock;
  }

  /** After a reset: the driver's own times, until the device hints others. */
  reset(): void {
    this.patience = { ...own };
    this.#alive = this.clock?.now() ?? 0;
  }

  /** A hint of 0 changes nothing. */
  take(hints: Hints): void {
    const { patience } = this;
    const hinted = (value: number | undefined, now: number): number =>
      value === undefined || value === 0 ? now : value;
    const time = (value: number | undefined, now: number): number =>
      value === HW_HINTS_NO_TIMEOUT ? Infinity : hinted(value, now);
    this.patience = {
      mmioReadMs: hinted(hints.mmio_read_timeout, patience.mmioReadMs),
      adminMs: hinted(hints.admin_completion_tx_timeout, patience.adminMs),
      keepAliveMs: time(hints.driver_watchdog_timeout, patience.keepAliveMs),
      missingTxMs: time(hints.missing_tx_completion_timeout, patience.missingTxMs),
      missedTxPackets: hinted(
        hints.missed_tx_completion_count_threshold_to_reset,
        patience.missedTxPackets,
      ),
    };
  }

  /** The time by which something that begins now has to be done. */
  deadline(ms: number): number {
    return this.clock === null ? Infinity : this.clock.now() + ms * nsPerMs;
  }

  isPast(deadline: number): boolean {
    return this.clock !== null && this.clock.now() > deadline;
  }

  /** `keepAlives`: how many there were; null: the device sends none. */
  check(keepAlives: number | null, queues: readonly TxQueue[]): ResetReason | null {
    const now = this.clock?.now();
    if (now === undefined) return null;
    if (keepAlives === null || keepAlives !== this.#keepAlives) {
      this.#keepAlives = keepAlives ?? 0;
      this.#alive = now;
    }
    const { keepAliveMs, missingTxMs, missedTxPackets } = this.patience;
    if (now - this.#alive > keepAliveMs * nsPerMs) return 'KEEP_ALIVE_TO';
    const since = now - missingTxMs * nsPerMs;
    const isMissing = queues.some((queue) => queue.sentBefore(since) > missedTxPackets);
    return isMissing ? 'MISS_TX_CMPL' : null;
  }
}
