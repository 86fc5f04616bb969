/**
 * How long a worker may sleep that has mapped doorbells to look at: they make no sound, while sockets
 * and timers wake it in any case. After work it spins, then naps for a hundredth of the time in which
 * nothing has come: so much later is a guest's first frame seen at most, and an idle guest costs next
 * to nothing.
 */

const spinMs = 0.05;
const shortestMs = 0.05;
const longestMs = 20;
/** Of the time without work. */
const share = 0.01;

/** `idleMs`: since a doorbell was found rung, or a frame came for a guest whose doorbells are mapped. */
export function napMs(idleMs: number): number {
  if (idleMs < spinMs) return 0;
  return Math.min(longestMs, Math.max(shortestMs, idleMs * share));
}
