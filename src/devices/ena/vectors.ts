/**
 * Interrupt vectors of the I/O queues. A vector fires once, then stays silent until its driver
 * writes the vector's interrupt register: that register is per *vector*, shared by all completion
 * queues that name it (a driver arms the Tx queue's one for the pair).
 */
import { intrReg } from '../../defs/ena-io.ts';
import type { Interrupts } from '../../pci/function.ts';

export class Vectors {
  readonly #interrupts: Interrupts;
  readonly #armed: Uint8Array;
  /** Completions were written while the vector was silent. */
  readonly #pending: Uint8Array;
  readonly #register = intrReg.create();
  readonly #word = new Int32Array(1);

  constructor(count: number, interrupts: Interrupts) {
    this.#interrupts = interrupts;
    this.#armed = new Uint8Array(count);
    this.#pending = new Uint8Array(count);
  }

  get count(): number {
    return this.#armed.length;
  }

  reset(): void {
    this.#armed.fill(0);
    this.#pending.fill(0);
  }

  /** A vector that has just been given to a queue fires without having been armed. */
  open(vector: number): void {
    this.#armed[vector] = 1;
  }

  /** Completions were published. */
  signal(vector: number): void {
    if (this.#armed[vector] === 0) {
      this.#pending[vector] = 1;
      return;
    }
    this.#armed[vector] = 0;
    this.#interrupts.raise(vector);
  }

  /** The driver's write to the vector's interrupt register. */
  writeRegister(vector: number, value: number): void {
    this.#word[0] = value;
    this.#register.load(this.#word, 0);
    if (this.#register.intr_unmask === 0) return;
    if (this.#pending[vector] === 0) {
      this.#armed[vector] = 1;
      return;
    }
    this.#pending[vector] = 0;
    this.#armed[vector] = 0;
    this.#interrupts.raise(vector);
  }
}
