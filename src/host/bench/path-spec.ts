/** What a run of the whole data path is made of, as plain data: it goes to a process of its own. */
import type { EthernetName } from '../dataplane/models.ts';

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
  /** Only what functions and switch take counts, not what drivers do: as if those had another core. */
  readonly withoutDrivers?: boolean;
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
  | { readonly kind: 'switch'; readonly spec: SwitchSpec }
  | { readonly kind: 'copy'; readonly spec: CopySpec }
  | { readonly kind: 'latency'; readonly spec: PathSpec };

/** One slice: how many frames (or copies), and the CPU time of the process that they took. */
export type Slice = { readonly frames: number; readonly ns: number };

/** Percentiles in nanoseconds, and what the garbage collector did meanwhile. */
export type LatencySlice = {
  readonly frames: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly collections: number;
  readonly longestPauseMs: number;
};
