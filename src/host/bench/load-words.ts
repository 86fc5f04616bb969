/**
 * What the data plane's thread and the guests' thread tell each other besides frames, and how: a few
 * words, each with one writer and in a cache line of its own, so that looking at them costs the
 * other thread nothing; and messages, which are there before the word that says so.
 */
import type { MessagePort } from 'node:worker_threads';
import type { PairLoad } from './load-ends.ts';

/** Words of shared memory, far from each other. */
const far = 64;
export const word = {
  /** How many commands the guests were given. */
  commands: 0,
  /** 1: they send nothing more. */
  stop: far,
  /** How many commands they have carried out. */
  done: 2 * far,
  /** A line that goes there and comes back, for comparison. */
  there: 3 * far,
  back: 4 * far,
} as const;
export const sharedWords: number = 5 * far;

/** What the guests' thread is started with. */
export type LoadData = {
  readonly shared: SharedArrayBuffer;
  /** Commands come here, and answers go. */
  readonly port: MessagePort;
  readonly pairs: readonly PairLoad[];
};

/**
 * What is due at its times: frames; numbers that come back at once; or numbers that come back when the
 * other thread has been busy with each for as long as with a frame.
 */
export type Paced = 'frames' | 'lines' | 'served';

export type LoadCommand =
  /** Send as much as goes, until told to stop. */
  | { readonly kind: 'flood' }
  /** Send so many per nanosecond, each at its time; those of the first while do not count. */
  | { readonly kind: 'pace'; readonly rate: number; readonly of: Paced; readonly leadNs: number };

export type LoadAnswer = {
  /** Of those that were sent all have arrived. */
  readonly frames: number;
  /** How long there was something to do. */
  readonly busyNs: number;
  /** Of a paced run: how long each took, as a histogram, and the longest. */
  readonly latency?: { readonly counts: Float64Array; readonly max: number };
  /** How long a paced run's thread waited for a core that others had. */
  readonly waitedNs?: number;
};

/** Or what went wrong. */
export type LoadReply = LoadAnswer | { readonly error: string };
