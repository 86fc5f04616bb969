/**
 * Packets that were sent to a peer and not answered yet: a ring by sequence number, which spans at
 * most as many as the receiver can tell apart.
 */
import type { SrdMessage } from './message.ts';
import { windowPackets } from './receive-window.ts';

const mask = windowPackets - 1;

export class SendWindow {
  /** By slot; null: free. */
  readonly message: (SrdMessage | null)[] = new Array<SrdMessage | null>(windowPackets).fill(null);
  readonly offset = new Float64Array(windowPackets);
  readonly length = new Uint16Array(windowPackets);
  readonly path = new Uint8Array(windowPackets);
  readonly tag = new Uint16Array(windowPackets);
  readonly sentAt = new Float64Array(windowPackets);
  readonly firstSentAt = new Float64Array(windowPackets);
  readonly tries = new Uint16Array(windowPackets);
  /** To be sent again. */
  readonly isLost = new Uint8Array(windowPackets);
  /** The oldest packet without answer, and the next one's number; 32 bits, free-running. */
  oldest = 1;
  next = 1;
  outstanding = 0;
  lost = 0;

  get isFull(): boolean {
    return ((this.next - this.oldest) | 0) >= windowPackets;
  }

  slot(psn: number): number {
    return psn & mask;
  }

  /** The slot of a packet that is under way, or -1. */
  find(psn: number): number {
    if (((psn - this.oldest) | 0) < 0 || ((psn - this.next) | 0) >= 0) return -1;
    return this.message[psn & mask] === null ? -1 : psn & mask;
  }

  /** Makes a packet of a piece of a message; returns its number. */
  open(message: SrdMessage, offset: number, length: number, now: number): number {
    const psn = this.next;
    const slot = psn & mask;
    this.message[slot] = message;
    this.offset[slot] = offset;
    this.length[slot] = length;
    this.firstSentAt[slot] = now;
    this.tries[slot] = 0;
    this.isLost[slot] = 0;
    this.next = (psn + 1) >>> 0;
    this.outstanding++;
    return psn;
  }

  close(slot: number): void {
    this.message[slot] = null;
    this.outstanding--;
    if (this.isLost[slot] === 1) this.lost--;
    this.isLost[slot] = 0;
    while (this.oldest !== this.next && this.message[this.oldest & mask] === null)
      this.oldest = (this.oldest + 1) >>> 0;
  }

  markLost(slot: number): void {
    if (this.isLost[slot] === 1) return;
    this.isLost[slot] = 1;
    this.lost++;
  }
}
