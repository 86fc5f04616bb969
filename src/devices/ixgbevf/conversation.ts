/** The parent's end of the mailbox: who may speak when, and which answer goes back. */
import { MBX_ANSWER, VF_MSG } from '../../defs/ixgbevf-mbx.ts';
import type { Trace } from '../../lib/trace.ts';
import { Mailbox, type MailboxPeer } from './mailbox.ts';
import type { Parent } from './parent.ts';
import { messages } from './parent-messages.ts';
import { ixgbevfRules } from './rules.ts';

/** Words of the answer to RESET. */
const resetWords = 4;
const isAnswer = (MBX_ANSWER.SUCCESS | MBX_ANSWER.FAILURE) >>> 0;

export class Conversation implements MailboxPeer {
  readonly mailbox: Mailbox;
  readonly #parent: Parent;
  readonly #trace: Trace | null;

  /** `changed`: the function has something to look at. */
  constructor(parent: Parent, trace: Trace | null, changed: () => void) {
    this.#parent = parent;
    this.#trace = trace;
    this.mailbox = new Mailbox(this, changed);
    parent.connect(this.mailbox);
  }

  message(words: Uint32Array): number {
    const parent = this.#parent;
    const first = words[0] as number;
    if ((first & isAnswer) !== 0) return 0; // an old answer, sent back
    if (first === VF_MSG.RESET) {
      parent.functionReset();
      parent.clearToSend = true;
      parent.restarts = false;
      words.fill(0, 1);
      this.#answer(words, 0);
      return resetWords;
    }
    if (parent.clearToSend) {
      this.#answer(words, MBX_ANSWER.CTS);
      return words.length;
    }
    // What is under way while the parent changes something is no fault of the driver.
    if (!parent.restarts)
      parent.refuse(ixgbevfRules['mailbox-before-reset'], () => `message 0x${first.toString(16)}`);
    words[0] = (first | MBX_ANSWER.FAILURE) >>> 0;
    return 1;
  }

  /** A function that does not know yet that it has to reset itself learns it here. */
  acknowledged(): void {
    if (!this.#parent.clearToSend) this.mailbox.post(MBX_ANSWER.FAILURE);
  }

  #answer(words: Uint32Array, flags: number): void {
    const parent = this.#parent;
    const first = words[0] as number;
    const message = messages.get(first & 0xffff);
    if (message === undefined)
      parent.refuse(ixgbevfRules['mailbox-unknown'], () => `message 0x${first.toString(16)}`);
    const done = message?.answer({ parent, words, info: (first >>> 16) & 0xff }) ?? false;
    words[0] = (first | (done ? MBX_ANSWER.SUCCESS : MBX_ANSWER.FAILURE) | flags) >>> 0;
    this.#trace?.(
      () => `mailbox ${message?.name ?? first & 0xffff} -> ${done ? 'SUCCESS' : 'FAILURE'}`,
    );
  }
}
