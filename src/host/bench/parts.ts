/**
 * The parts of a bench. Each is made of groups, and a group of contenders that take turns; what a
 * group needs is started when its time comes, and has ended before the next one begins.
 */
import type { SetOptions } from '../packages/sets.ts';
import type { Native } from './native.ts';
import type { Absence, Contender, Turns } from './turns.ts';

export type Site = {
  readonly native: Native;
  /** Where files and sockets may be; removed afterwards. */
  readonly directory: string;
  /** For peers that have to be fetched. */
  readonly packages: SetOptions;
  readonly signal: AbortSignal;
};

export type Group = {
  readonly name: string;
  /** Other turns than the usual ones. */
  readonly turns?: (request: { rounds: number; sliceMs: number; latencySeconds: number }) => Turns;
  /** Starts who takes part; who cannot is told to `absent`. */
  readonly start: (site: Site, absent: (absence: Absence) => void) => Promise<Contender[]>;
};

/** Starts each in turn; one that does not start is absent. */
export async function startAll(
  starts: readonly { readonly what: string; readonly start: () => Promise<Contender> }[],
  absent: (absence: Absence) => void,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const { what, start } of starts)
    try {
      contenders.push(await start());
    } catch (error) {
      absent({ what, why: (error as Error).message });
    }
  return contenders;
}
