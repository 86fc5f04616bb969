/** A bench's result for a person: figures by group, ratios, goals, what was not there. */
import type { BenchReport } from '../host/bench/bench.ts';
import type { Figure, Spread, Unit } from '../host/bench/figures.ts';
import type { TargetResult } from '../host/bench/targets.ts';
import { type Column, renderTable } from './table.ts';
import { type Paint, wrap } from './terminal.ts';

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

/** All lines; `width` is the terminal's. */
export function renderBench(report: BenchReport, width: number, paint: Paint): string[] {
  const { machine, request, notes, absent } = report;
  const conditions =
    `On ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}; ` +
    `${request.rounds} rounds by turns, slices of ${request.sliceMs} ms; median (least .. most).`;
  return [
    ...renderFigures(report, width, paint),
    '',
    ...renderRatios(report, width, paint),
    '',
    ...renderTargets(report.targets, width, paint),
    '',
    ...absent.flatMap(({ what, why }) => wrap(`Not measured: ${what}: ${why}`, width)),
    ...[conditions, ...notes.map((note) => `Note: ${note}`)].flatMap((text) =>
      wrap(text, width).map(paint.dim),
    ),
  ];
}

function renderFigures({ figures }: BenchReport, width: number, paint: Paint): string[] {
  const groups = [...new Set(figures.map(({ group }) => group))];
  return groups.flatMap((group, i) => {
    const rows = figures.filter((figure) => figure.group === group).map(rowOf);
    const columns = [left(group), right('median'), right('least .. most'), right('')];
    return [...(i === 0 ? [] : ['']), ...renderTable(columns, rows, width, paint.bold)];
  });
}

const rowOf = (figure: Figure): string[] => [
  figure.title,
  withUnit(figure.median, figure.unit),
  `${show(figure.min)} .. ${show(figure.max)}`,
  alsoAs(figure),
];

/** What the figure is in other words: of a rate of frames, bits. */
function alsoAs({ unit, median, bytes }: Figure): string {
  if (unit !== 'Mpps' || bytes === undefined) return '';
  const ns = 1e3 / median;
  return `${show(ns)} ns, ${show((bytes * 8) / ns)} Gbit/s`;
}

function renderRatios({ ratios }: BenchReport, width: number, paint: Paint): string[] {
  const columns = [left('times as good'), right('median'), right('least .. most')];
  const rows = ratios.map((ratio) => [ratio.title, `${show(ratio.median)}x`, rangeOf(ratio)]);
  return ratios.length === 0 ? [] : renderTable(columns, rows, width, paint.bold);
}

export function renderTargets(
  targets: readonly TargetResult[],
  width: number,
  paint: Pick<Paint, 'bold'>,
): string[] {
  const columns = [
    ...[left('goal'), left('beside'), right('must'), right('aim')],
    ...[right('reached'), right('least .. most'), left('')],
  ];
  const rows = targets.map(({ goal, peer, must, aim, by, ratio, beside, verdict, why }) => [
    ...[goal, peer, bound(must, by), bound(aim, by)],
    ...(ratio === null ? ['', ''] : [`${show(ratio.median)}x`, rangeOf(ratio)]),
    why === null ? `${verdict}${besideOf(beside)}` : `${verdict}: ${why}`,
  ]);
  return renderTable(columns, rows, width, paint.bold);
}

const besideOf = (beside: TargetResult['beside']): string =>
  beside === null ? '' : `; ${beside.who}: ${show(beside.ratio.median)}x`;

const bound = (value: number | string, by: 'more' | 'less'): string =>
  typeof value === 'string' ? value : `${by === 'less' ? '<= ' : ''}${value}x`;

const rangeOf = ({ min, max }: Spread): string => `${show(min)} .. ${show(max)}`;

const withUnit = (value: number, unit: Unit): string => `${show(value)} ${unit}`;

/** Three digits that count. */
export function show(value: number): string {
  if (value === 0 || Math.abs(value) >= 1000) return `${Math.round(value)}`;
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}
