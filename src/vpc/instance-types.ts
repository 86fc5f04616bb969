/**
 * What an instance type's network is like, from the catalogue in `data/instance-types.tsv` (its
 * head says from when, and where from; `tools/catalogue.mjs` makes it).
 */
import { readFileSync } from 'node:fs';

export type InstanceType = {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly hypervisor: 'nitro' | 'xen' | 'metal';
  readonly ena: 'required' | 'supported' | 'unsupported';
  /** EFA interfaces at most; 0: none. */
  readonly efaInterfaces: number;
  /** Enhanced networking by the 82599's virtual functions. */
  readonly vf82599: boolean;
  /** Of the one network card; of all together where there are several. */
  readonly baselineGbps: number;
  readonly peakGbps: number;
  readonly networkCards: number;
  readonly maxInterfaces: number;
  /** ENA queues per interface, as launched and at most; null: not published. */
  readonly queues: number | null;
  readonly maxQueues: number | null;
};

const columns = [
  'type',
  'vcpus',
  'memory_mib',
  'hypervisor',
  'ena',
  'efa',
  'vf82599',
  'baseline_gbps',
  'peak_gbps',
  'cards',
  'max_enis',
  'queues',
  'max_queues',
] as const;

export class InstanceTypes {
  /** What the catalogue says about itself: date and provenance. */
  readonly provenance: string;
  readonly #types = new Map<string, InstanceType>();

  /** `text`: the catalogue. Throws when it is not one. */
  constructor(text: string) {
    const lines = text.trimEnd().split('\n');
    const isComment = (line: string): boolean => line.startsWith('#');
    this.provenance = lines
      .filter(isComment)
      .map((line) => line.slice(2))
      .join(' ');
    const [header, ...rows] = lines.filter((line) => !isComment(line));
    if (header !== columns.join('\t'))
      throw new Error('the catalogue of instance types has other columns than expected');
    for (const row of rows) {
      const type = parseRow(row);
      this.#types.set(type.name, type);
    }
  }

  /** The catalogue of this package. */
  static load(): InstanceTypes {
    return new InstanceTypes(readFileSync(cataloguePath(), 'utf8'));
  }

  names(): string[] {
    return [...this.#types.keys()];
  }

  has(name: string): boolean {
    return this.#types.has(name);
  }

  /** Throws when there is no such type; the message suggests near names. */
  get(name: string): InstanceType {
    const type = this.#types.get(name);
    if (type !== undefined) return type;
    const near = this.near(name);
    const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
    throw new Error(`'${name}' is not an instance type in the catalogue${hint}`);
  }

  /** The speed of the link that a guest of this type sees: one network card's share of the peak. */
  linkMbps(name: string): number {
    const { peakGbps, networkCards } = this.get(name);
    return Math.round((peakGbps * 1000) / networkCards);
  }

  /** Up to three names that could have been meant, nearest first. */
  near(name: string): string[] {
    const wanted = name.toLowerCase().trim();
    const bound = Math.max(1, Math.floor(wanted.length / 3));
    const distances = this.names().map((n) => [n, editDistance(wanted, n)] as const);
    const near = distances.filter(([, distance]) => distance <= bound);
    return near
      .sort(([a, d], [b, e]) => d - e || (a < b ? -1 : 1))
      .slice(0, 3)
      .map(([n]) => n);
  }
}

function parseRow(row: string): InstanceType {
  const cells = row.split('\t');
  if (cells.length !== columns.length)
    throw new Error(`the catalogue of instance types: ${columns.length} columns, not: ${row}`);
  const cell = (name: (typeof columns)[number]): string => cells[columns.indexOf(name)] as string;
  const number = (name: (typeof columns)[number]): number => {
    const value = Number(cell(name));
    if (Number.isNaN(value)) throw new Error(`instance type ${cells[0]}: ${name} is no number`);
    return value;
  };
  const optional = (name: (typeof columns)[number]): number | null =>
    cell(name) === '-' ? null : number(name);
  return {
    name: cell('type'),
    vcpus: number('vcpus'),
    memoryMib: number('memory_mib'),
    hypervisor: cell('hypervisor') as InstanceType['hypervisor'],
    ena: cell('ena') as InstanceType['ena'],
    efaInterfaces: number('efa'),
    vf82599: cell('vf82599') === 'yes',
    baselineGbps: number('baseline_gbps'),
    peakGbps: number('peak_gbps'),
    networkCards: number('cards'),
    maxInterfaces: number('max_enis'),
    queues: optional('queues'),
    maxQueues: optional('max_queues'),
  };
}

/** Sources and compiled files lie at different depths below the package. */
function cataloguePath(): URL {
  const depth = import.meta.url.endsWith('.ts') ? '../..' : '../../..';
  return new URL(`${depth}/data/instance-types.tsv`, import.meta.url);
}

/** Levenshtein's distance, row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
