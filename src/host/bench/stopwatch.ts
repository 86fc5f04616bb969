/** Adds up how long some work takes, of which there is other work in between. */
import { bigCount } from '../../lib/big-count.ts';
import type { Clock } from '../../lib/clock.ts';
import type { TxEnd } from './path-ends.ts';

export class Stopwatch {
  ns: number = bigCount;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.ns = 0;
  }

  kick(tx: TxEnd): void {
    const start = this.#clock.now();
    tx.kick();
    this.ns += this.#clock.now() - start;
  }
}

/** A doorbell is answered before it returns: what it takes is the functions' and the switch's time. */
export const timedTx = (tx: TxEnd, watch: Stopwatch): TxEnd => ({
  send: (offset, length) => tx.send(offset, length),
  kick: () => watch.kick(tx),
  reap: () => tx.reap(),
});
