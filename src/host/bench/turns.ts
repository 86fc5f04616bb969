/**
 * Measures contenders by turns: in each round every one has a slice, one after the other, so that
 * what else happens on the machine hits all of them. Nobody but the one whose turn it is may use the
 * processor meanwhile.
 */
import { type Figure, type FigureSpec, rounded, spreadOf } from './figures.ts';

/** Somebody who is measured: a function of ours, a peer, a limit of the machine. */
export interface Contender {
  readonly figures: readonly FigureSpec[];
  /** Works for about so long, alone: a value per figure. */
  measure(ms: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

export type Turns = {
  readonly rounds: number;
  readonly ms: number;
  /** Of the slices of the first round, which does not count; as long as others if absent. */
  readonly firstMs?: number;
  /** There is nothing to warm up: the first round counts, too. */
  readonly isWarm?: boolean;
};

/** What could not be measured, and why. */
export type Absence = { readonly what: string; readonly why: string };

export type Outcome = { readonly figures: Figure[]; readonly absent: Absence[] };

type Tally = { contender: Contender; samples: number[][]; failure: string | null };

/**
 * @param onTurn told before each slice: whose it is, and which part of all is done
 */
export async function measureByTurns(
  group: string,
  contenders: readonly Contender[],
  { rounds, ms, firstMs = ms, isWarm = false }: Turns,
  onTurn: (text: string, fraction: number) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const tallies = contenders.map(
    (contender): Tally => ({
      contender,
      samples: contender.figures.map(() => []),
      failure: null,
    }),
  );
  let done = 0;
  // The first round is for caches and compilers, and does not count.
  const first = isWarm ? 1 : 0;
  const turns = (rounds + 1 - first) * tallies.length;
  for (let round = first; round <= rounds; round++)
    for (const tally of tallies) {
      signal.throwIfAborted();
      const { title } = tally.contender.figures[0] as FigureSpec;
      onTurn(`${group}, round ${round} of ${rounds}: ${title}`, done++ / turns);
      await turn(tally, round > 0 ? ms : firstMs, round > 0);
    }
  return {
    figures: tallies.flatMap((tally) => figuresOf(group, tally)),
    absent: tallies.flatMap(({ contender, failure }) =>
      failure === null ? [] : contender.figures.map(({ title }) => ({ what: title, why: failure })),
    ),
  };
}

/** One that has failed once is out: a figure of fewer rounds could not be compared. */
async function turn(tally: Tally, ms: number, counts: boolean): Promise<void> {
  if (tally.failure !== null) return;
  try {
    const values = await tally.contender.measure(ms);
    if (counts) for (const [i, value] of values.entries()) tally.samples[i]?.push(rounded(value));
  } catch (error) {
    tally.failure = (error as Error).message;
  }
}

function figuresOf(group: string, { contender, samples, failure }: Tally): Figure[] {
  if (failure !== null) return [];
  return contender.figures.map((spec, i) => {
    const own = samples[i] ?? [];
    return { ...spec, group, samples: own, ...spreadOf(own) };
  });
}
