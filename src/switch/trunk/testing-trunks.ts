/** Several switches in one thread, joined by trunks: for tests, in virtual time. */
import { type Timer, VirtualClock } from '../../lib/clock.ts';
import type { Switch } from '../switch.ts';
import { type RingPlace, ringHeadBytes } from './frame-ring.ts';
import { Trunk } from './trunk.ts';

/** By number of the one end, then of the other; null from one to itself. */
export function makeTrunks(
  count: number,
  capacityBytes: number = 2 ** 20,
  make: (sizeBytes: number) => RingPlace = (sizeBytes) => ({ bytes: new Uint8Array(sizeBytes) }),
): (Trunk | null)[][] {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const rings = numbers.map(() => numbers.map(() => make(ringHeadBytes + capacityBytes)));
  const ring = (i: number, j: number) => rings[i]?.[j] as RingPlace;
  return numbers.map((i) =>
    numbers.map((j) => (i === j ? null : new Trunk(ring(i, j), ring(j, i), () => {}))),
  );
}

/** Until nothing is under way between them. */
export function pump(switches: readonly Switch[]): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const one of switches)
      for (const trunk of one.trunks) if (one.receive(trunk, 7) > 0) moved = true;
  }
}

/** Time for switches with trunks between them: what a timer lets go has crossed before the next one runs. */
export class CrossingClock extends VirtualClock {
  readonly #switches: readonly Switch[];

  /** Those that there will be. */
  constructor(switches: readonly Switch[]) {
    super();
    this.#switches = switches;
  }

  override after(delayNs: number, action: () => void): Timer {
    return super.after(delayNs, () => {
      action();
      pump(this.#switches);
    });
  }
}
