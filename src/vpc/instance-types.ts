/**
 * What an instance type's network is like, from the catalogue in `data/instance-types.tsv` (its
 * head says from when, and where from; `tools/catalogue.mjs` makes it).
 */
import { readFileSync } from 'node:fs';
import { readCatalogue } from './catalogue-rows.ts';
import { cardGbps, type InstanceType } from './instance-type.ts';

export class InstanceTypes {
  /** What the catalogue says about itself: date and provenance. */
  readonly provenance: string;
  readonly #types = new Map<string, InstanceType>();

  /** `text`: the catalogue. Throws when it is not one, with the line. */
  constructor(text: string) {
    const { provenance, types } = readCatalogue(text);
    this.provenance = provenance;
    for (const type of types) this.#types.set(type.name, type);
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

  /** The speed of the link that a guest of this type sees: the first network card's peak. */
  linkMbps(name: string): number {
    return Math.round(cardGbps(this.get(name)).peak * 1000);
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
