/**
 * What the JavaScript engine is told before a data plane runs.
 *
 * A frame's way from the sender's ring to the receiver's goes through some eighty short functions of
 * several rooms. The engine inlines a caller's callees up to budgets that are meant for ordinary
 * programs, and calls the rest; what is called and given a number that is no small integer is given a
 * new object. With budgets in which the whole way has room a frame of 64 bytes through a VPC took
 * 430 ns instead of 530 and left 2 bytes of garbage instead of 20 (one thread, driver to driver). It
 * costs some memory for code, and compiling, once. More is not better: with twice as much the engine
 * compiled so much at once that it threw it away again and again, and a frame took microseconds.
 *
 * What garbage there is, is collected by the thread that makes it: with helpers a collection waits
 * until each of them has had a core, 2 to 3 ms instead of 0.5 on a busy machine. And the space for it
 * stays as large as it may grow: left alone it shrinks to a sixteenth, and is full that much sooner. Nor
 * is all memory looked through whenever little has been going on: that takes milliseconds, and gains
 * what nobody needs.
 */
import { setFlagsFromString } from 'node:v8';

/** For a thread or process that is still to be started. */
export const startFlags: readonly string[] = ['--min-semi-space-size=16', '--no-memory-reducer'];

const flags = [
  // One function; all that is not tiny; all. The last one ends it, whatever the others say.
  '--max-inlined-bytecode-size=2000',
  '--max-inlined-bytecode-size-cumulative=10000',
  '--max-inlined-bytecode-size-absolute=20000',
  '--max-optimized-bytecode-size=200000',
  '--no-parallel-scavenge',
  '--no-concurrent-sweeping',
  '--no-concurrent-array-buffer-sweeping',
];

/** Of this process and all its threads; before those that carry frames are started. */
export function tuneEngine(): void {
  for (const flag of [...flags, ...startFlags]) setFlagsFromString(flag);
}
