/** `[Section]` and `key=value` files of many kinds, and YAML, as strangers write them. */
import { parse } from 'yaml';

/** By section; what stands before the first one is of section ''. A key that comes twice has its last value. */
export type Keyed = Readonly<Record<string, Readonly<Record<string, string>>>>;

const MAX_LINES = 2000;
const MAX_YAML = 256 << 10;

export function parseKeyed(text: string): Keyed {
  // names come from strangers: `__proto__` is one like any other
  const empty = <T>(): Record<string, T> => Object.create(null) as Record<string, T>;
  const sections = empty<Record<string, string>>();
  let section = '';
  for (const line of text.split('\n', MAX_LINES)) {
    const name = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (name !== undefined) section = name;
    const [, key, value] = /^\s*([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    const values = sections[section] ?? empty<string>();
    values[key] = value;
    sections[section] = values;
  }
  return sections;
}

/** null: it is none, too long, or refers to itself without end. */
export function readYaml(text: string): unknown {
  if (text.length > MAX_YAML) return null;
  try {
    return parse(text, { maxAliasCount: 100, logLevel: 'silent' }) as unknown;
  } catch {
    return null;
  }
}
