/**
 * One of the ways to a peer, and how much may be under way on it: slow start, then one packet more
 * per round trip; half as many after a loss; one after a time-out. A path that times out again and
 * again is left alone for a while, and the others carry its packets.
 */
const initialWindow = 16;
const maxWindow = 64;
export const minRtoNs = 2e6;
const initialRtoNs = 10e6;
const maxRtoNs = 500e6;
/** Time-outs in a row that make a path a bad one, and for how long. */
const badAfter = 3;
const badForNs = 200e6;

export class Path {
  inFlight = 0;
  window = initialWindow;
  /** The next transmission's number, 16 bits; and the newest one that was answered. */
  nextTag = 0;
  answeredTag = -1;
  /** Until then it is not used. */
  badUntil = 0;
  #threshold = maxWindow;
  #smoothedNs = 0;
  #varianceNs = 0;
  #backoff = 1;
  #timeouts = 0;
  /** No second halving for packets that were sent before the first. */
  #recoverTag = -1;

  reset(): void {
    this.inFlight = 0;
    this.window = initialWindow;
    this.nextTag = 0;
    this.answeredTag = -1;
    this.badUntil = 0;
    this.#threshold = maxWindow;
    this.#smoothedNs = 0;
    this.#varianceNs = 0;
    this.#backoff = 1;
    this.#timeouts = 0;
    this.#recoverTag = -1;
  }

  get rtoNs(): number {
    const rto =
      this.#smoothedNs === 0 ? initialRtoNs : this.#smoothedNs + 4 * this.#varianceNs + minRtoNs;
    return Math.min(maxRtoNs, rto * this.#backoff);
  }

  hasRoom(now: number): boolean {
    return this.inFlight < Math.floor(this.window) && this.badUntil <= now;
  }

  /** Transmission `tag` was answered after `rttNs`; negative: not known. */
  answered(tag: number, rttNs: number): void {
    if (this.answeredTag < 0 || isAfter(tag, this.answeredTag)) this.answeredTag = tag;
    this.#timeouts = 0;
    this.#backoff = 1;
    this.badUntil = 0;
    if (rttNs >= 0) this.#measure(rttNs);
    const more = this.window < this.#threshold ? 1 : 1 / this.window;
    this.window = Math.min(maxWindow, this.window + more);
  }

  /** Whether so many later transmissions were answered that `tag` must be lost. */
  isOvertaken(tag: number): boolean {
    return this.answeredTag >= 0 && isAfter(this.answeredTag, (tag + 2) & 0xffff);
  }

  lost(tag: number): void {
    if (this.#recoverTag >= 0 && !isAfter(tag, this.#recoverTag)) return;
    this.#recoverTag = (this.nextTag - 1) & 0xffff;
    this.#threshold = Math.max(2, this.window / 2);
    this.window = this.#threshold;
  }

  timedOut(now: number): void {
    this.#threshold = Math.max(2, this.window / 2);
    this.window = 1;
    this.#backoff = Math.min(64, this.#backoff * 2);
    if (++this.#timeouts < badAfter) return;
    this.badUntil = now + badForNs;
    this.#timeouts = 0;
  }

  /** RFC 6298, 2. */
  #measure(rttNs: number): void {
    if (this.#smoothedNs === 0) {
      this.#smoothedNs = Math.max(1, rttNs);
      this.#varianceNs = rttNs / 2;
      return;
    }
    this.#varianceNs += (Math.abs(this.#smoothedNs - rttNs) - this.#varianceNs) / 4;
    this.#smoothedNs += (rttNs - this.#smoothedNs) / 8;
  }
}

/** Whether 16-bit number `a` comes after `b`. */
const isAfter = (a: number, b: number): boolean => {
  const distance = (a - b) & 0xffff;
  return distance !== 0 && distance < 0x8000;
};
