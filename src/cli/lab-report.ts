/** A lab's result for a person: who took part, what was measured, and what follows from it. */
import {
  type LabReport,
  METRICS,
  type Metric,
  type Nic,
  type NicResult,
} from '../host/lab/report.ts';
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
    '',
    ...renderComparison(report, width, paint),
    ...failures(report, paint),
    '',
    ...claims(report.comparison).map((line) => wrap(line, width, '  ')),
    '',
    ...conditions(report).map((line) => dim(wrap(line, width))),
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

function renderComparison(report: LabReport, width: number, paint: Paint): string[] {
  const { from, to } = report.measured;
  const columns = [
    ...[left(`${from} -> ${to}`), right('link claims'), right('TCP 1 flow'), right('TCP 4 flows')],
    ...[right('UDP 64 B'), right('RTT p50 / p99'), right('host CPU per Gbit')],
  ];
  const rows = report.comparison.map((row) => [
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

function failures({ comparison }: LabReport, paint: Paint): string[] {
  return comparison.flatMap(({ nic, failures }) =>
    Object.entries(failures).map(([metric, why]) => paint.red(`${nic} ${metric} failed: ${why}`)),
  );
}

const TITLES: Record<Metric, { title: string; more: boolean }> = {
  tcp_gbps: { title: 'TCP, 1 flow', more: true },
  tcp4_gbps: { title: 'TCP, 4 flows', more: true },
  udp64_pps: { title: 'packets/s', more: true },
  rtt_p50_us: { title: 'RTT p50', more: false },
  rtt_p99_us: { title: 'RTT p99', more: false },
  host_cpu_s_per_gbit: { title: 'CPU per Gbit', more: false },
};

/** One line per NIC that was compared: each number of the first as a multiple of that NIC's. */
export function claims([own, ...others]: readonly NicResult[]): string[] {
  if (own === undefined) return [];
  return others.map((other) => {
    const parts = METRICS.flatMap((metric) => {
      const [a, b] = [own[metric], other[metric]];
      if (a === null || b === null || b === 0) return [];
      const { title, more } = TITLES[metric];
      const ratio = a / b;
      const better = more ? ratio >= 1 : ratio <= 1;
      return [`${title} ${ratio.toFixed(2)}x${better ? '' : ' (worse)'}`];
    });
    return `${nameOf(own.nic)} against ${nameOf(other.nic)}: ${parts.join(', ')}`;
  });
}

const NAMES: Record<Nic, string> = {
  ena: 'ENA',
  '82599vf': '82599 VF',
  efa: 'EFA',
  virtio: 'virtio-net',
  e1000e: 'e1000e',
};

const nameOf = (nic: Nic): string => NAMES[nic];

function conditions({ machine, measured, comparison, notes }: LabReport): string[] {
  const { rounds, seconds, pings, mtu } = measured;
  const host = `${machine.cpu}, ${machine.cores} cores`;
  const qemu =
    machine.qemu === null
      ? 'guests in this process'
      : `QEMU ${machine.qemu} with ${machine.accelerator === 'kvm' ? 'KVM' : 'TCG (emulated CPUs)'}`;
  const same = comparison.length > 1 ? 'all NICs in the same guests, in turns; ' : '';
  return [
    `On ${host}, Linux ${machine.kernel}, Node ${machine.node}, ${qemu}.`,
    `MTU ${mtu}; ${same}median of ${rounds} rounds of ${seconds} s, RTT of ${rounds * pings} pings. ` +
      'UDP: datagrams that arrived. CPU: all guests and virtfn, while TCP 1 flow ran.',
    ...notes.map((note) => `Note: ${note}`),
  ];
}

function speed(mbps: number | null): string {
  if (mbps === null) return 'unknown';
  return mbps < 1000 ? `${mbps} Mbps` : `${mbps / 1000} Gbps`;
}

/** Microseconds as milliseconds with three digits that count. */
function milliseconds(us: number): string {
  return us < 1000 ? (us / 1000).toFixed(3) : (us / 1000).toFixed(2);
}
