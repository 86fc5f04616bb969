/** Traffic statistics of one function, as its driver may ask for them. Plain numbers, exact to 2^53. */
export class EnaStats {
  txBytes = 0;
  txPackets = 0;
  txDrops = 0;
  rxBytes = 0;
  rxPackets = 0;
  rxDrops = 0;
  /** Frames for which no buffer was posted. */
  rxOverruns = 0;

  reset(): void {
    this.txBytes = 0;
    this.txPackets = 0;
    this.txDrops = 0;
    this.rxBytes = 0;
    this.rxPackets = 0;
    this.rxDrops = 0;
    this.rxOverruns = 0;
  }
}

/** A counter as two 32-bit words. */
export const split = (value: number): [low: number, high: number] => [
  (value % 2 ** 32) | 0,
  Math.floor(value / 2 ** 32) | 0,
];
