/**
 * The mailbox as hardware (82599 datasheet, 8.3.5.1.5 and 4.6.11): sixteen words that function and
 * parent share, and a register that says whose turn it is. What messages mean is the parent's.
 */
import { MAILBOX, MBX_WORDS } from '../../defs/ixgbevf-mbx.ts';

/** Whom the function talks to. */
export interface MailboxPeer {
  /** The function's message; the answer is what `words` hold then, `count` of them; 0: none. */
  message(words: Uint32Array): number;
  /** The function has read what was posted. */
  acknowledged(): void;
}

export class Mailbox {
  readonly #peer: MailboxPeer;
  readonly #changed: () => void;
  /** What the function sees: VFMBMEM. */
  readonly words = new Uint32Array(MBX_WORDS);
  /** What the parent is about to post, while the function has the memory. */
  readonly #waiting = new Uint32Array(MBX_WORDS);
  #waits = 0;
  #vfu = 0;
  /** PFSTS, PFACK, RSTD; and RSTI. */
  #status = 0;

  /** `changed`: the function has something to look at. */
  constructor(peer: MailboxPeer, changed: () => void) {
    this.#peer = peer;
    this.#changed = changed;
  }

  /** A function level reset leaves RSTI alone. */
  reset(): void {
    this.#vfu = 0;
    this.#waits = 0;
    this.#status &= MAILBOX.RSTI;
    this.words.fill(0);
  }

  /** VFMAILBOX is read. */
  read(): number {
    const value = this.#status | this.#vfu;
    this.#status &= ~MAILBOX.READ_TO_CLEAR;
    return value;
  }

  /** VFMAILBOX is written; bits that are not the function's mean nothing. */
  write(value: number): void {
    this.#vfu = value & MAILBOX.VFU;
    if ((value & MAILBOX.REQ) !== 0) this.#request();
    if ((value & MAILBOX.ACK) !== 0) this.#peer.acknowledged();
    if (this.#vfu === 0 && this.#waits > 0) this.#deliver();
  }

  /** The parent's message: now, or when the function has given the memory back. */
  post(first: number): void {
    this.#waiting[0] = first;
    this.#waits = 1;
    if (this.#vfu === 0) this.#deliver();
  }

  /** The parent resets itself, and is back. */
  parentResets(inProgress: boolean): void {
    this.#status = inProgress
      ? this.#status | MAILBOX.RSTI
      : (this.#status & ~MAILBOX.RSTI) | MAILBOX.RSTD;
    this.#changed();
  }

  /** A parent that is being reset hears nothing. */
  #request(): void {
    if ((this.#status & MAILBOX.RSTI) !== 0) return;
    this.#waiting.set(this.words);
    this.#waits = this.#peer.message(this.#waiting);
    this.#status |= MAILBOX.PFACK;
    this.#changed();
  }

  #deliver(): void {
    for (let i = 0; i < this.#waits; i++) this.words[i] = this.#waiting[i] as number;
    this.#waits = 0;
    this.#status |= MAILBOX.PFSTS;
    this.#changed();
  }
}
