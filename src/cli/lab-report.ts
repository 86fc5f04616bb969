/** A lab's result for a person: who took part, what was measured, and what follows from it. */
import type { LabReport, Metric, Nic, NicResult } from '../host/lab/report.ts';
import { renderReach } from './reach-report.ts';
import { type Column, renderTable } from './table.ts';
import { type Paint, wrap } from './terminal.ts';

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

const plain = (text: string): string => text;
const noPaint: Paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };

/** All lines; `width` is the terminal's. */
export function renderReport(
  report: LabReport,
  width = Number.POSITIVE_INFINITY,
  paint: Paint = noPaint,
): string[] {
  const { dim } = paint;
  return [
    ...renderInstances(report, width, paint),
    ...(report.reachability === null
      ? []
      : ['', ...renderReach(report.reachability, width, paint)]),
    ...(report.measured === null
      ? []
      : ['', ...renderSpeed(report, report.measured, width, paint)]),
    '',
    ...conditions(report).flatMap((text) => wrap(text, width).map(dim)),
  ];
}

function renderInstances({ instances }: LabReport, width: number, paint: Paint): string[] {
  const columns = [
    ...[left('instance'), left('type'), left('nic'), left('driver')],
    ...[right('link seen'), left('address')],
  ];
  const rows = instances.map((i) => [
    ...[i.name, i.type, i.nic, `${i.driver} ${i.driver_version}`.trim()],
    ...[speed(i.link_mbps), i.address],
  ]);
  return renderTable(columns, rows, width, paint.bold);
}

type Measured = NonNullable<LabReport['measured']>;

function renderSpeed(report: LabReport, measured: Measured, width: number, paint: Paint): string[] {
  return [
    ...renderComparison(report.comparison, measured, width, paint),
    ...failures(report).flatMap((text) => wrap(text, width).map(paint.red)),
    ...renderClaims(report.comparison, width, paint),
  ];
}

function renderComparison(
  comparison: LabReport['comparison'],
  { from, to, transport }: Measured,
  width: number,
  paint: Paint,
): string[] {
  const flow = transport === 'tcp' ? 'TCP' : 'bulk';
  const columns = [
    ...[
      left(`${from} -> ${to}`),
      right('link claims'),
      right(`${flow} 1 flow`),
      right(`${flow} 4 flows`),
    ],
    ...[right('UDP 64 B'), right('RTT p50 / p99'), right('host CPU per Gbit')],
  ];
  const rows = comparison.map((row) => [
    row.nic,
    speed(row.link_mbps),
    show(row, 'tcp_gbps', (v) => `${v.toFixed(2)} Gbps`),
    show(row, 'tcp4_gbps', (v) => `${v.toFixed(2)} Gbps`),
    show(row, 'udp64_pps', (v) => `${(v / 1000).toFixed(1)} kpps`),
    show(row, 'rtt_p50_us', (v) => `${milliseconds(v)} / ${milliseconds(row.rtt_p99_us ?? v)} ms`),
    show(row, 'host_cpu_s_per_gbit', (v) => `${v.toFixed(2)} s`),
  ]);
  return renderTable(columns, rows, width, paint.bold);
}

function show(row: NicResult, metric: Metric, format: (value: number) => string): string {
  const value = row[metric];
  return value === null ? 'failed' : format(value);
}

function failures({ comparison }: LabReport): string[] {
  return comparison.flatMap(({ nic, failures }) =>
    Object.entries(failures).map(([metric, why]) => `${nic} ${metric} failed: ${why}`),
  );
}

const CLAIMS: readonly { metric: Metric; claim: string; better: 'more' | 'less' }[] = [
  { metric: 'tcp_gbps', claim: 'more bandwidth, 1 flow', better: 'more' },
  { metric: 'tcp4_gbps', claim: 'more bandwidth, 4 flows', better: 'more' },
  { metric: 'udp64_pps', claim: 'more packets per second', better: 'more' },
  { metric: 'rtt_p50_us', claim: 'less latency, p50', better: 'less' },
  { metric: 'rtt_p99_us', claim: 'less latency, p99', better: 'less' },
  { metric: 'host_cpu_s_per_gbit', claim: 'less host CPU per Gbit', better: 'less' },
];

/** A line per claim of Enhanced Networking: how many times better the first NIC is than others. */
function renderClaims(
  [own, ...others]: readonly NicResult[],
  width: number,
  paint: Paint,
): string[] {
  if (own === undefined || others.length === 0) return [];
  const columns = [
    left(`${nameOf(own.nic)} has`),
    ...others.map(({ nic }) => right(`than ${nameOf(nic)}`)),
  ];
  const rows = CLAIMS.map(({ metric, claim, better }) => [
    claim,
    ...others.map((other) => advantage(own[metric], other[metric], better)),
  ]);
  return ['', ...renderTable(columns, rows, width, paint.bold)];
}

/** `1.50x`: one and a half times as good; below 1 it says that it is not. */
export function advantage(
  own: number | null,
  other: number | null,
  better: 'more' | 'less',
): string {
  if (own === null || other === null || own === 0 || other === 0) return 'unknown';
  const ratio = better === 'more' ? own / other : other / own;
  return `${ratio < 0.995 ? 'no: ' : ''}${ratio.toFixed(2)}x`;
}

const NAMES: Record<Nic, string> = {
  ena: 'ENA',
  'ena-whole': 'ENA, frames whole',
  '82599vf': '82599 VF',
  efa: 'EFA',
  virtio: 'virtio-net',
  e1000e: 'e1000e',
  igb: 'igb',
  'virtio-dgram': 'virtio-net by datagrams',
};

const nameOf = (nic: Nic): string => NAMES[nic];

function conditions({ machine, instances, measured, comparison, notes }: LabReport): string[] {
  const host = `${machine.cpu}, ${machine.cores} cores`;
  const qemu =
    machine.qemu === null
      ? 'guests in this process'
      : `QEMU ${machine.qemu} with ${machine.accelerator === 'kvm' ? 'KVM' : 'TCG (emulated CPUs)'}`;
  const ways = [...new Set(instances.map(({ access }) => access))].join(', ');
  const why = machine.access_reason === null ? '' : `: ${machine.access_reason}`;
  const lines = [
    `On ${host}, Linux ${machine.kernel}, Node ${machine.node}, ${qemu}.`,
    `Doorbells are ${ways}${why}.`,
    ...(measured === null ? [] : [speedConditions(measured, comparison)]),
  ];
  return [...lines, ...notes.map((note) => `Note: ${note}`)];
}

function speedConditions(
  { rounds, seconds, pings, mtu }: Measured,
  comparison: LabReport['comparison'],
): string {
  const same = comparison.length > 1 ? 'all NICs in the same guests, in turns; ' : '';
  const often = rounds === 1 ? 'one round' : `median of ${rounds} rounds`;
  return (
    `MTU ${mtu}; ${same}${often} of ${seconds} s, RTT of ${rounds * pings} pings. ` +
    'UDP: datagrams that arrived. CPU: all guests and virtfn, during 1 flow.'
  );
}

function speed(mbps: number | null): string {
  if (mbps === null) return 'unknown';
  return mbps < 1000 ? `${mbps} Mbps` : `${mbps / 1000} Gbps`;
}

/** Microseconds as milliseconds with three digits that count. */
function milliseconds(us: number): string {
  return us < 1000 ? (us / 1000).toFixed(3) : (us / 1000).toFixed(2);
}
