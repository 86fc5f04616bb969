/** Tables of instance types, and why there is none to show. */
import { hasCredits, type InstanceType } from '../vpc/instance-type.ts';
import { nitroVersionOf } from '../vpc/types/nitro-versions.ts';
import { byName, type Condition, type Miss } from '../vpc/types/select.ts';
import { type Column, renderTable } from './table.ts';
import type { Paint } from './terminal.ts';

type TypeColumn = Column & {
  /** The word for --sort. */
  readonly key: string;
  readonly cell: (type: InstanceType) => string;
  readonly order: (a: InstanceType, b: InstanceType) => number;
};

const byNumber =
  (of: (type: InstanceType) => number) =>
  (a: InstanceType, b: InstanceType): number =>
    of(a) - of(b);

const left = (
  key: string,
  title: string,
  cell: (type: InstanceType) => string,
  order: TypeColumn['order'] = (a, b) => (cell(a) < cell(b) ? -1 : Number(cell(a) > cell(b))),
): TypeColumn => ({ key, title, align: 'left', cell, order });

const right = (
  key: string,
  title: string,
  of: (type: InstanceType) => number,
  cell: (type: InstanceType) => string = (type) => `${of(type)}`,
): TypeColumn => ({ key, title, align: 'right', cell, order: byNumber(of) });

const gbps = (value: number): string => `${Math.round(value * 1000) / 1000}`;

const columns: readonly TypeColumn[] = [
  left('name', 'type', ({ name }) => name, byName),
  right('vcpus', 'vCPUs', ({ vcpus }) => vcpus),
  right('memory', 'GiB', ({ memoryMib }) => Math.round((memoryMib / 1024) * 10) / 10),
  left('arch', 'arch', ({ architectures }) => architectures.at(-1) ?? '-'),
  left('hypervisor', 'on', (type) => platformOf(type)),
  left('nic', 'network', nicOf),
  right(
    'baseline',
    'baseline',
    ({ baselineGbps }) => baselineGbps,
    (type) => gbps(type.baselineGbps),
  ),
  right('gbps', 'peak Gbps', ({ peakGbps }) => peakGbps, peakOf),
  right('cards', 'cards', ({ networkCards }) => networkCards),
  right('interfaces', 'interfaces', ({ maxInterfaces }) => maxInterfaces),
  right('queues', 'queues', ({ maxQueues }) => maxQueues ?? 0, queuesOf),
  right(
    'efa',
    'EFA',
    ({ efaInterfaces }) => efaInterfaces,
    ({ efaInterfaces }) => (efaInterfaces === 0 ? '-' : `${efaInterfaces}`),
  ),
  left('express', 'Express', ({ enaExpress }) => (enaExpress ? 'yes' : '-')),
];

export const sortKeys = columns.map(({ key }) => key);

export const isSortKey = (key: string): boolean => sortKeys.includes(key.replace(/^-/, ''));

/** @param key one of `sortKeys`, largest first with a dash before it */
export function sorted(types: readonly InstanceType[], key: string): InstanceType[] {
  const column = columns.find((each) => each.key === key.replace(/^-/, ''));
  const sign = key.startsWith('-') ? -1 : 1;
  return [...types].sort((a, b) => sign * (column?.order(a, b) ?? 0) || byName(a, b));
}

export function renderTypes(
  types: readonly InstanceType[],
  width: number,
  { bold }: Paint,
): string[] {
  const shown = columnsThatFit(types, width);
  return renderTable(shown, rowsOf(shown, types), width, bold);
}

const rowsOf = (shown: readonly TypeColumn[], types: readonly InstanceType[]): string[][] =>
  types.map((type) => shown.map(({ cell }) => cell(type)));

/** In a narrow terminal what is asked for least goes first. */
const expendable = ['express', 'cards', 'arch', 'memory', 'hypervisor', 'efa', 'interfaces'];

function columnsThatFit(types: readonly InstanceType[], width: number): readonly TypeColumn[] {
  let shown = columns;
  for (const key of expendable) {
    const lines = renderTable(shown, rowsOf(shown, types));
    if (Math.max(...lines.map(({ length }) => length)) <= width) break;
    shown = shown.filter((column) => column.key !== key);
  }
  return shown;
}

export function platformOf(type: InstanceType): string {
  const nitro = nitroVersionOf(type);
  if (type.hypervisor === 'xen') return 'Xen';
  const name = nitro === null ? 'Nitro' : `Nitro v${nitro.version}`;
  return type.hypervisor === 'metal' ? `${name} metal` : name;
}

function nicOf({ ena, vf82599 }: InstanceType): string {
  if (ena === 'required') return 'ENA';
  if (ena === 'supported') return 'ENA or vif';
  return vf82599 ? '82599 VF' : 'vif';
}

function peakOf(type: InstanceType): string {
  return hasCredits(type) ? `up to ${gbps(type.peakGbps)}` : gbps(type.peakGbps);
}

function queuesOf({ queues, maxQueues, ena }: InstanceType): string {
  if (queues === null || ena === 'unsupported') return '-';
  return queues === maxQueues ? `${queues}` : `${queues}/${maxQueues}`;
}

/** Nothing is as wanted: what is in the way, and how near something comes. */
export function renderMisses(
  all: readonly InstanceType[],
  conditions: readonly Condition[],
  misses: readonly Miss[],
): string[] {
  const head = `None of ${all.length} types is as wanted.`;
  const align = ['left', 'right', 'left'] as const;
  if (misses.length > 0) {
    const titles = ['without', 'would be', 'nearest'];
    const rows = misses.map(({ condition, others, nearest }) => [
      condition.said,
      `${others}`,
      `${nearest.name}${measureOf(condition, nearest)}`,
    ]);
    return [
      head,
      ...renderTable(
        titles.map((title, i) => ({ title, align: align[i] ?? 'left' })),
        rows,
      ),
    ];
  }
  const titles = ['alone', 'leaves', ''];
  const rows = conditions.map((condition) => [
    condition.said,
    `${all.filter(condition.holds).length}`,
  ]);
  return [
    `${head} Leaving out one of the conditions is not enough:`,
    ...renderTable(
      titles.map((title, i) => ({ title, align: align[i] ?? 'left' })),
      rows,
    ),
  ];
}

function measureOf({ measure }: Condition, type: InstanceType): string {
  if (measure === undefined) return '';
  const value = Math.round(measure.of(type) * 1000) / 1000;
  return ` has ${value} ${measure.unit}`.trimEnd();
}
