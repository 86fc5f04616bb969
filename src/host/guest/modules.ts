/**
 * The kernel modules of a guest: found in an unpacked kernel package by name, with all they depend
 * on, decompressed, and listed in the modules.dep and modules.alias of just these (modules.dep(5),
 * which a package does not ship: depmod makes it at installation).
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { moduleInfo } from './elf.ts';

/** Decompresses a file by its ending; what has none is read as it is. */
export type Decompress = (path: string) => Promise<Buffer>;

export interface KernelModule {
  /** Below `usr/lib/modules/RELEASE/`, with the ending `.ko`. */
  path: string;
  content: Buffer;
}

export interface ModuleTree {
  modules: KernelModule[];
  /** Text of modules.dep. */
  dep: string;
  /** Text of modules.alias. */
  alias: string;
}

interface Loaded extends KernelModule {
  depends: string[];
  aliases: string[];
}

/**
 * @param directories like `ROOT/usr/lib/modules/RELEASE`; of modules of one name the last one counts
 * @param wanted names of modules; one that is built in, or that this kernel has not, is left out
 */
export async function collectModules(
  directories: readonly string[],
  wanted: readonly string[],
  decompress: Decompress,
): Promise<ModuleTree> {
  const paths = new Map(directories.flatMap((directory) => [...indexModules(directory)]));
  const loaded = new Map<string, Loaded>();
  const load = async (name: string): Promise<void> => {
    const found = paths.get(name);
    if (found === undefined || loaded.has(name)) return;
    const { directory, path } = found;
    const content = await decompress(join(directory, path));
    const info = moduleInfo(content);
    loaded.set(name, { path: path.replace(/\.ko.*$/, '.ko'), content, ...info });
    for (const dependency of info.depends) await load(moduleName(dependency));
  };
  for (const name of wanted) await load(moduleName(name));

  const closure = (name: string): string[] => {
    const module = loaded.get(name);
    return (module?.depends ?? []).flatMap((d) => [moduleName(d), ...closure(moduleName(d))]);
  };
  const entries = [...loaded].sort(([a], [b]) => (a < b ? -1 : 1));
  const dep = entries.map(([name, { path }]) => {
    // loaded from the last one on: what others need comes behind all of them
    const order = [...new Set(closure(name).reverse())].reverse();
    const needs = order.map((needed) => loaded.get(needed)?.path ?? '');
    return `${path}:${needs.map((needed) => ` ${needed}`).join('')}\n`;
  });
  const alias = entries.flatMap(([name, { aliases }]) =>
    aliases.map((pattern) => `alias ${pattern} ${name}\n`),
  );
  return {
    modules: entries.map(([, { path, content }]) => ({ path, content })),
    dep: dep.join(''),
    alias: alias.join(''),
  };
}

/** The kernel writes `virtio_net`, its file may be `virtio-net.ko.xz`. */
export function moduleName(file: string): string {
  return file.replace(/\.ko(\..*)?$/, '').replaceAll('-', '_');
}

/** Releases of the kernels whose modules an unpacked root has. */
export function kernelReleases(root: string): string[] {
  const directory = join(root, 'usr/lib/modules');
  return existsSync(directory) ? readdirSync(directory).sort() : [];
}

function indexModules(directory: string): Map<string, { directory: string; path: string }> {
  const index = new Map<string, { directory: string; path: string }>();
  for (const entry of readdirSync(join(directory, 'kernel'), { recursive: true })) {
    const file = String(entry);
    if (/\.ko(\.\w+)?$/.test(file))
      index.set(moduleName(file.slice(file.lastIndexOf('/') + 1)), {
        directory,
        path: `kernel/${file}`,
      });
  }
  return index;
}

/** What every guest kernel is given, beside what it has built in. */
export const GUEST_MODULES: readonly string[] = [
  ...['ena', 'ixgbevf', 'e1000e', 'igb', 'igbvf', 'virtio_net', 'virtio_pci', 'virtio_console'],
  ...['ib_core', 'ib_uverbs', 'pktgen', '8021q', 'vxlan', 'ptp', 'sch_fq', 'tcp_bbr'],
  'virtio_rng',
];
