/** Who reaches whom in a lab's VPC, for a person: a table, what is closed, and whether all is as told. */
import { type Probe, serviceWord } from '../host/lab/reach.ts';
import type { Reachability } from '../host/lab/report.ts';
import { renderTable } from './table.ts';
import { type Paint, wrap } from './terminal.ts';

/** Lines: rows ask, columns are asked. */
export function renderReach(
  { probes, services }: Reachability,
  width: number,
  paint: Paint,
): string[] {
  const names = [...new Set(probes.map(({ from }) => from))];
  const columns = ['reaches', ...names].map((title) => ({ title, align: 'left' as const }));
  const rows = names.map((from) => [
    from,
    ...names.map((to) => cell(probes.filter((probe) => probe.from === from && probe.to === to))),
  ]);
  return [
    ...renderTable(columns, rows, width, paint.bold),
    '',
    ...renderClosed(probes, width, paint),
    ...renderVerdict(probes, services.map(serviceWord), width, paint),
  ];
}

/** What was answered; `!` marks what the rules say otherwise. */
function cell(probes: readonly Probe[]): string {
  if (probes.length === 0) return '.';
  const shown = probes.filter(({ reached, expected }) => reached || expected !== reached);
  if (shown.length === 0) return '-';
  return shown
    .map((probe) => {
      const word = probe.port === null ? 'ping' : String(probe.port);
      return `${probe.reached ? '' : 'not '}${word}${probe.reached === probe.expected ? '' : '!'}`;
    })
    .join(' ');
}

/** A line for each gate that is closed between two instances. */
function renderClosed(probes: readonly Probe[], width: number, paint: Paint): string[] {
  const groups = new Map<string, Probe[]>();
  for (const probe of probes) {
    if (probe.closed === null) continue;
    const { gate, at, rule, direction } = probe.closed;
    const key = JSON.stringify([probe.from, probe.to, gate, at, rule, direction]);
    groups.set(key, [...(groups.get(key) ?? []), probe]);
  }
  if (groups.size === 0) return [];
  const columns = ['closed', 'to', 'by', 'of', 'rule'].map((title) => {
    return { title, align: 'left' as const };
  });
  const rows = [...groups.values()].map((same) => {
    const { from, to, closed } = same[0] as Probe;
    const words = same.map(({ port }) => (port === null ? 'ping' : String(port))).join(' ');
    const reply = closed?.direction === 'reply' ? ' (reply)' : '';
    return [
      `${from} > ${to}`,
      words,
      `${closed?.gate}${reply}`,
      closed?.at ?? '',
      closed?.rule ?? '',
    ];
  });
  return [...renderTable(columns, rows, width, paint.bold), ''];
}

function renderVerdict(
  probes: readonly Probe[],
  services: readonly string[],
  width: number,
  paint: Paint,
): string[] {
  const differ = probes.filter(({ reached, expected }) => reached !== expected);
  const what = `${probes.length} questions with real packets (${services.join(', ')})`;
  if (differ.length === 0) return wrap(`${what}: all as the rules say.`, width).map(paint.green);
  const list = differ.map((probe) => `${probe.from} > ${probe.to} ${serviceWord(probe)}`);
  return wrap(
    `${what}: ${differ.length} not as the rules say, marked by '!': ${list.join(', ')}.`,
    width,
  ).map(paint.red);
}
