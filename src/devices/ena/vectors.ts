/**
 * Interrupt vectors of the I/O queues, and their moderation.
 *
 * A vector fires once, then stays silent until its driver writes the vector's interrupt register:
 * that register is per *vector*, shared by all completion queues that name it (a driver arms the
 * Tx queue's one for the pair).
 *
 * With a delay an armed vector fires later, for all that has come until then: because of received
 * frames no sooner than their delay after it fired last, so that a lone frame does not wait; because
 * of sent ones alone, that long after the second burst of them. A single burst waits longer, for an
 * answer to be told of with it: the guest of a ping would else be busy with what it has sent when
 * the answer comes. From when a card counts is not published; Linux leaves its adaptive moderation
 * in the mode in which the period begins with an interrupt.
 */
import { intrReg } from '../../defs/ena-io.ts';
import type { Clock } from '../../lib/clock.ts';
import { OneShots } from '../../lib/one-shots.ts';
import type { Interrupts } from '../../pci/function.ts';

const nsPerUs = 1000;
const transmit = 1;
const receive = 2;
/** More than one burst of transmit completions. */
const repeated = 4;
/** How long a single one waits for something received. */
const loneTransmitNs = 1_000_000;

export class Vectors {
  readonly #interrupts: Interrupts;
  /** Nanoseconds per unit of delay; 0: there is no moderation. */
  readonly #unitNs: number;
  readonly #armed: Uint8Array;
  /** Completions were written and not yet signalled: transmit, receive, repeated. */
  readonly #pending: Uint8Array;
  readonly #rxDelay: Uint16Array;
  readonly #txDelay: Uint16Array;
  /** When each vector fired last. */
  readonly #firedAt: Float64Array;
  readonly #clock: Clock;
  readonly #timers: OneShots;
  readonly #register = intrReg.create();
  readonly #word = new Int32Array(1);

  constructor(count: number, interrupts: Interrupts, clock: Clock, resolutionUs: number) {
    this.#interrupts = interrupts;
    this.#unitNs = resolutionUs * nsPerUs;
    this.#armed = new Uint8Array(count);
    this.#pending = new Uint8Array(count);
    this.#rxDelay = new Uint16Array(count);
    this.#txDelay = new Uint16Array(count);
    this.#firedAt = new Float64Array(count).fill(-Infinity);
    this.#clock = clock;
    this.#timers = new OneShots(count, clock, (vector) => this.#fire(vector));
  }

  get count(): number {
    return this.#armed.length;
  }

  reset(): void {
    this.#timers.cancelAll();
    this.#armed.fill(0);
    this.#pending.fill(0);
    this.#rxDelay.fill(0);
    this.#txDelay.fill(0);
    this.#firedAt.fill(-Infinity);
  }

  /** A vector that has just been given to a queue fires without having been armed. */
  open(vector: number): void {
    this.#armed[vector] = 1;
  }

  /** Completions of a receive or a transmit queue were published. */
  signal(vector: number, isRx: boolean): void {
    const before = this.#pending[vector] as number;
    const again = (before & transmit) === 0 ? 0 : repeated;
    const pending = before | (isRx ? receive : transmit | again);
    this.#pending[vector] = pending;
    if (this.#armed[vector] === 1) this.#schedule(vector, pending);
  }

  /** A transmit completion that waits does not hold up a receive one. */
  #schedule(vector: number, pending: number): void {
    if ((pending & receive) === 0) {
      const delay = (this.#txDelay[vector] as number) * this.#unitNs;
      const isLone = delay > 0 && (pending & repeated) === 0;
      this.#timers.start(vector, isLone ? Math.max(delay, loneTransmitNs) : delay);
      return;
    }
    const delay = (this.#rxDelay[vector] as number) * this.#unitNs;
    const passed = delay > 0 ? this.#clock.now() - (this.#firedAt[vector] as number) : 0;
    this.#timers.start(vector, delay - passed);
  }

  /** The driver's write to the vector's interrupt register. */
  writeRegister(vector: number, value: number): void {
    this.#word[0] = value;
    const register = this.#register;
    register.load(this.#word, 0);
    if (register.no_moderation_update === 0) {
      this.#rxDelay[vector] = register.rx_intr_delay;
      this.#txDelay[vector] = register.tx_intr_delay;
    }
    if (register.intr_unmask === 0) return;
    this.#armed[vector] = 1;
    const pending = this.#pending[vector] as number;
    if (pending !== 0) this.#schedule(vector, pending);
  }

  #fire(vector: number): void {
    if (this.#armed[vector] === 0) return;
    this.#armed[vector] = 0;
    this.#pending[vector] = 0;
    if (this.#rxDelay[vector] !== 0) this.#firedAt[vector] = this.#clock.now();
    this.#interrupts.raise(vector);
  }
}
