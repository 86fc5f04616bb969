/**
 * A driven NIC as a network stack sees it, whichever its kind. Frames are Ethernet without FCS.
 */

export interface FrameSink {
  /** A received frame: `bytes[at .. at + length]`, valid during the call only. */
  frame(bytes: Uint8Array, at: number, length: number): void;
}

export interface Nic {
  /** A 48-bit number. */
  readonly mac: number;
  /** Without L2. */
  readonly mtu: number;
  /** Copies a frame; false when there is no room now. */
  send(bytes: Uint8Array, at: number, length: number): boolean;
  /** Ends a burst: what was sent goes out now. */
  flush(): void;
  /** Gives `sink` what has arrived, about `budget` frames at most; returns how many. */
  receive(sink: FrameSink, budget: number): number;
}
