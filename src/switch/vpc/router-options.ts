/** What a VPC's router is made with. */
import type { Arena } from '../../lib/arena.ts';
import type { Prng } from '../../lib/prng.ts';
import type { Policy } from './policy.ts';

export type VpcRouterOptions = {
  readonly policy: Policy;
  /** Where the secrets of the tables come from. */
  readonly random: Prng;
  /** Flows that are remembered at most, of each IP version; a power of two, 65536 unless told. */
  readonly flows?: number;
  /** Connections that are tracked at most; a power of two, 262144 unless told. */
  readonly connections?: number;
  /** Of them, for one instance; 65536 unless told. */
  readonly connectionsPerInstance?: number;
  /** Fragmented packets on their way; a power of two, 1024 unless told. */
  readonly fragments?: number;
  /** Where flows and connections are kept. */
  readonly arena?: Arena;
};
