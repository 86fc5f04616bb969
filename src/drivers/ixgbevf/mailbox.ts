/**
 * The function's end of the mailbox: takes the memory, writes, asks, waits for the answer and reads
 * it. Status bits vanish when they are read, so they are kept here until somebody asks for them.
 */
import { MAILBOX, MBX_ANSWER, MBX_WORDS } from '../../defs/ixgbevf-mbx.ts';
import type { VfRegisters } from './registers.ts';

export class VfMailbox {
  readonly #registers: VfRegisters;
  readonly #pause: () => void;
  readonly #maxPolls: number;
  /** Status bits that were read and that nobody has asked for yet. */
  #status = 0;

  constructor(registers: VfRegisters, pause: () => void, maxPolls: number) {
    this.#registers = registers;
    this.#pause = pause;
    this.#maxPolls = maxPolls;
  }

  /** Whether one of these bits was set since it was last asked for. */
  check(bits: number): boolean {
    this.#status |= this.#registers.read('VFMAILBOX');
    const found = (this.#status & bits) !== 0;
    this.#status &= ~bits;
    return found;
  }

  /** Takes the memory; false: the parent has it. */
  take(): boolean {
    this.#registers.write('VFMAILBOX', MAILBOX.VFU);
    this.#status |= this.#registers.read('VFMAILBOX');
    const taken = (this.#status & MAILBOX.VFU) !== 0;
    this.#status &= MAILBOX.READ_TO_CLEAR;
    return taken;
  }

  /** Sends a message; false: it could not, or the parent has not read it. */
  send(words: readonly number[]): boolean {
    if (!this.#until(() => this.take())) return false;
    this.check(MAILBOX.PFSTS);
    this.check(MAILBOX.PFACK);
    for (const [i, word] of words.entries()) this.#registers.write('VFMBMEM', word, i);
    this.#registers.write('VFMAILBOX', MAILBOX.REQ);
    return this.#until(() => this.check(MAILBOX.PFACK));
  }

  /** The parent's message, or null: there is none. */
  receive(): Uint32Array | null {
    if (!this.#until(() => this.check(MAILBOX.PFSTS)) || !this.take()) return null;
    const words = Uint32Array.from({ length: MBX_WORDS }, (_, i) =>
      this.#registers.read('VFMBMEM', i),
    );
    this.#registers.write('VFMAILBOX', MAILBOX.ACK);
    return words;
  }

  /** A question and its answer; null: there was none. */
  ask(words: readonly number[]): Uint32Array | null {
    return this.send(words) ? this.receive() : null;
  }

  /** Whether an answer is one of success to this question. */
  static agrees(answer: Uint32Array | null, question: number): boolean {
    if (answer === null) return false;
    const first = (answer[0] as number) & ~MBX_ANSWER.CTS;
    return first >>> 0 === (question | MBX_ANSWER.SUCCESS) >>> 0;
  }

  #until(done: () => boolean): boolean {
    for (let i = 0; i < this.#maxPolls; i++) {
      if (done()) return true;
      this.#pause();
    }
    return false;
  }
}
