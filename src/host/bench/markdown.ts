/** A bench's result as the tables of a page. */
import type { BenchReport } from './bench.ts';
import type { Spread } from './figures.ts';

/** Lines, without the last newline. */
export function markdownOf(report: BenchReport): string[] {
  const { machine, request, when, figures, ratios, targets, absent, notes } = report;
  const groups = [...new Set(figures.map(({ group }) => group))];
  return [
    `${when.slice(0, 10)}, on ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ` +
      `${machine.node}; ${request.rounds} rounds by turns, slices of ${request.sliceMs} ms. Median (least .. most).`,
    ...notes.flatMap((note) => ['', note]),
    '',
    ...table(
      ['goal', 'beside', 'must', 'aim', 'reached', ''],
      targets.map(({ goal, peer, must, aim, by, ratio, beside, verdict, why }) => {
        const bound = (value: number | string): string =>
          typeof value === 'number' && by === 'less' ? `≤ ${value}` : `${value}`;
        const reached = ratio === null ? '' : spread(ratio);
        const others = beside === null ? '' : `; ${beside.who}: ${spread(beside.ratio)}`;
        return [goal, peer, bound(must), bound(aim), reached, why ?? `${verdict}${others}`];
      }),
    ),
    '',
    ...table(
      ['times as good', 'ratio'],
      ratios.map((ratio) => [ratio.title, spread(ratio)]),
    ),
    ...groups.flatMap((group) => [
      '',
      ...table(
        [group, 'figure', ''],
        figures
          .filter((figure) => figure.group === group)
          .map((figure) => [figure.title, spread(figure), figure.unit]),
      ),
    ]),
    ...absent.flatMap(({ what, why }) => ['', `Not measured: ${what}: ${why}`]),
  ];
}

const spread = ({ median, min, max }: Spread): string =>
  `${short(median)} (${short(min)} .. ${short(max)})`;

const short = (value: number): string => `${Number(value.toPrecision(3))}`;

/** A row per recorded run: what its goals came to. `lines`: of the history, the oldest first. */
export function historyOf(lines: readonly string[]): string[] {
  const runs = lines.map((line) => JSON.parse(line) as HistoryEntry);
  const ids = [...new Set(runs.flatMap(({ targets }) => Object.keys(targets)))];
  return table(
    ['run', 'commit', 'machine', ...ids],
    runs.map(({ when, commit, machine, targets }) => [
      ...[when.slice(0, 16).replace('T', ' '), commit ?? '', machine.cpu],
      ...ids.map((id) => {
        const { ratio, verdict } = targets[id] ?? { ratio: null, verdict: 'not measured' };
        return ratio === null ? '' : `${short(ratio[0])} ${verdict}`;
      }),
    ]),
  );
}

/** What of a line of the history is shown. */
export type HistoryEntry = {
  readonly when: string;
  readonly commit: string | null;
  readonly machine: { readonly cpu: string };
  readonly targets: Readonly<
    Record<
      string,
      { readonly ratio: readonly [number, number, number] | null; readonly verdict: string }
    >
  >;
};

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)];
}
