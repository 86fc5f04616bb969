/**
 * What a bench finds out: figures, each a value per round, and ratios of two figures that were
 * measured by turns. A ratio is taken round by round, so that what disturbs a round disturbs both.
 */

export type Unit = 'Mpps' | 'kpps' | 'Gbit/s' | 'ns' | 'us' | 's/Gbit' | 'count';

export type FigureSpec = {
  /** Unique: `path.vpc.64`. */
  readonly id: string;
  /** For people, within its group. */
  readonly title: string;
  readonly unit: Unit;
  /** Of a rate of frames: how large they are. */
  readonly bytes?: number;
};

export type Spread = { readonly median: number; readonly min: number; readonly max: number };

export type Figure = FigureSpec &
  Spread & {
    /** Figures of one group were measured by turns. */
    readonly group: string;
    /** A value per round. */
    readonly samples: readonly number[];
  };

export type Ratio = Spread & {
  /** How many times as good as `to` this figure is. */
  readonly of: string;
  readonly to: string;
};

/** Whose figures are better when they are smaller. */
const smallIsGood: readonly Unit[] = ['ns', 'us', 's/Gbit', 'count'];

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined)
    throw new Error('a median of nothing');
  return { median: (low + high) / 2, min, max };
}

/** How many times as good the one is as the other; null where they did not take turns. */
export function ratioOf(of: Figure | undefined, to: Figure | undefined): Ratio | null {
  if (of === undefined || to === undefined) return null;
  if (of.group !== to.group || of.unit !== to.unit || of.samples.length !== to.samples.length)
    return null;
  const inverse = smallIsGood.includes(of.unit);
  const each = of.samples.map((own, i) => {
    const other = to.samples[i] as number;
    return inverse ? other / own : own / other;
  });
  return { of: of.id, to: to.id, ...spreadOf(each) };
}

/** Digits that mean something: three that count. */
export function rounded(value: number): number {
  return value === 0 ? 0 : Number(value.toPrecision(4));
}
