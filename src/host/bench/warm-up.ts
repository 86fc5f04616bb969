/** Runs a bed until its code is compiled: until slices take as long as those before them. */
import type { Slice } from './path-spec.ts';

const sliceMs = 120;
/** So many slices in a row within so much of each other. */
const alike = 3;
const tolerance = 1.2;
/** On a machine that is too busy for that, or for a bed that never settles. */
const mostSlices = 20;

/** @param isReady whatever else has to be so */
export function warmUp(run: (ms: number) => Slice, isReady: () => boolean): void {
  const last: number[] = [];
  for (let i = 0; i < mostSlices || !isReady(); i++) {
    const { frames, ns } = run(sliceMs);
    last.push(ns / frames);
    if (last.length > alike) last.shift();
    const isSettled = last.length === alike && Math.max(...last) < tolerance * Math.min(...last);
    if (isSettled && isReady()) return;
  }
}
