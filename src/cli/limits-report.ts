/** The limits of an instance, with how each is known: what `--show-limits` prints. */
import type { ShownLimit } from '../host/nic/limits.ts';
import type { LimitName } from '../vpc/allowance.ts';
import { limitTexts } from '../vpc/limits.ts';
import { type Column, renderTable } from './table.ts';

const columns: readonly Column[] = [
  { title: 'limit', align: 'left' },
  { title: 'is', align: 'right' },
  { title: 'known', align: 'left' },
  { title: 'of', align: 'left' },
  { title: 'who says so', align: 'left' },
];

export function renderLimits(
  limits: readonly ShownLimit[],
  width: number,
  heading: (text: string) => string = (text) => text,
): string[] {
  if (limits.length === 0) return ['nothing is limited'];
  const rows = limits.map(({ name, value, provenance, source }) => [
    ...[name, value === null ? 'none' : `${Math.round(value * 1000) / 1000}`],
    ...[provenance === 'userSet' ? 'set by you' : provenance, limitTexts[name as LimitName]],
    source,
  ]);
  const whole = renderTable(columns, rows, width, heading);
  // Sources are long: they go first where the terminal is narrow.
  const brief = rows.map((row) => row.slice(0, 4));
  return whole.length === rows.length + 1
    ? whole
    : renderTable(columns.slice(0, 4), brief, width, heading);
}
