/**
 * What EC2 grants an instance, as its function reports it: how often each allowance was exceeded,
 * and what ENA Express did. The network counts, this reads it from the port.
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
  | 'expressMode'
  | 'expressSent'
  | 'expressReceived'
>;

export class Allowances {
  readonly #port: Granted;

  constructor(port: Granted) {
    this.#port = port;
  }

  /** ENA_ADMIN_ENA_SRD_*: 1 enabled, 2 for UDP. */
  get srdFlags(): number {
    return this.#port.expressMode;
  }

  /** Each packet that may go by SRD does. */
  get srdTxPackets(): number {
    return this.#port.expressSent;
  }

  get srdRxPackets(): number {
    return this.#port.expressReceived;
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
