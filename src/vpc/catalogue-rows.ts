/** Rows of `data/instance-types.tsv` as instance types; its head says what the columns mean. */
import type { InstanceType, NetworkCard } from './instance-type.ts';

export const catalogueColumns = [
  'type',
  'vcpus',
  'memory_mib',
  'hypervisor',
  'arch',
  'ena',
  'ena_express',
  'efa',
  'vf82599',
  'encryption',
  'performance',
  'baseline_gbps',
  'peak_gbps',
  'max_enis',
  'ipv4',
  'ipv6',
  'flexible',
  'weightings',
  'cards',
  'as_of',
] as const;
type ColumnName = (typeof catalogueColumns)[number];

const hypervisors = ['nitro', 'xen', 'metal'] as const;
const enaSupport = ['required', 'supported', 'unsupported'] as const;
const yesOrNo = ['yes', 'no'] as const;

export type Catalogue = { readonly provenance: string; readonly types: readonly InstanceType[] };

/** @param text the whole file. Throws with the line's number when it is not a catalogue. */
export function readCatalogue(text: string): Catalogue {
  const comments: string[] = [];
  const types: InstanceType[] = [];
  const seen = new Set<string>();
  let sawHeader = false;
  for (const [i, line] of text.trimEnd().split('\n').entries()) {
    const at = (problem: string): Error =>
      new Error(`the catalogue of instance types, line ${i + 1}: ${problem}`);
    if (line.startsWith('#')) comments.push(line.slice(2));
    else if (!sawHeader) {
      if (line !== catalogueColumns.join('\t')) throw at('other columns than expected');
      sawHeader = true;
    } else {
      const type = readRow(line, at);
      if (seen.has(type.name)) throw at(`${type.name} for the second time`);
      seen.add(type.name);
      types.push(type);
    }
  }
  if (!sawHeader) throw new Error('the catalogue of instance types has no line with its columns');
  return { provenance: comments.join(' '), types };
}

function readRow(line: string, at: (problem: string) => Error): InstanceType {
  const cells = line.split('\t');
  if (cells.length !== catalogueColumns.length)
    throw at(`${cells.length} columns, expected ${catalogueColumns.length}`);
  const cell = (name: ColumnName): string => cells[catalogueColumns.indexOf(name)] ?? '';
  const wrong = (name: ColumnName, expected: string): Error =>
    at(`${name} is '${cell(name)}', expected ${expected}`);
  const number = (name: ColumnName): number => {
    const value = numberOf(cell(name));
    if (value === null) throw wrong(name, 'a number');
    return value;
  };
  const choice = <T extends string>(name: ColumnName, choices: readonly T[]): T => {
    const found = choices.find((each) => each === cell(name));
    if (found === undefined) throw wrong(name, choices.join(', '));
    return found;
  };
  const cards = cardsOf(cell('cards'));
  const [first] = cards ?? [];
  if (cards === null || first === undefined)
    throw wrong('cards', 'cards like 3:0.781:12.5:2:-:-:-');
  return {
    name: cell('type'),
    vcpus: number('vcpus'),
    memoryMib: number('memory_mib'),
    hypervisor: choice('hypervisor', hypervisors),
    architectures: cell('arch').split(','),
    ena: choice('ena', enaSupport),
    enaExpress: choice('ena_express', yesOrNo) === 'yes',
    efaInterfaces: number('efa'),
    vf82599: choice('vf82599', yesOrNo) === 'yes',
    encryptionInTransit: choice('encryption', yesOrNo) === 'yes',
    performance: cell('performance'),
    baselineGbps: number('baseline_gbps'),
    peakGbps: number('peak_gbps'),
    networkCards: cards.length,
    cards,
    maxInterfaces: number('max_enis'),
    ipv4PerInterface: number('ipv4'),
    ipv6PerInterface: number('ipv6'),
    queues: first.queues,
    maxQueues: first.maxQueuesPerInterface ?? first.queues,
    flexibleQueues: choice('flexible', yesOrNo) === 'yes',
    bandwidthWeightings: cell('weightings') === '-' ? [] : cell('weightings').split(','),
    ...{ currentGeneration: null, bootModes: null, placementStrategies: null },
    asOf: cell('as_of'),
  };
}

function cardsOf(cell: string): NetworkCard[] | null {
  const cards: NetworkCard[] = [];
  for (const run of cell.split(';')) {
    const [, count = '1', rest = ''] = /^(?:(\d{1,3})\*)?(.*)$/.exec(run) ?? [];
    const fields = rest.split(':').map((field) => (field === '-' ? null : numberOf(field)));
    const [maxInterfaces, baselineGbps, peakGbps, queues, perInterface, maxQueues, flexible] =
      fields;
    const isBad = (field: string, i: number): boolean => field !== '-' && fields[i] === null;
    if (fields.length !== 7 || rest.split(':').some(isBad)) return null;
    if (maxInterfaces === undefined || maxInterfaces === null) return null;
    const card: NetworkCard = {
      ...{ maxInterfaces, baselineGbps: baselineGbps ?? null, peakGbps: peakGbps ?? null },
      ...{ queues: queues ?? null, maxQueuesPerInterface: perInterface ?? null },
      ...{ maxQueues: maxQueues ?? null, flexibleInterfaces: flexible ?? null },
    };
    for (let i = 0; i < Number(count); i++) cards.push(card);
  }
  return cards;
}

/** Decimal digits only: `Number` would take '' and '0x10' too. */
function numberOf(text: string): number | null {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}
