/**
 * A limit that each flow has by itself: TCP and UDP by their 5-tuples, others by addresses and
 * protocol. As long as all flows together keep the limit none can exceed it, and none is looked up:
 * one meter for all. From then on each has its own, which begins full.
 *
 * The table is a bounded cache in sets of four, by 64 bits of two hashes: the flow that was idle
 * longest makes room. One that waits is never given up; where all four do, they share.
 */
import { nsPerSecond } from '../../lib/clock.ts';
import type { Headers } from '../../net/parse.ts';
import { spreadBits } from '../vpc/hash.ts';
import type { Meter } from './meter.ts';

const sets = 256;
const ways = 4;
/** Frames of no IP flow. */
export const noFlow = -1;

export class FlowMeters {
  /** Of all flows together. */
  readonly all: Meter;
  readonly #perNs: number;
  readonly #atOnce: number;
  readonly #patience: number;
  readonly #keys = new Int32Array(sets * ways * 2);
  readonly #level = new Float64Array(sets * ways);
  readonly #waiting = new Float64Array(sets * ways);
  readonly #at = new Float64Array(sets * ways).fill(-Infinity);
  /** How many times the limit a flow has. */
  readonly #times = new Float64Array(sets * ways).fill(1);
  readonly #raised: number;
  /** Bytes of all flows that wait. */
  #queued = 0;

  /** `limit`: a flow's, full. `raised`: how many times of it a flow may have that is `raise`d. */
  constructor(limit: Meter, raised = 1) {
    const { perSecond, atOnce, patience } = limit.spec;
    this.all = limit;
    this.#perNs = perSecond / nsPerSecond;
    this.#atOnce = atOnce;
    this.#patience = patience;
    this.#raised = Math.max(1, raised);
  }

  /** The meter of the frame's flow, or `noFlow`: it cannot be above the limit now. */
  find(h: Headers, bytes: number, now: number): number {
    const { all } = this;
    all.refresh(now);
    const isOpen = all.isOpen;
    all.take(bytes);
    // While one waits each is looked up: what passes unseen would come on top of what is let go.
    if ((isOpen && this.#queued === 0) || h.ipVersion === 0) return noFlow;
    all.level = Math.max(all.level, -this.#atOnce);
    return this.#look(h, now);
  }

  /** From now on the flow has more, until it is forgotten. */
  raise(slot: number): void {
    this.#times[slot] = this.#raised;
  }

  /** Whether a frame of the flow may go at once. */
  isOpen(slot: number): boolean {
    return (this.#level[slot] as number) > 0 && this.#waiting[slot] === 0;
  }

  isShut(slot: number): boolean {
    return (this.#level[slot] as number) <= -this.#patience * (this.#times[slot] as number);
  }

  take(slot: number, bytes: number): void {
    this.#level[slot] = (this.#level[slot] as number) - bytes;
  }

  /** A frame that was taken begins to wait; or ends, with a negative number. */
  wait(slot: number, bytes: number): void {
    const before = this.#waiting[slot] as number;
    const now = Math.max(0, before + bytes);
    this.#waiting[slot] = now;
    this.#queued += now - before;
  }

  waitNs(slot: number, now: number): number {
    this.#refresh(slot, now);
    const debt = -((this.#level[slot] as number) + (this.#waiting[slot] as number));
    const perNs = this.#perNs * (this.#times[slot] as number);
    return debt < 0 ? 0 : Math.floor(debt / perNs) + 1;
  }

  #look(h: Headers, now: number): number {
    const hashed = h.ipVersion === 6 ? h.src0 ^ h.src1 ^ h.dst0 ^ h.dst1 : 0;
    const lower = h.ipVersion === 6 ? h.src2 ^ Math.imul(h.dst2, 5) : 0;
    const ports = h.l4Offset >= 0 ? (h.srcPort << 16) | h.dstPort : 0;
    const a = spreadBits(
      h.src + Math.imul(h.dst, 0x9e37_79b1) + Math.imul(ports, 0x85eb_ca77) + h.l4Protocol + hashed,
    );
    const b = spreadBits(
      Math.imul(h.src, 0xc2b2_ae3d) + h.dst + Math.imul(ports, 0x27d4_eb2f) + lower + hashed,
    );
    const first = (a & (sets - 1)) * ways;
    let oldest = -1;
    for (let slot = first; slot < first + ways; slot++) {
      if (this.#keys[2 * slot] === a && this.#keys[2 * slot + 1] === b && this.#isUsed(slot)) {
        this.#refresh(slot, now);
        return slot;
      }
      if ((this.#waiting[slot] as number) > 0) continue;
      if (oldest < 0 || (this.#at[slot] as number) < (this.#at[oldest] as number)) oldest = slot;
    }
    if (oldest < 0) {
      this.#refresh(first, now);
      return first;
    }
    this.#keys[2 * oldest] = a;
    this.#keys[2 * oldest + 1] = b;
    this.#level[oldest] = this.#atOnce;
    this.#times[oldest] = 1;
    this.#at[oldest] = now;
    return oldest;
  }

  #isUsed(slot: number): boolean {
    return this.#at[slot] !== -Infinity;
  }

  #refresh(slot: number, now: number): void {
    const times = this.#times[slot] as number;
    const earned = (now - (this.#at[slot] as number)) * this.#perNs * times;
    const most = this.#atOnce * times;
    this.#level[slot] = Math.min(most, (this.#level[slot] as number) + earned);
    this.#at[slot] = now;
  }
}
