/**
 * A fabric on which things go wrong, by a seed: packets are lost, delayed, overtake each other, and
 * whole paths fail for a while. The same seed, at the same times, does the same.
 */
import { type Clock, nsPerMs } from '../lib/clock.ts';
import { Prng } from '../lib/prng.ts';
import { Frame, maxFrameBytes } from '../net/frame.ts';

export type FaultSpec = {
  readonly seed: number;
  /** Of a million packets so many are lost. */
  readonly lossPpm: number;
  /** Each packet takes so long, and up to so much longer: that is how packets overtake others. */
  readonly delayNs: number;
  readonly jitterNs: number;
  /** So often a path fails, in a million packets, and for how long all on it is lost. */
  readonly pathFailurePpm: number;
  readonly pathDownNs: number;
};

export const noFaults: FaultSpec = {
  seed: 1,
  lossPpm: 0,
  delayNs: 0,
  jitterNs: 0,
  pathFailurePpm: 0,
  pathDownNs: 100 * nsPerMs,
};

/** Where frames go on. */
export interface Carrier {
  carry(frame: Frame): void;
  carryLate(frame: Frame): void;
}

const million = 1e6;
/** Frames that are delayed at once; more are lost. */
const maxDelayed = 4096;

export class Faults {
  lost = 0;
  delayed = 0;
  readonly #spec: FaultSpec;
  readonly #clock: Clock;
  readonly #prng: Prng;
  /** By path: until when it is down. */
  readonly #downUntil: number[] = [];
  readonly #free: Frame[] = [];
  readonly #bytes = new Map<Frame, Uint8Array>();
  #waiting = 0;

  constructor(spec: FaultSpec, clock: Clock) {
    this.#spec = spec;
    this.#clock = clock;
    this.#prng = new Prng(spec.seed);
  }

  pass(frame: Frame, path: number, carrier: Carrier): void {
    const { lossPpm, delayNs, jitterNs, pathFailurePpm, pathDownNs } = this.#spec;
    const prng = this.#prng;
    const now = this.#clock.now();
    if (pathFailurePpm > 0 && prng.below(million) < pathFailurePpm)
      this.#downUntil[path] = now + pathDownNs;
    if (prng.below(million) < lossPpm || (this.#downUntil[path] ?? 0) > now) {
      this.lost++;
      return;
    }
    const delay = delayNs + (jitterNs > 0 ? prng.below(jitterNs) : 0);
    if (delay > 0) this.#delay(frame, delay, carrier);
    else carrier.carry(frame);
  }

  #delay(frame: Frame, delayNs: number, carrier: Carrier): void {
    if (this.#waiting === maxDelayed) {
      this.lost++;
      return;
    }
    this.delayed++;
    this.#waiting++;
    const copy = this.#free.pop() ?? new Frame();
    let bytes = this.#bytes.get(copy);
    if (bytes === undefined || bytes.length < frame.length) {
      bytes = new Uint8Array(frame.length > 2048 ? maxFrameBytes / 4 : 2048);
      this.#bytes.set(copy, bytes);
    }
    frame.copyTo(bytes, 0);
    copy.load(bytes, 0, frame.length);
    this.#clock.after(delayNs, () => {
      this.#waiting--;
      carrier.carryLate(copy);
      this.#free.push(copy);
    });
  }
}
