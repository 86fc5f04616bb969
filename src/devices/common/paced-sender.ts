/**
 * How a transmit queue spends its time: one doorbell sends a bounded number of frames, and as fast
 * as the function's rate allows; the rest goes on in a later turn, after the others had theirs.
 */
import type { Clock, Timer } from '../../lib/clock.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';
import type { Port } from '../../net/port.ts';

/** What one doorbell may cause at once. */
const framesPerTurn = 2048;
/** Packets that go one by one at most before a burst is tried once more. */
const mostSingles = 64;
/** What a function with a limited rate may send at once. */
const burstSeconds = 0.005;
const minBurstBytes = 16_384;

/** What a sender needs of the function. */
export type SenderHost = {
  readonly clock: Clock;
  readonly port: Port;
  /** What the function may send; null: as much as it can. */
  rate: TokenBucket | null;
};

export interface Sendable {
  /** Whether the rings can be reached; asked before each turn. */
  ready(): boolean;
  /** Whether anything is posted. */
  readonly pending: boolean;
  /**
   * Sends packets that can go by the burst, `most` at most; returns how many, and spends nothing.
   * Absent: all go one by one.
   */
  sendBurst?(most: number): number;
  /** Sends one packet; false: the rest is not complete, or the queue has stopped. */
  sendOne(): boolean;
  /** After receivers were told, who wait longer. */
  turnEnds(): void;
}

export class PacedSender {
  readonly #queue: Sendable;
  readonly #host: SenderHost;
  /** Frames that may still be sent in this turn, and the turn in which to go on. */
  #budget = 0;
  #rest: Timer | null = null;
  /** So many go one by one after a burst; more and more while bursts are in vain. */
  #singles = 1;

  constructor(queue: Sendable, host: SenderHost) {
    this.#queue = queue;
    this.#host = host;
  }

  /** Something was posted. */
  kick(): void {
    if (this.#rest === null) this.#run();
  }

  /** A packet of the queue goes out, as so many frames. */
  spend(frames: number, bytes: number): void {
    this.#budget -= frames;
    this.#host.rate?.spend(bytes);
  }

  stop(): void {
    this.#rest?.cancel();
    this.#rest = null;
  }

  #run(): void {
    this.#rest = null;
    const queue = this.#queue;
    if (!queue.ready()) return;
    const { clock, port, rate } = this.#host;
    this.#budget = framesPerTurn;
    let waitNs = rate === null ? 0 : rate.waitNs(clock.now());
    let singles = rate === null && queue.sendBurst !== undefined ? 0 : Infinity;
    while (waitNs === 0 && queue.pending && this.#budget > 0) {
      if (singles-- === 0) {
        singles = this.#sendBurst();
        continue;
      }
      if (!queue.sendOne()) break;
      if (rate !== null) waitNs = rate.waitNs(clock.now());
    }
    port.flush();
    queue.turnEnds();
    if ((waitNs > 0 || this.#budget <= 0) && queue.pending)
      this.#rest = clock.after(waitNs, () => this.#run());
  }

  /** Returns how many packets are to go one by one then. */
  #sendBurst(): number {
    const sent = this.#queue.sendBurst?.(this.#budget) ?? 0;
    this.#budget -= sent;
    this.#singles = sent > 0 ? 1 : Math.min(mostSingles, 2 * this.#singles);
    return this.#singles;
  }
}

/** Limits what a function sends, in bits per second; null: no limit. */
export function limitRate(host: SenderHost, rateBps: number | null): void {
  const burstBytes = Math.max(minBurstBytes, ((rateBps ?? 0) / 8) * burstSeconds);
  host.rate = rateBps === null ? null : new TokenBucket(rateBps, burstBytes, host.clock.now());
}
