/** How an image starts: by a BIOS, by UEFI, with which loader, which kernel and which command line. */
import { type Fact, known, unread } from '../../check/fact.ts';
import type { BootFacts, CommandLine, DiskFacts, KernelFacts } from '../../check/image/facts.ts';
import {
  type BootMenu,
  defaultEntry,
  parseGrub,
  parseGrubEnvironment,
  parseLoaderEntry,
  parseSyslinux,
} from './boot-entries.ts';
import { attempt } from './kernels.ts';
import { readDirectory } from './read-directory.ts';
import type { FileTree } from './tree.ts';

const TEXT_BYTES = 4 << 20;
const SYSLINUX = [
  ...['/boot/extlinux/extlinux.conf', '/boot/extlinux.conf', '/boot/syslinux/syslinux.cfg'],
  ...['/boot/syslinux.cfg', '/extlinux.conf', '/syslinux/syslinux.cfg'],
];

export interface Boot {
  facts: BootFacts;
  defaultKernel: Fact<string | null>;
}

/** @param disk null where there are no partitions to look at */
export async function readBoot(
  tree: FileTree,
  esp: FileTree | null,
  disk: DiskFacts | null,
  kernels: Fact<readonly KernelFacts[]>,
): Promise<Boot> {
  const menus = await attempt('/boot', () => readMenus(tree, esp));
  const releases = 'value' in kernels ? kernels.value.map(({ release }) => release) : [];
  const loaders = await attempt('/boot', () => readLoaders(tree, esp));
  return {
    facts: {
      efiLoader: await efiLoader(esp, disk),
      biosLoader: biosLoader(disk),
      loaders: 'value' in loaders ? loaders.value : [],
      commandLines: 'value' in menus ? commandLines(menus.value, releases) : menus,
    },
    defaultKernel: 'value' in menus ? defaultOf(menus.value, releases) : menus,
  };
}

/** In the order in which a machine that has several would meet them. */
async function readMenus(tree: FileTree, esp: FileTree | null): Promise<BootMenu[]> {
  const menus: BootMenu[] = [];
  const entries = [
    ...(await readDirectory(tree, '/boot/loader/entries', /\.conf$/)),
    ...(esp === null ? [] : await readDirectory(esp, '/loader/entries', /\.conf$/)),
  ];
  for (const file of ['/boot/grub2/grub.cfg', '/boot/grub/grub.cfg']) {
    const text = (await tree.read(file, TEXT_BYTES))?.toString() ?? '';
    const block = (await tree.read(file.replace(/\.cfg$/, 'env'), TEXT_BYTES))?.toString() ?? '';
    const variables = parseGrubEnvironment(block);
    const menu = parseGrub(text, file);
    const saved = variables.get('saved_entry') || null;
    const isSaved = /^\s*set default="?\$\{?saved_entry\}?"?/m.test(text);
    if (menu.entries.length > 0)
      menus.push({ ...menu, preferred: (isSaved ? saved : null) ?? menu.preferred });
    if (/\bblscfg\b/.test(text)) menus.push(loaderMenu(entries, variables, saved));
  }
  if (entries.length > 0 && menus.length === 0) {
    const text = (await esp?.read('/loader/loader.conf', TEXT_BYTES))?.toString() ?? '';
    const preferred = /^default\s+(\S+?)(?:\.conf)?\s*$/m.exec(text)?.[1] ?? null;
    menus.push(loaderMenu(entries, new Map(), preferred));
  }
  for (const file of SYSLINUX) {
    const text = await tree.read(file, TEXT_BYTES);
    if (text !== null) menus.push(parseSyslinux(text.toString(), file));
  }
  return menus.filter((menu) => menu.entries.length > 0);
}

/** Newest first, as the specification sorts them. */
function loaderMenu(
  files: readonly { file: string; text: string }[],
  variables: ReadonlyMap<string, string>,
  preferred: string | null,
): BootMenu {
  const entries = files
    .map(({ file, text }) => parseLoaderEntry(text, file, variables))
    .filter((entry) => entry !== null)
    .sort((a, b) => (b.release ?? '').localeCompare(a.release ?? '', 'en', { numeric: true }));
  return { entries, preferred };
}

/** Of each entry once; where there is no menu at all, what the menu would be made of. */
function commandLines(
  menus: readonly BootMenu[],
  releases: readonly string[],
): Fact<CommandLine[]> {
  const lines = menus.flatMap(({ entries }) =>
    entries.map(({ text, release, at }) => ({ text, release: matching(release, releases), at })),
  );
  const first = lines[0];
  if (first === undefined)
    return unread('no configuration of a boot loader was found', { file: '/boot' });
  return known(lines, first.at);
}

function defaultOf(menus: readonly BootMenu[], releases: readonly string[]): Fact<string | null> {
  const menu = menus[0];
  if (menu === undefined) {
    if (releases.length === 1) return known(releases[0] ?? null, { file: '/lib/modules' });
    return known(null, { file: '/boot' });
  }
  const entry = defaultEntry(menu);
  if (entry === undefined) return unread(`no entry of the boot menu is called ${menu.preferred}`);
  const release = matching(entry.release, releases);
  if (release !== null) return known(release, entry.at);
  if (releases.length === 1) return known(releases[0] ?? null, entry.at);
  return unread('the boot menu does not say which kernel release it starts', entry.at);
}

/** `linux`, `lts`: a flavour; the kernel's release ends with it, or there is only one. */
function matching(named: string | null, releases: readonly string[]): string | null {
  if (named === null) return null;
  if (releases.includes(named)) return named;
  const ending = releases.filter((release) => release.endsWith(`-${named}`));
  return ending.length === 1 ? (ending[0] ?? null) : null;
}

/** What UEFI takes on a machine that has no boot variables of its own: UEFI 2.10 section 3.5.1.1. */
async function efiLoader(
  esp: FileTree | null,
  disk: DiskFacts | null,
): Promise<BootFacts['efiLoader']> {
  if (esp === null && disk === null) return unread('a directory or archive shows no partitions');
  if (esp === null) return known(null, { file: 'partition table' });
  return attempt('/EFI/BOOT', async () => {
    for (const directory of ['/EFI/BOOT', '/EFI/boot', '/efi/boot', '/EFI/Boot'])
      for (const { name } of (await esp.list(directory)) ?? [])
        if (/^boot(x64|aa64|ia32)\.efi$/i.test(name)) return `${directory}/${name}`;
    return null;
  });
}

function biosLoader(disk: DiskFacts | null): BootFacts['biosLoader'] {
  if (disk === null) return unread('a directory or archive shows no boot sector');
  return known(disk.bootCode, { file: 'sector 0' });
}

async function readLoaders(tree: FileTree, esp: FileTree | null): Promise<string[]> {
  const found: string[] = [];
  const signs: readonly [string, readonly string[]][] = [
    ['GRUB', ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg']],
    ['extlinux', ['/boot/extlinux.conf', '/boot/extlinux/extlinux.conf']],
    ['syslinux', ['/boot/syslinux/syslinux.cfg']],
  ];
  for (const [name, files] of signs)
    for (const file of files)
      if (!found.includes(name) && (await tree.exists(file))) found.push(name);
  if (esp !== null && (await esp.exists('/loader/loader.conf'))) found.push('systemd-boot');
  return found;
}
