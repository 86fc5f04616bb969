/** The card's clock: nanoseconds since 1970, as the two 32-bit words that its answers hold. */
import type { Clock } from '../../lib/clock.ts';

const word = 2 ** 32;

export class DeviceTime {
  lo = 0;
  hi = 0;
  readonly #clock: Clock;
  readonly #startLo: number;
  readonly #startHi: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startLo = Number(clock.epochNs & 0xffff_ffffn);
    this.#startHi = Number(clock.epochNs >> 32n);
  }

  /** Sets `lo` and `hi` to now. */
  read(): void {
    const now = Math.floor(this.#clock.now());
    const high = Math.floor(now / word);
    const low = this.#startLo + (now - high * word);
    const carry = low >= word ? 1 : 0;
    this.lo = (low - carry * word) | 0;
    this.hi = (this.#startHi + high + carry) | 0;
  }
}
