/**
 * Interrupts of the function (82599 datasheet, 7.3): a cause bit and a mask bit per MSI-X vector.
 *
 * A message is sent when a cause is set and not masked, but no sooner after the last one than the
 * vector's throttle says. Sending it clears the cause (VFEIAC) and sets the mask (VFEIAM) where the
 * driver asked for that. Which vector a queue or the mailbox has is in VFIVAR.
 */
import { EITR, IVAR } from '../../defs/ixgbevf-regs.ts';
import type { Clock } from '../../lib/clock.ts';
import { OneShots } from '../../lib/one-shots.ts';
import type { Interrupts } from '../../pci/function.ts';

const nsPerUnit = 2000;
/** Vectors that can be throttled. */
const throttled = 2;

export class VfInterrupts {
  readonly #interrupts: Interrupts;
  readonly #clock: Clock;
  readonly #timers: OneShots;
  readonly #vectors: number;
  /** VFEICR, VFEIMS, VFEIAC, VFEIAM. */
  #causes = 0;
  #enabled = 0;
  autoClear = 0;
  autoMask = 0;
  /** VFIVAR, a byte per queue and direction, and VFIVAR_MISC. */
  readonly #ivar = new Uint8Array(16);
  #misc = 0;
  readonly #intervalNs = new Float64Array(throttled);
  readonly #earliest = new Float64Array(throttled);

  constructor(vectors: number, interrupts: Interrupts, clock: Clock) {
    this.#vectors = vectors;
    this.#interrupts = interrupts;
    this.#clock = clock;
    this.#timers = new OneShots(vectors, clock, (vector) => this.#fire(vector));
  }

  reset(): void {
    this.#timers.cancelAll();
    this.#causes = 0;
    this.#enabled = 0;
    this.autoClear = 0;
    this.autoMask = 0;
    this.#ivar.fill(0);
    this.#misc = 0;
    this.#intervalNs.fill(0);
    this.#earliest.fill(0);
  }

  /** VFEICR reads and clears: Linux's `stop_adapter` relies on that. */
  takeCauses(): number {
    const causes = this.#causes;
    this.#causes = 0;
    return causes;
  }

  get enabled(): number {
    return this.#enabled;
  }

  clearCauses(bits: number): void {
    this.#causes &= ~bits;
  }

  /** VFEIMS. */
  enable(bits: number): void {
    this.#enabled |= bits;
    this.#signal(bits & this.#causes);
  }

  /** VFEIMC. */
  disable(bits: number): void {
    this.#enabled &= ~bits;
  }

  /** VFEICS, and whatever happens in the device. */
  setCauses(bits: number): void {
    this.#causes |= bits;
    this.#signal(bits & this.#enabled);
  }

  /** VFIVAR `index`: two queues. */
  setVectors(index: number, value: number): void {
    for (let i = 0; i < 4; i++) this.#ivar[index * 4 + i] = value >>> (8 * i);
  }

  setMiscVector(value: number): void {
    this.#misc = value;
  }

  /** VFEITR: the time between two messages; unless told otherwise, what is left of it as well. */
  setThrottle(vector: number, value: number): void {
    const units = (value >>> EITR.INTERVAL) & EITR.INTERVAL_MASK;
    this.#intervalNs[vector] = units * nsPerUnit;
    if (value >= EITR.CNT_WDIS) return;
    const left = (value >>> EITR.COUNTER) & 0x7f;
    this.#earliest[vector] = this.#clock.now() + left * nsPerUnit;
  }

  queueEvent(queue: number, isTx: boolean): void {
    const entry = this.#ivar[queue * 2 + (isTx ? 1 : 0)] as number;
    if ((entry & IVAR.VALID) !== 0) this.setCauses(1 << (entry & IVAR.VECTOR));
  }

  mailboxEvent(): void {
    if ((this.#misc & IVAR.VALID) !== 0) this.setCauses(1 << (this.#misc & IVAR.MISC_VECTOR));
  }

  #signal(bits: number): void {
    for (let vector = 0; vector < this.#vectors; vector++) {
      if (((bits >>> vector) & 1) === 0) continue;
      const waitNs = vector < throttled ? this.#wait(vector) : 0;
      this.#timers.start(vector, waitNs);
    }
  }

  #wait(vector: number): number {
    if (this.#intervalNs[vector] === 0 && this.#earliest[vector] === 0) return 0;
    return (this.#earliest[vector] as number) - this.#clock.now();
  }

  #fire(vector: number): void {
    const bit = 1 << vector;
    if ((this.#causes & this.#enabled & bit) === 0) return;
    this.#causes &= ~(bit & this.autoClear);
    this.#enabled &= ~(bit & this.autoMask);
    if (vector < throttled) {
      const intervalNs = this.#intervalNs[vector] as number;
      this.#earliest[vector] = intervalNs === 0 ? 0 : this.#clock.now() + intervalNs;
    }
    this.#interrupts.raise(vector);
  }
}
