/**
 * Reads the machine's package sources and finds the distribution's own archive among them.
 * Formats: sources.list(5), the one-line style and the deb822 style.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface AptSource {
  types: string[];
  uris: string[];
  suites: string[];
  components: string[];
  /** The other fields, by their deb822 name in lower case ('signed-by'), values as written. */
  options: Map<string, string>;
}

/** An archive to take packages from: its URI and the options it is used with (keys, trust). */
export interface Archive {
  uri: string;
  options: Map<string, string>;
}

/** What tells a distribution's own archive from other sources. */
export interface ArchiveHints {
  /** Last path segment of the archive on its mirrors: 'debian'. */
  segment: string;
  /** Suites which the distribution publishes, without '-updates' and the like. */
  suites: readonly string[];
  /** Part of the name of its keyring. */
  keyring: string;
}

/** All sources of the machine, in the order in which apt reads them. Unreadable files are skipped. */
export function readMachineSources(etc = '/etc/apt'): AptSource[] {
  const parts = listDirectory(join(etc, 'sources.list.d')).map((n) => `sources.list.d/${n}`);
  return ['sources.list', ...parts].flatMap((name) => {
    const text = readText(join(etc, name));
    if (name.endsWith('.sources')) return parseDeb822Sources(text);
    return name.endsWith('.list') ? parseOneLineSources(text) : [];
  });
}

const OPTION_FIELDS: Record<string, string> = {
  arch: 'architectures',
  lang: 'languages',
  target: 'targets',
};

/** `deb [ option=value ... ] uri suite component...`, one a line; `#` starts a comment. */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(.*)$/.exec(line.replace(/#.*/, ''));
    if (match === null) continue;
    const [, type = '', optionText = '', rest = ''] = match;
    const [uri, suite, ...components] = words(rest);
    if (uri === undefined || suite === undefined || uri.startsWith('cdrom:')) continue;
    const options = new Map<string, string>();
    for (const option of words(optionText)) {
      const [, name = '', value = ''] = /^([^=]*?)[+-]?=(.*)$/.exec(option) ?? [];
      const field = OPTION_FIELDS[name] ?? name.toLowerCase();
      if (field !== '') options.set(field, value.replaceAll(',', ' '));
    }
    sources.push({ types: [type], uris: [uri], suites: [suite], components, options });
  }
  return sources;
}

/** Paragraphs of `Field: value`, continuation lines indented, whole-line comments. */
export function parseDeb822Sources(text: string): AptSource[] {
  const kept = text.split('\n').filter((line) => !line.startsWith('#'));
  const sources: AptSource[] = [];
  for (const paragraph of kept.join('\n').split(/\n(?:[ \t]*\n)+/)) {
    const fields = new Map<string, string>();
    let name = '';
    for (const line of paragraph.split('\n')) {
      const match = /^([A-Za-z][A-Za-z0-9-]*):\s*(.*)$/.exec(line);
      if (match?.[1] !== undefined) {
        name = match[1].toLowerCase();
        fields.set(name, match[2]?.trimEnd() ?? '');
      } else if (name !== '' && /^[ \t]/.test(line)) {
        fields.set(name, `${fields.get(name)}\n${line.trimEnd()}`);
      }
    }
    if (/^(no|false|without|off|disable)$/i.test(fields.get('enabled') ?? 'yes')) continue;
    const take = (field: string): string[] => {
      const value = words(fields.get(field) ?? '');
      fields.delete(field);
      return value;
    };
    const [types, uris] = [take('types'), take('uris')];
    const [suites, components] = [take('suites'), take('components')];
    fields.delete('enabled');
    if (types.length > 0 && uris.length > 0)
      sources.push({ types, uris, suites, components, options: fields });
  }
  return sources;
}

/** Options that say how to trust and reach an archive; the rest is about what is installed. */
const KEPT_OPTIONS = /^(signed-by|trusted|allow-|check-|date-max-future|by-hash|valid-until)/;

/** The distribution's archive: the source that looks most like it, or undefined. */
export function findArchive(
  sources: readonly AptSource[],
  hints: ArchiveHints,
): Archive | undefined {
  let best: { score: number; archive: Archive } | undefined;
  for (const source of sources) {
    for (const uri of source.uris) {
      const score = likeness(source, uri, sources, hints);
      if (score < 4 || score <= (best?.score ?? 0)) continue;
      const options = new Map([...source.options].filter(([name]) => KEPT_OPTIONS.test(name)));
      best = { score, archive: { uri, options } };
    }
  }
  return best?.archive;
}

/** 4 and up: this is the archive of the distribution itself and not of somebody who extends it. */
function likeness(
  source: AptSource,
  uri: string,
  sources: readonly AptSource[],
  hints: ArchiveHints,
): number {
  const published = source.suites.some((s) => hints.suites.includes(s.replace(/-updates$/, '')));
  if (!published || !source.types.includes('deb') || !source.components.includes('main')) return 0;
  const updates = sources.some(
    (other) => other.uris.includes(uri) && other.suites.some((s) => s.endsWith('-updates')),
  );
  const segment = uri.replace(/\/+$/, '').split('/').pop();
  const signed = source.options.get('signed-by')?.includes(hints.keyring);
  return (segment === hints.segment ? 4 : 0) + (updates ? 4 : 0) + (signed ? 2 : 0);
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
