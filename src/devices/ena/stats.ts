/** Traffic statistics of one function, as its driver may ask for them: exact to 2^53. */
import { bigCount } from '../../lib/big-count.ts';
import type { Port } from '../../net/port.ts';

export class EnaStats {
  txBytes: number = bigCount;
  txPackets: number = bigCount;
  txDrops = 0;
  rxBytes: number = bigCount;
  rxPackets: number = bigCount;
  rxDrops = 0;
  readonly #port: Pick<Port, 'overruns'>;

  constructor(port: Pick<Port, 'overruns'>) {
    this.#port = port;
    this.txBytes = 0;
    this.txPackets = 0;
    this.rxBytes = 0;
    this.rxPackets = 0;
  }

  /** Frames for which no buffer was posted, nor in time. */
  get rxOverruns(): number {
    return this.#port.overruns;
  }
}

/** A counter as two 32-bit words. */
export const split = (value: number): [low: number, high: number] => [
  (value % 2 ** 32) | 0,
  Math.floor(value / 2 ** 32) | 0,
];
