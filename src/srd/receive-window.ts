/**
 * What a peer has sent: which of its newest packets were carried out, and what was answered. A packet
 * that comes twice is answered as the first time, and not carried out again.
 */
export const windowPackets = 1024;
const mask = windowPackets - 1;
const notReceived = 0xff;

export class ReceiveWindow {
  readonly #status = new Uint8Array(windowPackets).fill(notReceived);
  /** Beyond the newest packet; -1: none has come. */
  #top = -1;

  reset(): void {
    this.#status.fill(notReceived);
    this.#top = -1;
  }

  /** Whether the packet is too old to be told from others: its sender has long had an answer. */
  isStale(psn: number): boolean {
    if (this.#top < 0) this.#top = psn;
    return ((psn - this.#top) | 0) < -windowPackets;
  }

  /** What was answered to a packet that is not stale; -1: it is new. */
  answerTo(psn: number): number {
    if (((psn - this.#top) | 0) >= 0) return -1;
    const status = this.#status[psn & mask] as number;
    return status === notReceived ? -1 : status;
  }

  /** A new packet was carried out. */
  record(psn: number, status: number): void {
    const ahead = (psn - this.#top) | 0;
    if (ahead >= 0) {
      if (ahead >= windowPackets) this.#status.fill(notReceived);
      else for (let i = 0; i <= ahead; i++) this.#status[(this.#top + i) & mask] = notReceived;
      this.#top = (psn + 1) >>> 0;
    }
    this.#status[psn & mask] = status;
  }
}
