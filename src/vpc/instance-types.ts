/**
 * What an instance type's network is like, from the catalogue in `data/instance-types.tsv` (its
 * head says from when, and where from; `tools/catalogue.mjs` makes it).
 */
import { readFileSync } from 'node:fs';
import { nearest } from '../lib/nearest.ts';
import { readCatalogue } from './catalogue-rows.ts';
import type { InstanceType } from './instance-type.ts';
import { guestView } from './types/guest-view.ts';

export class InstanceTypes {
  static #own: InstanceTypes | undefined;

  /** What the types say about themselves: date and provenance. */
  readonly provenance: string;
  readonly #types: ReadonlyMap<string, InstanceType>;

  constructor(types: readonly InstanceType[], provenance: string) {
    this.provenance = provenance;
    this.#types = new Map(types.map((type) => [type.name, type]));
  }

  /** `text`: a catalogue. Throws when it is none, with the line. */
  static parse(text: string): InstanceTypes {
    const { provenance, types } = readCatalogue(text);
    return new InstanceTypes(types, provenance);
  }

  /** The catalogue of this package. */
  static load(): InstanceTypes {
    InstanceTypes.#own ??= InstanceTypes.parse(readFileSync(cataloguePath(), 'utf8'));
    return InstanceTypes.#own;
  }

  all(): InstanceType[] {
    return [...this.#types.values()];
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

  /** The speed of the link that a guest of this type sees. */
  linkMbps(name: string): number {
    return guestView(this.get(name)).linkMbps;
  }

  /** Up to three names that could have been meant, nearest first. */
  near(name: string): string[] {
    return nearest(name.trim(), this.names());
  }
}

/** Sources and compiled files lie at different depths below the package. */
function cataloguePath(): URL {
  const depth = import.meta.url.endsWith('.ts') ? '../..' : '../../..';
  return new URL(`${depth}/data/instance-types.tsv`, import.meta.url);
}
