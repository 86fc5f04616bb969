/** What a run of the whole data path is made of, as plain data: it goes to a process of its own. */
import type { EthernetName } from '../dataplane/models.ts';

/** What can carry frames, the product's own choice first. */
export const engines = ['wasm', 'typescript'] as const;
export type Engine = (typeof engines)[number];

export type PathSpec = {
  readonly nic: EthernetName;
  /** An Ethernet that learns; or a VPC's groups, ACLs, routes, tracking and allowances. */
  readonly fabric: 'bridge' | 'vpc';
  /** Of an Ethernet frame, without its check sequence; what the sender gives to its NIC. */
  readonly bytes: number;
  /** Frames are TCP and cut into segments with so much payload by the NIC. */
  readonly mss?: number;
  /** The generation profile; the model's default if absent. */
  readonly profile?: string;
  /** The driver's transmit ring lies in the function's memory (ENA's low-latency queue). */
  readonly llq?: boolean;
  /** What carries the frames; the product's own choice if absent. */
  readonly engine?: Engine;
  /** Senders and receivers, two functions each. */
  readonly pairs: number;
  /** Of each pair; one frame of each in turn. */
  readonly flows: number;
};

/** The plain copy of the same frames, out of the same memory into the same memory. */
export type CopySpec = { readonly bytes: number };

/** The switch alone. */
export type SwitchSpec = Pick<PathSpec, 'fabric' | 'bytes' | 'flows'> & {
  /** The switch makes the sums, and where told the receiver has them verified. */
  readonly sums?: 'made' | 'verified';
};

/** What a process that was started for it does on request. */
export type Job =
  | { readonly kind: 'path'; readonly spec: PathSpec }
  | { readonly kind: 'one-thread'; readonly spec: PathSpec }
  | { readonly kind: 'switch'; readonly spec: SwitchSpec }
  | { readonly kind: 'copy'; readonly spec: CopySpec }
  | { readonly kind: 'latency'; readonly spec: PathSpec };

/** One slice: how many frames (or copies), and the CPU time of the process that they took. */
export type Slice = { readonly frames: number; readonly ns: number };

/**
 * One slice of guests and data plane on threads of their own: `ns` is the CPU time of the data plane's
 * thread in which it had something to do.
 */
export type ThreadedSlice = Slice & {
  readonly realNs: number;
  /** How long the guests' thread had something to do. */
  readonly guestsNs: number;
};

/** Percentiles in nanoseconds. */
export type Percentiles = {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
};

/** Frames at half load, numbers that go the same way, and what else went on meanwhile. */
export type LatencySlice = {
  /** Frames per nanosecond. */
  readonly rate: number;
  readonly frames: Percentiles;
  readonly lines: Percentiles;
  /** Of numbers each of which takes as long as a frame. */
  readonly served: Percentiles;
  /** So much of the time one of the two threads wanted a core that others had. */
  readonly waitedShare: number;
  readonly collections: number;
  readonly longestPauseMs: number;
};
