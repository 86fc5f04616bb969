/** What an ENA function lends to a fast path that gives it frames by the burst. */
import type { BurstReceiver, ReceiverLoan, RingLoan } from '../../net/loans.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { maxRxDescs, type Settings } from './basic-features.ts';
import type { FlowSteering } from './flow-steering.ts';
import type { EnaProfile } from './profile.ts';
import type { Queues } from './queues.ts';
import type { Rss } from './rss.ts';
import type { EnaStats } from './stats.ts';
import { l2Bytes } from './tx-queue.ts';

export type LenderParts = {
  readonly profile: EnaProfile;
  readonly memory: GuestMemory;
  readonly settings: Settings;
  readonly queues: Queues;
  readonly rss: Rss;
  readonly steering: FlowSteering;
  readonly stats: EnaStats;
  /** Whether it can be given frames at all. */
  readonly receives: () => boolean;
};

export class BurstLender implements BurstReceiver {
  readonly #parts: LenderParts;

  constructor(parts: LenderParts) {
    this.#parts = parts;
  }

  /** Frames that steering rules, another hash or time stamps are for have to be received one by one. */
  lend(loan: ReceiverLoan): boolean {
    const { profile, memory, settings, queues, rss, steering, receives } = this.#parts;
    if (!receives() || settings.stampRx || steering.isActive || !rss.isPlain) return false;
    const first = queues.rxQueue(-1);
    if (first === null) return false;
    loan.memory = memory;
    loan.maxBytes = settings.mtu + l2Bytes;
    loan.hash = rss;
    loan.indirection = rss.indirection;
    loan.firstRing = first.shape.index;
    loan.maxBuffers = maxRxDescs(profile, settings);
    loan.joins = profile.largeReceive;
    return true;
  }

  takeBack(loan: ReceiverLoan): void {
    const { stats } = this.#parts;
    stats.rxPackets += loan.frames;
    stats.rxBytes += loan.bytes;
  }

  /** A ring whose completions are another ring's too stays here: only one at a time may write them. */
  lendRing(index: number, loan: RingLoan): boolean {
    const queue = this.#parts.queues.rxQueue(index);
    return queue !== null && index >= 0 && queue.cq.users === 1 && queue.lend(loan);
  }

  takeRingBack(index: number, loan: RingLoan): void {
    this.#parts.queues.rxQueue(index)?.takeBack(loan);
  }
}
