/** What the management vector tells of: answered commands, and events such as the keep-alive. */
import { AENQ_GROUP, aenqEvent } from '../../defs/efa-admin.ts';
import { type Clock, nsPerSecond, type Timer } from '../../lib/clock.ts';
import type { Interrupts } from '../../pci/function.ts';
import type { EventRing } from '../amazon/event-ring.ts';

export class Management {
  readonly #events: EventRing;
  readonly #clock: Clock;
  readonly #interrupts: Interrupts;
  readonly #event = aenqEvent.create();
  /** Of admin answers, and of events. */
  #answerVector = 0;
  #eventVector = 0;
  #masked = false;
  /** Vectors that were due while they were masked. */
  #pending = new Set<number>();
  #keepAlive: Timer | null = null;

  constructor(events: EventRing, clock: Clock, interrupts: Interrupts) {
    this.#events = events;
    this.#clock = clock;
    this.#interrupts = interrupts;
  }

  reset(): void {
    this.#keepAlive?.cancel();
    this.#keepAlive = null;
    this.#masked = false;
    this.#pending.clear();
    this.#answerVector = 0;
    this.#eventVector = 0;
  }

  setAnswerVector(vector: number): void {
    this.#answerVector = vector;
  }

  setEventVector(vector: number): void {
    this.#eventVector = vector;
  }

  answered(): void {
    this.#raise(this.#answerVector);
  }

  /** INTR_MASK. */
  mask(masked: boolean): void {
    this.#masked = masked;
    if (masked) return;
    const due = [...this.#pending];
    this.#pending.clear();
    for (const vector of due) this.#raise(vector);
  }

  /** AENQ_CONS_DB: so many events were read. From the first time on there are keep-alives. */
  consumed(count: number): void {
    this.#events.setConsumed(count);
    if (this.#keepAlive === null && this.#events.isSetUp) this.#beat();
  }

  fatalError(): void {
    this.#tell(AENQ_GROUP.FATAL_ERROR);
  }

  #tell(group: number): void {
    this.#event.clear();
    if (this.#events.post(group, this.#event)) this.#raise(this.#eventVector);
  }

  #beat(): void {
    this.#keepAlive = this.#clock.after(nsPerSecond, () => {
      this.#tell(AENQ_GROUP.KEEP_ALIVE);
      this.#beat();
    });
  }

  #raise(vector: number): void {
    if (this.#masked) this.#pending.add(vector);
    else this.#interrupts.raise(vector);
  }
}
