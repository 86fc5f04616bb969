/**
 * What EC2 grants an instance, as its function reports it: how often each allowance was exceeded,
 * and what ENA Express did. The function reads these numbers, whoever enforces limits adds to them.
 */
export class Allowances {
  bwInExceeded = 0;
  bwOutExceeded = 0;
  ppsExceeded = 0;
  conntrackExceeded = 0;
  linklocalExceeded = 0;
  /** Connections that can still be tracked. */
  conntrackAvailable = 0;
  /** Bits: 0 enabled, 1 UDP, 2 no UDP ordering. */
  srdFlags = 0;
  srdTxPackets = 0;
  srdEligibleTxPackets = 0;
  srdRxPackets = 0;
  /** Percent. */
  srdUtilization = 0;

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
