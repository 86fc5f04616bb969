/**
 * The kernels of a Linux and the drivers of each: built in (modules.builtin), as modules (modules.dep, else by
 * looking where distributions and dkms put them), forbidden, in the initramfs. Follows kmod's modules.dep(5)
 * and depmod.d(5).
 */
import { type Fact, known, type Place, unread } from '../../check/fact.ts';
import {
  type DriverFacts,
  type DriverName,
  driverNames,
  type KernelFacts,
} from '../../check/image/facts.ts';
import { moduleValues } from '../guest/elf.ts';
import { moduleName } from '../guest/modules.ts';
import { decompress } from './decompress.ts';
import { INITRAMFS_BYTES, readInitramfs } from './initramfs.ts';
import { readBlacklist } from './modprobe.ts';
import type { ImageTools } from './tools.ts';
import { type FileTree, TreeError } from './tree.ts';

const MAX_KERNELS = 32;
const LIST_BYTES = 8 << 20;
const MODULE_BYTES = 64 << 20;

export type OnKernel = (release: string) => void;

/** Newest first, as far as names tell. @throws TreeError */
export async function readKernels(
  tools: ImageTools,
  tree: FileTree,
  onKernel: OnKernel,
): Promise<KernelFacts[]> {
  const blacklist = await readBlacklist(tree);
  const boot = await bootFiles(tree);
  const modules = await directories(tree, '/lib/modules');
  const releases = new Set(modules.filter((name) => /^\d/.test(name)));
  for (const name of boot.keys()) {
    const release = /^(?:vmlinuz|vmlinux|Image)-(\d.*)$/.exec(name)?.[1];
    if (release !== undefined && !release.endsWith('.old')) releases.add(release);
  }
  const kernels: KernelFacts[] = [];
  const newest = [...releases].sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const release of newest.slice(0, MAX_KERNELS)) {
    onKernel(release);
    kernels.push(await readKernel(tools, tree, { release, boot, blacklist }));
  }
  return kernels;
}

/** Name -> path of what lies in /boot, and in the directories of kernel-install(8) below it. */
async function bootFiles(tree: FileTree): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { name, kind } of (await tree.list('/boot')) ?? [])
    if (kind !== 'directory') found.set(name, `/boot/${name}`);
  for (const top of ['/boot', '/boot/efi', '/efi']) {
    const machines = (await directories(tree, top)).filter((name) => /^[0-9a-f]{32}$/.test(name));
    for (const machine of machines.slice(0, 4))
      for (const release of (await directories(tree, `${top}/${machine}`)).slice(0, MAX_KERNELS))
        for (const { name } of (await tree.list(`${top}/${machine}/${release}`)) ?? []) {
          const plain = name === 'linux' ? 'vmlinuz' : name === 'initrd' ? 'initrd.img' : null;
          if (plain !== null)
            found.set(`${plain}-${release}`, `${top}/${machine}/${release}/${name}`);
        }
  }
  return found;
}

type About = {
  release: string;
  boot: ReadonlyMap<string, string>;
  blacklist: ReadonlyMap<DriverName, Place>;
};

async function readKernel(tools: ImageTools, tree: FileTree, about: About): Promise<KernelFacts> {
  const { release, boot } = about;
  const directory = `/lib/modules/${release}`;
  const flavours = await flavoursOf(tree, directory, release);
  const image = flavours
    .flatMap((flavour) =>
      ['vmlinuz', 'vmlinux', 'Image', 'image'].map((kind) => `${kind}-${flavour}`),
    )
    .map((name) => boot.get(name))
    .find((path) => path !== undefined);
  const own = `${directory}/vmlinuz`;
  const ownImage = image === undefined && (await tree.exists(own)) ? own : null;
  const initramfs = flavours
    .flatMap((f) => [`initrd.img-${f}`, `initramfs-${f}.img`, `initrd-${f}`, `initramfs-${f}`])
    .map((name) => boot.get(name))
    .find((path) => path !== undefined);
  return {
    release,
    image: known(image ?? ownImage, { file: image ?? ownImage ?? '/boot' }),
    drivers: await readDrivers(tools, tree, about),
    initramfs: await initramfsFact(tools, tree, initramfs),
  };
}

/** What files of a kernel are called by: its release; Arch's `linux`, Alpine's `lts`. */
async function flavoursOf(tree: FileTree, directory: string, release: string): Promise<string[]> {
  const base = (await tree.read(`${directory}/pkgbase`, LIST_BYTES))?.toString().trim();
  const last = /^[\d.]+-\d+-([a-z]+)$/.exec(release)?.[1];
  return [release, ...(base === undefined ? [] : [base]), ...(last === undefined ? [] : [last])];
}

async function initramfsFact(
  tools: ImageTools,
  tree: FileTree,
  path: string | undefined,
): Promise<KernelFacts['initramfs']> {
  if (path === undefined) {
    const unified =
      (await tree.list('/boot/efi/EFI/Linux')) ?? (await tree.list('/efi/EFI/Linux')) ?? [];
    if (unified.length > 0)
      return unread('it is part of a unified kernel image, which is not read');
    return known(null, { file: '/boot' });
  }
  return attempt(path, async () => {
    const content = await tree.read(path, INITRAMFS_BYTES);
    return content === null ? null : await readInitramfs(tools, content, path);
  });
}

async function readDrivers(
  tools: ImageTools,
  tree: FileTree,
  { release, blacklist }: About,
): Promise<KernelFacts['drivers']> {
  const directory = `/lib/modules/${release}`;
  const facts: Partial<Record<DriverName, Fact<DriverFacts>>> = {};
  const lists = await attempt(directory, async () => ({
    builtIn: await moduleList(tree, `${directory}/modules.builtin`, /\S+/),
    dep: await moduleList(tree, `${directory}/modules.dep`, /^[^:]+/),
  }));
  for (const name of driverNames) {
    if (!('value' in lists)) facts[name] = lists;
    else if (lists.value.builtIn === null && lists.value.dep === null)
      facts[name] = await withoutLists(tools, tree, directory, name, blacklist.get(name) ?? null);
    else {
      const { builtIn, dep } = lists.value;
      const listed = { builtIn: builtIn?.get(name), dep: dep?.get(name) };
      facts[name] = await driverFact(
        tools,
        tree,
        directory,
        name,
        listed,
        blacklist.get(name) ?? null,
      );
    }
  }
  return facts as KernelFacts['drivers'];
}

/** A kernel of which nothing says what is built in: only a module that is there is known. */
async function withoutLists(
  tools: ImageTools,
  tree: FileTree,
  directory: string,
  name: DriverName,
  blacklisted: Place | null,
): Promise<Fact<DriverFacts>> {
  const fact = await driverFact(tools, tree, directory, name, {}, blacklisted);
  if (!('value' in fact) || fact.value.form === 'module') return fact;
  return unread(`${directory}/modules.builtin is missing, which says what is built in`);
}

/** Module name -> path as the list has it; null: there is no such list. */
async function moduleList(
  tree: FileTree,
  path: string,
  pattern: RegExp,
): Promise<Map<string, string> | null> {
  const text = await tree.read(path, LIST_BYTES);
  if (text === null) return null;
  const found = new Map<string, string>();
  for (const line of text.toString().split('\n')) {
    const module = pattern.exec(line)?.[0];
    if (module === undefined) continue;
    const name = moduleName(module.slice(module.lastIndexOf('/') + 1));
    if (driverNames.some((driver) => driver === name)) found.set(name, module);
  }
  return found;
}

async function driverFact(
  tools: ImageTools,
  tree: FileTree,
  directory: string,
  name: DriverName,
  { builtIn, dep }: { builtIn?: string | undefined; dep?: string | undefined },
  blacklisted: Place | null,
): Promise<Fact<DriverFacts>> {
  const none = { path: null, version: null, vermagic: null, indexed: false, blacklisted: null };
  if (builtIn !== undefined && dep === undefined)
    return known({ ...none, form: 'builtIn' }, { file: `${directory}/modules.builtin` });
  return attempt(directory, async () => {
    const listed = dep === undefined ? null : dep.startsWith('/') ? dep : `${directory}/${dep}`;
    const path = listed ?? (await searchModule(tree, directory, name));
    if (path === null) return { ...none, form: 'absent' };
    const packed = await tree.read(path, MODULE_BYTES);
    if (packed === null) throw new TreeError(`modules.dep names ${path}, which is not there`);
    const file = await decompress(tools, packed, path, MODULE_BYTES);
    const value = (key: string): string | null => modinfo(file, key);
    const about = { version: value('version'), vermagic: value('vermagic') };
    return { form: 'module', path, ...about, indexed: listed !== null, blacklisted };
  });
}

/** A damaged module says nothing. */
function modinfo(file: Buffer, key: string): string | null {
  try {
    return moduleValues(file, key)[0]?.slice(0, 200) ?? null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Where modules are before depmod has listed them, newest way of packaging first. */
const PLACES: Readonly<Record<DriverName, readonly string[]>> = {
  ena: ['kernel/drivers/net/ethernet/amazon/ena', 'kernel/drivers/amazon/net/ena'],
  ixgbevf: ['kernel/drivers/net/ethernet/intel/ixgbevf'],
  efa: ['kernel/drivers/infiniband/hw/efa', 'kernel/drivers/amazon/net/efa'],
  nvme: ['kernel/drivers/nvme/host'],
  ib_uverbs: ['kernel/drivers/infiniband/core'],
  xen_blkfront: ['kernel/drivers/block'],
  xen_netfront: ['kernel/drivers/net'],
};
const EXTRA = ['updates', 'updates/dkms', 'extra', 'weak-updates', 'misc'];
const MAX_SEARCHED = 200;

async function searchModule(
  tree: FileTree,
  directory: string,
  name: DriverName,
): Promise<string | null> {
  const queue = [...EXTRA, ...PLACES[name]].map((place) => `${directory}/${place}`);
  for (let searched = 0; queue.length > 0 && searched < MAX_SEARCHED; searched++) {
    const place = queue.shift() ?? '';
    for (const entry of (await tree.list(place)) ?? []) {
      const isModule = /\.ko(\.\w+)?$/.test(entry.name) && moduleName(entry.name) === name;
      if (isModule && entry.kind !== 'directory') return `${place}/${entry.name}`;
      const isExtra = EXTRA.some((extra) => place.startsWith(`${directory}/${extra}`));
      if (isExtra && entry.kind === 'directory') queue.push(`${place}/${entry.name}`);
    }
  }
  return null;
}

async function directories(tree: FileTree, path: string): Promise<string[]> {
  const entries = (await tree.list(path)) ?? [];
  return entries.filter(({ kind }) => kind !== 'file').map(({ name }) => name);
}

/** What cannot be read is a fact too: that it cannot. */
export async function attempt<T>(file: string, read: () => Promise<T>): Promise<Fact<T>> {
  try {
    return known(await read(), { file });
  } catch (error) {
    if (error instanceof TreeError) return unread(error.message, { file });
    throw error;
  }
}
