/** A run of `virtfn whatif` for people: lines for a terminal, and a page with the chart. */
import type { DirectionSummary, Met, WhatIfDocument } from '../vpc/whatif/summary.ts';
import { type Column, renderTable } from './table.ts';
import type { Paint } from './terminal.ts';
import { escapeText } from './whatif-chart.ts';

const column = (title: string, align: Column['align'] = 'right'): Column => ({ title, align });

const directionColumns = [
  ...[column('', 'left'), column('offered'), column('at most'), column('passed')],
  ...[column('packets'), column('waited'), column('lost'), column('longest wait')],
  column('credits', 'left'),
];
const limitColumns = [
  ...[column('limit met', 'left'), column('is'), column('known', 'left')],
  ...[column('first wait'), column('waited'), column('first loss'), column('lost')],
];

export function renderWhatIf(document: WhatIfDocument, width: number, paint: Paint): string[] {
  const { limits, notes } = document;
  return [
    paint.bold(headline(document)),
    '',
    ...renderTable(directionColumns, directionRows(document), width, paint.bold),
    '',
    ...(limits.length === 0
      ? [paint.green('no limit was met')]
      : renderTable(limitColumns, limits.map(limitRow), width, paint.bold)),
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => paint.dim(note))]),
  ];
}

/** A page of its own: the same tables, and the chart. */
export function renderPage(document: WhatIfDocument, chart: string, title: string): string {
  const table = (columns: readonly Column[], rows: readonly (readonly string[])[]): string => {
    const cells = (tag: string, row: readonly string[]): string =>
      row
        .map(
          (text, i) =>
            `<${tag} class="${columns[i]?.align ?? 'left'}">${escapeText(text)}</${tag}>`,
        )
        .join('');
    const head = cells(
      'th',
      columns.map((one) => one.title),
    );
    return `<table><tr>${head}</tr>${rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')}</table>`;
  };
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeText(title)}</title><style>
:root { color-scheme: light dark; }
body { font: 14px system-ui, sans-serif; margin: 24px auto; max-width: 1000px; padding: 0 16px; }
table { border-collapse: collapse; margin: 16px 0; } .scroll { overflow-x: auto; }
th, td { padding: 4px 12px 4px 0; white-space: nowrap; } .left { text-align: left; } .right { text-align: right; }
th { border-bottom: 1px solid #8886; } p { color: color-mix(in srgb, currentcolor 75%, transparent); }
</style></head><body>
<h1>${escapeText(headline(document))}</h1>
<div class="scroll">${table(directionColumns, directionRows(document))}</div>
${document.limits.length === 0 ? '<p>No limit was met.</p>' : `<div class="scroll">${table(limitColumns, document.limits.map(limitRow))}</div>`}
${chart}
${document.notes.map((note) => `<p>${escapeText(note)}</p>`).join('\n')}
</body></html>
`;
}

function headline({ type, seconds, limits }: WhatIfDocument): string {
  const [first] = limits;
  const what =
    first === undefined
      ? 'no limit met'
      : `${first.limit} met first, after ${time(Math.min(first.first_queued_s ?? Infinity, first.first_dropped_s ?? Infinity))}`;
  return `${type}, ${time(seconds)} of traffic: ${what}`;
}

function directionRows(document: WhatIfDocument): string[][] {
  return (['out', 'in'] as const)
    .filter((way) => document[way].offered_packets > 0)
    .map((way) => {
      const d = document[way];
      return [
        ...[way === 'out' ? 'sent' : 'received', rate(d.offered_gbps), rate(d.peak_gbps)],
        ...[rate(d.passed_gbps), count(d.offered_packets), count(d.queued_packets)],
        ...[count(d.dropped_packets), `${Number(d.longest_wait_ms.toPrecision(3))} ms`],
        creditText(d),
      ];
    });
}

function creditText({ credits }: DirectionSummary): string {
  const { full_gbit: full, left_gbit: left, dry_at_s: dry, last_for_s: last } = credits;
  if (full === 0) return 'none: the baseline is the burst';
  if (dry !== null) return `gone after ${time(dry)}`;
  const share = `${((100 * left) / full).toFixed(1)} % left`;
  return last === null
    ? `${share}, and last for ever at this rate`
    : `${share}, for ${time(last)} at this rate`;
}

const limitRow = (met: Met): string[] => [
  ...[met.limit, met.value === null ? 'none' : `${met.value}`],
  met.provenance === 'userSet' ? 'set by you' : met.provenance,
  ...[at(met.first_queued_s), count(met.queued_packets)],
  ...[at(met.first_dropped_s), count(met.dropped_packets)],
];

const at = (seconds: number | null): string => (seconds === null ? 'never' : time(seconds));
const count = (value: number): string => value.toLocaleString('en');

function rate(gbps: number): string {
  if (gbps >= 1) return `${gbps.toFixed(2)} Gbit/s`;
  return gbps >= 1e-3 ? `${(gbps * 1e3).toFixed(2)} Mbit/s` : `${(gbps * 1e6).toFixed(2)} kbit/s`;
}

export function time(seconds: number): string {
  if (seconds >= 7200) return `${(seconds / 3600).toFixed(2)} h`;
  if (seconds >= 180) return `${(seconds / 60).toFixed(2)} min`;
  if (seconds >= 1) return `${seconds.toFixed(3)} s`;
  return seconds >= 1e-3 ? `${(seconds * 1e3).toFixed(3)} ms` : `${(seconds * 1e6).toFixed(1)} µs`;
}
