/** Traffic statistics of one function, as its driver may ask for them: exact to 2^53. */
import type { Port } from '../../net/port.ts';

export class EnaStats {
  txBytes = 0;
  txPackets = 0;
  txDrops = 0;
  rxBytes = 0;
  rxPackets = 0;
  rxDrops = 0;
  readonly #port: Pick<Port, 'overruns'>;

  constructor(port: Pick<Port, 'overruns'>) {
    this.#port = port;
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
