/**
 * What EC2 grants an instance, as its function reports it: how often each allowance was exceeded,
 * and what ENA Express did. What the network counts is read from the port; to the rest, whoever
 * enforces limits adds.
 */
import type { Port } from '../../net/port.ts';

type Granted = Pick<
  Port,
  | 'bandwidthInExceeded'
  | 'bandwidthOutExceeded'
  | 'packetRateExceeded'
  | 'linkLocalExceeded'
  | 'trackingExceeded'
  | 'trackingAvailable'
>;

export class Allowances {
  /** Bits: 0 enabled, 1 UDP, 2 no UDP ordering. */
  srdFlags = 0;
  srdTxPackets = 0;
  srdEligibleTxPackets = 0;
  srdRxPackets = 0;
  /** Percent. */
  srdUtilization = 0;

  readonly #port: Granted;

  constructor(port: Granted) {
    this.#port = port;
  }

  get bwInExceeded(): number {
    return this.#port.bandwidthInExceeded;
  }

  get bwOutExceeded(): number {
    return this.#port.bandwidthOutExceeded;
  }

  get ppsExceeded(): number {
    return this.#port.packetRateExceeded;
  }

  get conntrackAvailable(): number {
    return this.#port.trackingAvailable;
  }

  get conntrackExceeded(): number {
    return this.#port.trackingExceeded;
  }

  get linklocalExceeded(): number {
    return this.#port.linkLocalExceeded;
  }

  /** In the order of `CUSTOMER_METRICS`. */
  customerMetrics(): number[] {
    return [
      this.bwInExceeded,
      this.bwOutExceeded,
      this.ppsExceeded,
      this.conntrackExceeded,
      this.linklocalExceeded,
      this.conntrackAvailable,
    ];
  }
}
