/**
 * Finds the system on a disk: which file system is its root, and what its fstab mounts in it. There may be
 * none that can be read: encrypted, of a kind that no tool knows, or not there at all.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { DiskFacts, FileSystemFacts, System } from '../../check/image/facts.ts';
import { deviceOf, type KnownDevice, parseFstab } from './fstab.ts';
import { GrubTree, grubDevices } from './grub-tree.ts';
import type { ImageTools } from './tools.ts';
import { type FileTree, MountedTree, TreeError } from './tree.ts';

export interface Layout {
  fileSystems: FileSystemFacts[];
  /** null: no root was found; why not is `problem`. */
  root: { tree: FileTree; system: System } | null;
  problem: string;
  /** The EFI system partition. */
  esp: FileTree | null;
}

interface Device extends KnownDevice {
  fileSystem: string | null;
}

/** A disk has few; more is somebody who wants to keep us busy. */
const MAX_DEVICES = 64;
const MAX_SUBVOLUMES = 32;
const FSTAB_BYTES = 1 << 20;
/** Where distributions put the root on btrfs, else its top directories. */
const SUBVOLUMES = ['', '/@', '/root', '/@rootfs'];
const WANTED_MOUNTS = /^\/(boot|boot\/efi|efi|usr|var|opt|etc|lib)$/;

/** @throws TreeError when nothing of the disk can be read at all */
export async function findLayout(
  tools: ImageTools,
  rawPath: string,
  disk: DiskFacts,
): Promise<Layout> {
  const devices = await usableDevices(tools, rawPath, disk);
  const mounts = new Map<string, { device: Device; tree: FileTree }>();
  const problems: string[] = [];
  let root: Layout['root'] = null;
  for (const device of devices) {
    if (device.fileSystem === null || root !== null) continue;
    try {
      const found = await rootOn(tools, rawPath, device);
      if (found === null) continue;
      root = found;
      mounts.set('/', { device, tree: found.tree });
    } catch (error) {
      if (!(error instanceof TreeError)) throw error;
      problems.push(`${nameOf(device)}: ${error.message}`);
    }
  }
  if (root !== null) await addMounts(tools, rawPath, { devices, mounts, tree: root.tree });
  const esp = await findEsp(tools, rawPath, { disk, devices, mounts });
  const at = (device: Device): string[] =>
    [...mounts].filter(([, m]) => m.device === device).map(([point]) => point);
  const fileSystems = devices.map((device) => ({
    device: nameOf(device),
    type: device.fileSystem,
    uuid: device.uuid,
    label: device.label,
    mountedAt: at(device),
  }));
  const trees = new Map([...mounts].map(([point, { tree }]) => [point, tree]));
  return {
    fileSystems,
    root: root && { tree: new MountedTree(trees), system: root.system },
    problem: root === null ? whyNoRoot(rawPath, disk, devices, problems) : '',
    esp,
  };
}

/** What is on partitions and volumes; the whole disk only where it is not partitioned. */
async function usableDevices(
  tools: ImageTools,
  rawPath: string,
  disk: DiskFacts,
): Promise<Device[]> {
  const devices = (await grubDevices(tools, rawPath)).filter(
    ({ name }) => name !== 'loop0' || disk.table === 'none',
  );
  return devices
    .slice(0, MAX_DEVICES)
    .map((device) => {
      const partition = disk.partitions.find(({ name }) => `loop0,${name}` === device.name);
      return { ...device, partitionUuid: partition?.uuid ?? null };
    })
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

const nameOf = ({ name }: { name: string }): string =>
  name === 'loop0' ? 'disk' : name.replace(/^loop0,/, '');

async function rootOn(
  tools: ImageTools,
  rawPath: string,
  device: Device,
): Promise<{ tree: FileTree; system: System } | null> {
  const bases = new Set(SUBVOLUMES.slice(0, 1));
  if (device.fileSystem === 'btrfs') {
    const top = (await new GrubTree(tools, rawPath, device).list('/')) ?? [];
    const names = top.filter(({ kind }) => kind === 'directory').map(({ name }) => `/${name}`);
    const roots = [...SUBVOLUMES, ...(await snapshots(tools, rawPath, device)), ...names];
    for (const base of roots.slice(0, MAX_SUBVOLUMES)) bases.add(base);
  }
  for (const base of bases) {
    const tree = new GrubTree(tools, rawPath, device, base);
    const system = await systemOf(tree);
    if (system !== null) return { tree, system };
  }
  return null;
}

/** SUSE's: which one is the default GRUB does not say, so the newest comes first. */
async function snapshots(tools: ImageTools, rawPath: string, device: Device): Promise<string[]> {
  const directory = '/@/.snapshots';
  const entries = (await new GrubTree(tools, rawPath, device).list(directory)) ?? [];
  const numbers = entries.map(({ name }) => Number(name)).filter((n) => Number.isInteger(n));
  return numbers.sort((a, b) => b - a).map((n) => `${directory}/${n}/snapshot`);
}

/** What the tree is the root of; null: of nothing that is known. */
export async function systemOf(tree: FileTree): Promise<System | null> {
  const names = async (path: string): Promise<Set<string>> =>
    new Set(((await tree.list(path)) ?? []).map(({ name }) => name));
  const top = await names('/');
  const windows = [...top].find((name) => name.toLowerCase() === 'windows');
  if (windows !== undefined) {
    const inside = [...(await names(`/${windows}`))];
    if (inside.some((name) => name.toLowerCase() === 'system32')) return 'windows';
  }
  if (top.has('boot') && (await tree.exists('/boot/kernel/kernel'))) return 'freebsd';
  if (!top.has('etc') && !top.has('usr')) return null;
  for (const sign of ['/etc/os-release', '/usr/lib/os-release', '/lib/modules'])
    if (await tree.exists(sign)) return 'linux';
  return null;
}

async function addMounts(
  tools: ImageTools,
  rawPath: string,
  found: {
    devices: Device[];
    mounts: Map<string, { device: Device; tree: FileTree }>;
    tree: FileTree;
  },
): Promise<void> {
  const { devices, mounts, tree } = found;
  const fstab = await tree.read('/etc/fstab', FSTAB_BYTES).catch(() => null);
  for (const { device: field, mountPoint, options } of parseFstab(
    fstab?.toString() ?? '',
    '/etc/fstab',
  )) {
    const point = mountPoint.replace(/(.)\/+$/, '$1');
    const device = deviceOf(field, devices);
    if (device === undefined || device.fileSystem === null || !WANTED_MOUNTS.test(point)) continue;
    const subvolume = options.find((o) => o.startsWith('subvol='))?.slice('subvol='.length);
    const base = subvolume === undefined ? '' : `/${subvolume.replace(/^\/+/, '')}`;
    mounts.set(point, { device, tree: new GrubTree(tools, rawPath, device, base) });
  }
}

/** By its type, else by what is mounted where it is mounted. */
async function findEsp(
  tools: ImageTools,
  rawPath: string,
  found: {
    disk: DiskFacts;
    devices: Device[];
    mounts: Map<string, { device: Device; tree: FileTree }>;
  },
): Promise<FileTree | null> {
  const { disk, devices, mounts } = found;
  const names = disk.partitions
    .filter(({ type }) => type === 'EFI system')
    .map((p) => `loop0,${p.name}`);
  const device = devices.find(
    ({ name, fileSystem }) => names.includes(name) && fileSystem === 'fat',
  );
  if (device === undefined)
    return mounts.get('/boot/efi')?.tree ?? mounts.get('/efi')?.tree ?? null;
  const tree = new GrubTree(tools, rawPath, device);
  if (![...mounts.values()].some((m) => m.device === device))
    mounts.set('/boot/efi', { device, tree });
  return tree;
}

function whyNoRoot(
  rawPath: string,
  disk: DiskFacts,
  devices: Device[],
  problems: string[],
): string {
  if (problems.length > 0) return problems.join('; ');
  const locked = disk.partitions.find(
    ({ startBytes }) => magicAt(rawPath, startBytes) === 'LUKS\xba\xbe',
  );
  if (locked !== undefined) return `partition ${locked.name} is encrypted (LUKS)`;
  const volumes = disk.partitions.find(({ type }) => type === 'Linux LVM');
  if (volumes !== undefined && !devices.some(({ name }) => name.startsWith('lvm/')))
    return `partition ${volumes.name} is of LVM, and no volume of it can be read`;
  const types = devices.map((d) => `${nameOf(d)} ${d.fileSystem ?? 'of no known kind'}`).join(', ');
  if (devices.length === 0 || types === 'disk of no known kind')
    return 'it has neither partitions nor a file system that is known; is it a disk image?';
  return `none of its file systems holds a system that is known (${types})`;
}

function magicAt(path: string, at: number): string {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(6);
    readSync(descriptor, buffer, 0, 6, Number.isSafeInteger(at) ? at : 0);
    return buffer.toString('latin1');
  } finally {
    closeSync(descriptor);
  }
}
