/**
 * The drivers of a FreeBSD or Windows: files in known places, or a name in the kernel. FreeBSD: ena(4), ixv(4),
 * nvme(4), loader.conf(5). Windows: EC2 User Guide, "Enable enhanced networking" and "AWS NVMe drivers".
 */
import type { DriverName, ForeignDriver, System } from '../../check/image/facts.ts';
import { parseKeyed } from './keyed-text.ts';
import type { FileTree } from './tree.ts';

const TEXT_BYTES = 1 << 20;
const KERNEL_BYTES = 256 << 20;

export async function readOtherDrivers(tree: FileTree, system: System): Promise<ForeignDriver[]> {
  if (system === 'freebsd') return freebsdDrivers(tree);
  return system === 'windows' ? windowsDrivers(tree) : [];
}

/** The module, and what only its code in the kernel says. */
const FREEBSD: readonly { name: DriverName; module: string; inKernel: RegExp }[] = [
  { name: 'ena', module: 'if_ena', inKernel: /ENA adapter\0|Elastic Network Adapter \(ENA\)/ },
  { name: 'ixgbevf', module: 'if_ixv', inKernel: /\0ixv_(probe|attach|register)|\0if_ixv/ },
  { name: 'xen_blkfront', module: 'xbd', inKernel: /\0xbd_probe|\0xbd\0|Virtual Block Device/ },
  {
    name: 'xen_netfront',
    module: 'xn',
    inKernel: /\0xn_probe|\0netfront_probe|Virtual Network Interface/,
  },
  { name: 'nvme', module: 'nvme', inKernel: /\0nvme_(pci_)?(probe|attach)|Generic NVMe Device/ },
];

async function freebsdDrivers(tree: FileTree): Promise<ForeignDriver[]> {
  const kernel = (await tree.read('/boot/kernel/kernel', KERNEL_BYTES))?.toString('latin1') ?? '';
  const loader = (await tree.read('/boot/loader.conf', TEXT_BYTES))?.toString() ?? '';
  const rc = (await tree.read('/etc/rc.conf', TEXT_BYTES))?.toString() ?? '';
  const settings = parseKeyed(loader)[''] ?? {};
  const lists = /^kld_list="?([^"\n]*)/m.exec(rc)?.[1]?.split(/\s+/) ?? [];
  const found: ForeignDriver[] = [];
  for (const { name, module, inKernel } of FREEBSD) {
    if (inKernel.test(kernel)) {
      found.push({ name, path: '/boot/kernel/kernel', starts: true });
      continue;
    }
    const places = ['/boot/kernel', '/boot/modules'].map(
      (directory) => `${directory}/${module}.ko`,
    );
    let path: string | null = null;
    for (const place of places) if (path === null && (await tree.exists(place))) path = place;
    const isYes = /^"?yes"?/i.test(settings[`${module}_load`] ?? '');
    found.push({ name, path, starts: path !== null && (isYes || lists.includes(module)) });
  }
  return found;
}

const WINDOWS: readonly { name: DriverName; files: RegExp; packages: RegExp }[] = [
  { name: 'ena', files: /^ena\.sys$/i, packages: /^ena(\w*)\.inf_/i },
  { name: 'ixgbevf', files: /^vxn\w*\.sys$/i, packages: /^vxn\w*\.inf_/i },
  { name: 'xen_blkfront', files: /^(xenvbd|xenvbdm)\.sys$/i, packages: /^xenvbd\.inf_/i },
  { name: 'xen_netfront', files: /^xennet\.sys$/i, packages: /^xennet\.inf_/i },
  { name: 'nvme', files: /^(awsnvme|stornvme)\.sys$/i, packages: /^(awsnvme|stornvme)\.inf_/i },
];

/** In System32\drivers, or in the store from which Windows takes what a new device needs. */
async function windowsDrivers(tree: FileTree): Promise<ForeignDriver[]> {
  const drivers = await findDirectory(tree, ['Windows', 'System32', 'drivers']);
  const store = await findDirectory(tree, ['Windows', 'System32', 'DriverStore', 'FileRepository']);
  const match = async (directory: string | null, pattern: RegExp): Promise<string | null> => {
    const entries = directory === null ? [] : ((await tree.list(directory)) ?? []);
    const found = entries.find(({ name }) => pattern.test(name));
    return found === undefined ? null : `${directory}/${found.name}`;
  };
  const found: ForeignDriver[] = [];
  for (const { name, files, packages } of WINDOWS) {
    const path = (await match(drivers, files)) ?? (await match(store, packages));
    found.push({ name, path, starts: path !== null });
  }
  return found;
}

/** Windows does not mind capitals. */
async function findDirectory(tree: FileTree, names: readonly string[]): Promise<string | null> {
  let path = '';
  for (const wanted of names) {
    const entries = (await tree.list(path || '/')) ?? [];
    const found = entries.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
    if (found === undefined) return null;
    path = `${path}/${found.name}`;
  }
  return path;
}
