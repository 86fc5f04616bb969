/**
 * HW hints: time-outs and limits that a card would like its driver to keep. A driver reads them once
 * by GET_FEATURE; when they change it is told by a NOTIFICATION event that holds them all.
 */
import { aenqHints, FEATURE, hwHintsResp } from '../../defs/ena-admin.ts';
import type { Feature } from './feature-call.ts';

const names = [
  'mmio_read_timeout',
  'driver_watchdog_timeout',
  'missing_tx_completion_timeout',
  'missed_tx_completion_count_threshold_to_reset',
  'admin_completion_tx_timeout',
  'netdev_wd_timeout',
  'max_tx_sgl_size',
  'max_rx_sgl_size',
] as const;

/** As in `ena_admin_ena_hw_hints`, time in ms. 0: the driver's own; 0xffff as a time-out: none. */
export type HwHints = { readonly [K in (typeof names)[number]]: number };

const most = 0xffff;

export class Hints {
  #values: HwHints;

  /** Throws a RangeError for what no hint can be. */
  constructor(values: HwHints) {
    this.#values = checked(values);
  }

  /** As it is from now on, also after a reset. Throws as above. */
  change(values: Partial<HwHints>): void {
    this.#values = checked({ ...this.#values, ...values });
  }

  feature(): [number, Feature] {
    return [
      FEATURE.HW_HINTS,
      { get: (call) => call.answer(Object.assign(hwHintsResp.create(), this.#values)) },
    ];
  }

  event(): ReturnType<typeof aenqHints.create> {
    return Object.assign(aenqHints.create(), this.#values);
  }
}

function checked(values: HwHints): HwHints {
  for (const name of names) {
    const value = values[name];
    if (!Number.isInteger(value) || value < 0 || value > most)
      throw new RangeError(`hint ${name}: ${value} is not in 0 to ${most}`);
  }
  return values;
}

/** What a card hints that does not mind: how many buffers a packet may have, and nothing else. */
export const plainHints = (maxTxDescs: number, maxRxDescs: number): HwHints => ({
  mmio_read_timeout: 0,
  driver_watchdog_timeout: 0,
  missing_tx_completion_timeout: 0,
  missed_tx_completion_count_threshold_to_reset: 0,
  admin_completion_tx_timeout: 0,
  netdev_wd_timeout: 0,
  max_tx_sgl_size: maxTxDescs,
  max_rx_sgl_size: maxRxDescs,
});

/** The names of hints, for people who set them. */
export const hintNames: readonly string[] = names;
