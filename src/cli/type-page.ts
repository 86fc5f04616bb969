/** One instance type for a person: what a guest sees, each limit and how it is known, what to watch out for. */
import type { Limit, LimitName, NetworkAllowance } from '../vpc/allowance.ts';
import { hasCredits, type InstanceType } from '../vpc/instance-type.ts';
import type { GuestView } from '../vpc/types/guest-view.ts';
import type { NitroVersion } from '../vpc/types/nitro-versions.ts';
import type { Note } from '../vpc/types/notes.ts';
import { renderTable } from './table.ts';
import { type Paint, wrap } from './terminal.ts';
import { platformOf } from './types-table.ts';

export type TypePage = {
  readonly type: InstanceType;
  readonly nitro: NitroVersion | null;
  readonly guest: GuestView;
  readonly allowance: NetworkAllowance;
  readonly notes: readonly Note[];
};

const MAX_WIDTH = 100;

export function renderTypePage(page: TypePage, width: number, paint: Paint): string[] {
  const { type, notes } = page;
  const sources = new Sources();
  const room = Math.min(width, MAX_WIDTH);
  const cpus = type.vcpus === 1 ? '1 vCPU' : `${type.vcpus} vCPUs`;
  const size = `${cpus}, ${round(type.memoryMib / 1024)} GiB`;
  const head = `${size}, ${type.architectures.join(' and ')}, ${platformOf(type)}`;
  return [
    `${paint.bold(type.name)}  ${head}`,
    '',
    paint.bold('a guest sees'),
    ...pairs(guestRows(page), room),
    '',
    ...renderLimits(page, sources, paint),
    ...(notes.length === 0 ? [] : ['', paint.bold('watch out')]),
    ...pairs(
      notes.map(({ topic, text, source }) => [topic, `${text} ${sources.mark(source)}`]),
      room,
    ),
    '',
    paint.bold('sources'),
    ...pairs(sources.rows(), room),
    '',
    tryIt(page),
  ];
}

/** Sources by number, in the order in which they are named. */
class Sources {
  readonly #known: string[] = [];

  mark(source: string): string {
    if (!this.#known.includes(source)) this.#known.push(source);
    return `[${this.#known.indexOf(source) + 1}]`;
  }

  rows(): [string, string][] {
    return this.#known.map((source, i) => [`[${i + 1}]`, source]);
  }
}

/** Two columns, of which the second is broken between words. */
function pairs(rows: readonly (readonly [string, string])[], width: number): string[] {
  const first = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.flatMap(([name, text]) =>
    wrap(text, Math.max(20, width - first - 4)).map(
      (line, i) => `  ${(i === 0 ? name : '').padEnd(first)}  ${line}`,
    ),
  );
}

function guestRows({ type, guest, nitro }: TypePage): [string, string][] {
  const rows: [string, string][] = [
    ['driver', driverText(guest)],
    ['link', `${round(guest.linkMbps / 1000)} Gbps`],
    ['queues', queueText(guest)],
    ['MTU', guest.mtu === null ? 'not published' : `${guest.mtu} inside of a VPC`],
    ['interfaces', interfaceText(type)],
    ['cards', `${type.networkCards}`],
    ['EFA', type.efaInterfaces === 0 ? 'no' : `up to ${type.efaInterfaces}`],
    ['ENA Express', type.enaExpress ? 'yes' : 'no'],
    ['encryption', type.encryptionInTransit ? 'in transit, between instances that have it' : 'no'],
    ['EC2 calls it', `${type.performance} (as of ${type.asOf})`],
  ];
  if (type.bootModes !== null) rows.push(['boot', type.bootModes.join(', ')]);
  if (type.placementStrategies !== null)
    rows.push(['placement', type.placementStrategies.join(', ')]);
  if (type.currentGeneration === false) rows.push(['generation', 'previous']);
  if (nitro === null && type.hypervisor !== 'xen')
    rows.push(['Nitro', 'which version is not known here']);
  return rows;
}

function driverText({ drivers, requiredDriver, attribute }: GuestView): string {
  if (requiredDriver !== null) return `${requiredDriver}, required`;
  const [best, other] = drivers;
  return other === undefined ? `${best}` : `${best} with ${attribute}, else ${other}`;
}

function queueText({ queuePairs, maxQueuePairs, msixVectors }: GuestView): string {
  if (queuePairs === null) return 'not published';
  const most = maxQueuePairs === queuePairs ? '' : `, ${maxQueuePairs} at most`;
  return `${queuePairs} pairs per interface${most}; ${msixVectors} MSI-X vectors`;
}

function interfaceText({
  maxInterfaces,
  ipv4PerInterface,
  ipv6PerInterface,
}: InstanceType): string {
  const v6 = ipv6PerInterface === 0 ? 'no IPv6' : `${ipv6PerInterface} IPv6`;
  return `${maxInterfaces}, with ${ipv4PerInterface} IPv4 and ${v6} addresses each`;
}

/** The limits in the order in which one meets them; of in and out the one that is alike. */
const limits: readonly (readonly [LimitName, string, string])[] = [
  ['baselineOutGbps', 'bandwidth, sustained', 'Gbps in, and out'],
  ['burstOutGbps', 'bandwidth, burst', 'Gbps in, and out'],
  ['burstMinutes', 'a full bucket lasts', 'minutes'],
  ['cardGbps', 'one network card', 'Gbps'],
  ['singleFlowGbps', 'one flow', 'Gbps'],
  ['singleFlowPlacedGbps', '  in a cluster placement group', 'Gbps'],
  ['singleFlowExpressGbps', '  by ENA Express', 'Gbps'],
  ['gatewayGbps', 'through a gateway', 'Gbps'],
  ['packetsPerSecond', 'packets, in and out', 'a second'],
  ['conntrackEntries', 'tracked connections', ''],
  ['linkLocalPps', 'to resolver, metadata, time', 'a second, per interface'],
  ['egressFragmentsPps', 'fragments sent', 'a second, per interface'],
];

/** Who has no credits has no burst; and one flow cannot have more than all. */
function isOfInterest(name: LimitName, type: InstanceType, allowance: NetworkAllowance): boolean {
  const { value } = allowance[name];
  if (value === null) return false;
  if (name === 'burstOutGbps' || name === 'burstMinutes') return hasCredits(type);
  if (name === 'cardGbps') return type.networkCards > 1;
  return !/Flow|gateway/.test(name) || value < allowance.burstOutGbps.value;
}

function renderLimits({ type, allowance }: TypePage, sources: Sources, paint: Paint): string[] {
  const shown = limits.filter(([name]) => isOfInterest(name, type, allowance));
  const rows = shown.map(([name, what, unit]) => {
    const { value, provenance, source }: Limit<number | null> = allowance[name];
    return [what, formatNumber(value ?? 0), unit, `${provenance} ${sources.mark(source)}`];
  });
  const columns = [
    { title: 'limit', align: 'left' as const },
    { title: 'value', align: 'right' as const },
    { title: '', align: 'left' as const },
    { title: 'known', align: 'left' as const },
  ];
  return renderTable(columns, rows, undefined, paint.bold);
}

function tryIt({ type, guest }: TypePage): string {
  const [driver] = guest.drivers;
  if (driver === 'vif') return 'virtfn has no model of its network adapter.';
  const model = driver === 'ixgbevf' ? ' --model 82599vf' : '';
  const profile = guest.enaProfile === null ? '' : ` --profile ${guest.enaProfile}`;
  return `a card like it:  virtfn nic --socket vf0.sock${model} --type ${type.name}${profile}`;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** 2200000 as 2,200,000. */
function formatNumber(value: number): string {
  const [whole = '', rest] = `${round(value)}`.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}
