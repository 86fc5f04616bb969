/** What a switch is made with. */
import type { Clock } from '../lib/clock.ts';
import type { Delivery, Forwarder } from './forwarder.ts';

export type SwitchOptions = {
  readonly clock: Clock;
  /** Learned MACs at most (a power of two); 4096 unless told. */
  readonly learnedMacs?: number;
  /** How long a learned MAC lasts; 300 s unless told. */
  readonly agingNs?: number;
  /** What decides where frames go; a bridge unless told. */
  readonly forwarder?: (delivery: Delivery) => Forwarder;
};
