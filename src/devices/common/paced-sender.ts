/**
 * How a transmit queue spends its time: one doorbell sends a bounded number of frames, and as fast
 * as the function's rate allows; the rest goes on in a later turn, after the others had theirs.
 */
import type { Clock, Timer } from '../../lib/clock.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';
import type { Port } from '../../net/port.ts';

/** What one doorbell may cause at once. */
const framesPerTurn = 2048;
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
    while (waitNs === 0 && queue.pending && this.#budget > 0 && queue.sendOne())
      if (rate !== null) waitNs = rate.waitNs(clock.now());
    port.flush();
    queue.turnEnds();
    if ((waitNs > 0 || this.#budget <= 0) && queue.pending)
      this.#rest = clock.after(waitNs, () => this.#run());
  }
}

/** Limits what a function sends, in bits per second; null: no limit. */
export function limitRate(host: SenderHost, rateBps: number | null): void {
  const burstBytes = Math.max(minBurstBytes, ((rateBps ?? 0) / 8) * burstSeconds);
  host.rate = rateBps === null ? null : new TokenBucket(rateBps, burstBytes, host.clock.now());
}
