/** Several switches in one thread, joined by trunks: for tests, in virtual time. */
import type { Switch } from '../switch.ts';
import { ringHeadBytes } from './frame-ring.ts';
import { Trunk } from './trunk.ts';

/** By number of the one end, then of the other; null from one to itself. */
export function makeTrunks(count: number, capacityBytes = 2 ** 20): (Trunk | null)[][] {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const memory = new Map<string, Uint8Array>();
  for (const i of numbers)
    for (const j of numbers) memory.set(`${i} ${j}`, new Uint8Array(ringHeadBytes + capacityBytes));
  const ring = (i: number, j: number) => memory.get(`${i} ${j}`) as Uint8Array;
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
