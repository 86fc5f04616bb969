/**
 * What is counted per port: frames and bytes both ways, and one counter per reason both ways.
 * tx is what the port's guest sends, rx what it is sent. In shared memory: any thread may read.
 */
import { Counters } from '../lib/counters.ts';
import { reasonNames } from '../net/reasons.ts';

const reasonCount = reasonNames.length;

export const counter = {
  txFrames: 0,
  txBytes: 1,
  rxFrames: 2,
  rxBytes: 3,
  /** Plus a reason's code. */
  txReason: 4,
  rxReason: 4 + reasonCount,
  /** Packets that an allowance let wait or drop, as ENA's driver names them. */
  bwInExceeded: 4 + 2 * reasonCount,
  bwOutExceeded: 5 + 2 * reasonCount,
  ppsExceeded: 6 + 2 * reasonCount,
  /** Packets that went by ENA Express. */
  expressTx: 7 + 2 * reasonCount,
  expressRx: 8 + 2 * reasonCount,
  /** Sent by the fast path; they are among `txFrames`. */
  fastTx: 9 + 2 * reasonCount,
} as const;

/**
 * `tx_frames`, .. `rx_bytes`, then `tx_runt`, .. by reason, then what exceeded an allowance, then ENA
 * Express, then the fast path.
 */
export const counterNames: readonly string[] = [
  'tx_frames',
  'tx_bytes',
  'rx_frames',
  'rx_bytes',
  ...reasonNames.map((name) => `tx_${name}`),
  ...reasonNames.map((name) => `rx_${name}`),
  'bw_in_allowance_exceeded',
  'bw_out_allowance_exceeded',
  'pps_allowance_exceeded',
  'express_tx_frames',
  'express_rx_frames',
  'fast_tx_frames',
];

export const createPortCounters = (): Counters => new Counters(counterNames);

/** Adds the values of one set of counters to another. */
export function accumulate(into: Counters, from: Counters): void {
  for (let i = 0; i < into.values.length; i++)
    into.values[i] = (into.values[i] as number) + (from.values[i] as number);
}
