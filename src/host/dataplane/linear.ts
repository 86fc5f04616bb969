/** A worker's linear memory, in which the fast path finds guests and tables, or why it has none. */
import { SysError } from '../../sys/errno.ts';
import { LinearMemory } from '../../sys/linear-memory.ts';
import type { FastPathChoice } from './config.ts';

export type WorkerMemory =
  | { readonly linear: LinearMemory; readonly without: null }
  /** `without`: in words. */
  | { readonly linear: null; readonly without: string };

export const FAST_PATH_HELP =
  'carry all frames one by one, by TypeScript alone (to compare, or when in doubt)';

export function openLinearMemory(choice: FastPathChoice = 'auto'): WorkerMemory {
  if (choice === 'off') return { linear: null, without: 'the fast path is switched off' };
  try {
    return { linear: new LinearMemory(), without: null };
  } catch (error) {
    if (error instanceof SysError) return { linear: null, without: error.message };
    throw error;
  }
}
