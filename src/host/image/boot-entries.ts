/**
 * What boot loaders will start, read from their configuration: GRUB's grub.cfg, the Boot Loader Specification
 * (systemd-boot, Fedora's GRUB), extlinux and syslinux. Only what stands there is read; nothing is executed.
 */
import type { CommandLine } from '../../check/image/facts.ts';

export interface BootEntry extends CommandLine {
  /** Name or number by which a default names it. */
  id: string;
  title: string;
}

export interface BootMenu {
  entries: BootEntry[];
  /** As written: an id, a title, a number; null: the first, or the newest. */
  preferred: string | null;
}

const MAX_ENTRIES = 200;

/** grub.cfg: `menuentry 'TITLE' ... { linux PATH ARGUMENTS }`; submenus come behind. */
export function parseGrub(text: string, file: string): BootMenu {
  const entries: BootEntry[] = [];
  const variables = new Map<string, string>();
  let title = '';
  let preferred: string | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim();
    title = /^menuentry\s+(['"])(.*?)\1/.exec(words)?.[2] ?? title;
    const set = /^set\s+([a-z_]+)=(.*)$/.exec(words);
    if (set !== null) variables.set(set[1] ?? '', unquoted(set[2] ?? ''));
    const value = variables.get('default') ?? '';
    if (set?.[1] === 'default' && !value.includes('$')) preferred = value === '' ? null : value;
    const [, path = '', rest = ''] = /^linux(?:16|efi)?\s+(\S+)\s*(.*)$/.exec(words) ?? [];
    if (path === '' || entries.length === MAX_ENTRIES) continue;
    const known = (_: string, name: string): string => variables.get(name) ?? '';
    const line1 = unquoted(rest)
      .replace(/\$\{?([a-z_]+)\}?/g, known)
      .trim();
    const at = { file, line: index + 1 };
    entries.push({ id: String(entries.length), title, text: line1, release: releaseOf(path), at });
  }
  return { entries, preferred };
}

/** One entry of the Boot Loader Specification; null: it starts no Linux. `variables`: grubenv's. */
export function parseLoaderEntry(
  text: string,
  file: string,
  variables: ReadonlyMap<string, string>,
): BootEntry | null {
  const value = (key: string): string =>
    [...text.matchAll(new RegExp(`^${key}\\s+(.*)$`, 'gm'))]
      .map(([, v = '']) => v.trim())
      .join(' ');
  const linux = value('linux');
  if (linux === '') return null;
  const known = (_: string, name: string): string => variables.get(name) ?? '';
  const id = file.slice(file.lastIndexOf('/') + 1).replace(/(\+\d+(-\d+)?)?\.conf$/, '');
  const options = value('options')
    .replace(/\$\{?([a-z_]+)\}?/g, known)
    .trim();
  const release = releaseOf(linux) ?? (value('version') || null);
  return { id, title: value('title'), text: options, release, at: { file } };
}

/** extlinux.conf and syslinux.cfg: `LABEL x`, `LINUX` or `KERNEL`, `APPEND`. */
export function parseSyslinux(text: string, file: string): BootMenu {
  const entries: BootEntry[] = [];
  let preferred: string | null = null;
  let id = '';
  let path = '';
  let first = 0;
  let append = '';
  const end = (): void => {
    if (path !== '' && entries.length < MAX_ENTRIES)
      entries.push({
        id,
        title: id,
        text: append,
        release: releaseOf(path),
        at: { file, line: first },
      });
    path = append = '';
  };
  for (const [index, line] of text.split('\n').entries()) {
    const [, key = '', value = ''] = /^\s*(\w+)\s+(.*?)\s*$/.exec(line) ?? [];
    const word = key.toLowerCase();
    if (word === 'default' && !/\.c32$/.test(value)) preferred = value;
    if (word === 'label') {
      end();
      [id, first] = [value, index + 1];
    }
    if (word === 'linux' || (word === 'kernel' && !/\.c32$/.test(value))) path = value;
    if (word === 'append') append = value;
  }
  end();
  return { entries, preferred };
}

/** `name=value` lines of a GRUB environment block. */
export function parseGrubEnvironment(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([A-Za-z_]+)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name, value);
  }
  return found;
}

/** The entry that starts when nobody touches a key; undefined: it cannot be told. */
export function defaultEntry({ entries, preferred }: BootMenu): BootEntry | undefined {
  if (preferred === null) return entries[0];
  return entries.find(({ id, title }) => id === preferred || title === preferred);
}

/** `vmlinuz-RELEASE`, `/MACHINE/RELEASE/linux`, `/usr/lib/modules/RELEASE/vmlinuz`; else what is behind the dash. */
function releaseOf(path: string): string | null {
  const named = /\/?(?:vmlinuz|vmlinux|Image|linux)-([^/]+)$/.exec(path)?.[1];
  if (named !== undefined) return named;
  return /\/([^/]+)\/(?:linux|vmlinuz)$/.exec(path)?.[1] ?? null;
}

function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/, '$2');
}
