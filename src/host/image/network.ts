/**
 * How an image gets its address, and for which interface: netplan, ifupdown, NetworkManager, systemd-networkd,
 * ifcfg files, cloud-init; and what names its interfaces: udev rules and links.
 */
import type { Place } from '../../check/fact.ts';
import type {
  CloudInit,
  NetworkConfiguration,
  NetworkFacts,
  PinnedName,
} from '../../check/image/facts.ts';
import { attempt } from './kernels.ts';
import { type Keyed, parseKeyed, readYaml } from './keyed-text.ts';
import { readDirectory } from './read-directory.ts';
import type { FileTree } from './tree.ts';

const TEXT_BYTES = 1 << 20;

export async function readNetwork(tree: FileTree): Promise<NetworkFacts> {
  return {
    pinnedNames: await attempt('/etc/udev/rules.d', () => readPinnedNames(tree)),
    configurations: await attempt('/etc', () => readConfigurations(tree)),
    cloudInit: await attempt('/etc/cloud', () => readCloudInit(tree)),
    kernelNames: await attempt('/usr/lib/udev/rules.d', () => keepsKernelNames(tree)),
  };
}

/** udev(7) rules with an address and a name; systemd.link(5) files with MACAddress= and Name=. */
async function readPinnedNames(tree: FileTree): Promise<PinnedName[]> {
  const found: PinnedName[] = [];
  for (const { file, text } of await readDirectory(tree, '/etc/udev/rules.d', /\.rules$/))
    for (const [index, line] of text.split('\n').entries()) {
      const mac = /ATTRS?\{address\}=="([0-9a-fA-F:]{17})"/.exec(line)?.[1];
      const name = /\bNAME:?="([^"]+)"/.exec(line)?.[1];
      if (!line.trim().startsWith('#') && mac !== undefined && name !== undefined)
        found.push({ name, mac, at: { file, line: index + 1 } });
    }
  for (const { file, text } of await readDirectory(tree, '/etc/systemd/network', /\.link$/)) {
    const { Match, Link } = parseKeyed(text);
    const mac = Match?.['MACAddress'] ?? Match?.['PermanentMACAddress'];
    if (mac !== undefined && Link?.['Name'] !== undefined)
      found.push({ name: Link['Name'], mac, at: { file } });
  }
  return found;
}

/** No udev that would rename, or somebody has switched that off: systemd.net-naming-scheme(7). */
async function keepsKernelNames(tree: FileTree): Promise<boolean> {
  const rule = '80-net-setup-link.rules';
  const links = [
    '/usr/lib/systemd/network/99-default.link',
    '/lib/systemd/network/99-default.link',
  ];
  const rules = [`/usr/lib/udev/rules.d/${rule}`, `/lib/udev/rules.d/${rule}`];
  const present = async (paths: readonly string[]): Promise<boolean> => {
    for (const path of paths) if (await tree.exists(path)) return true;
    return false;
  };
  if (!(await present(rules)) && !(await present(links))) return true;
  return (
    (await isMasked(tree, '/etc/udev/rules.d', rule)) ||
    (await isMasked(tree, '/etc/systemd/network', '99-default.link'))
  );
}

/** A link to /dev/null, which an image has not, or an empty file. */
async function isMasked(tree: FileTree, directory: string, name: string): Promise<boolean> {
  const entry = ((await tree.list(directory)) ?? []).find((e) => e.name === name);
  return entry !== undefined && entry.size === 0;
}

async function readConfigurations(tree: FileTree): Promise<NetworkConfiguration[]> {
  return [
    ...(await netplan(tree)),
    ...(await ifupdown(tree)),
    ...(await networkManager(tree)),
    ...(await networkd(tree)),
    ...(await ifcfg(tree)),
  ];
}

async function netplan(tree: FileTree): Promise<NetworkConfiguration[]> {
  const found: NetworkConfiguration[] = [];
  for (const { file, text } of await readDirectory(tree, '/etc/netplan', /\.ya?ml$/)) {
    const ethernets = objectAt(objectAt(readYaml(text), 'network'), 'ethernets');
    for (const [id, value] of Object.entries(ethernets)) {
      const match = objectAt(value, 'match');
      const { dhcp4, dhcp6 } = value as { dhcp4?: unknown; dhcp6?: unknown };
      const pattern = Object.keys(match).length === 0 ? id : textOf(match['name']);
      const on = (flag: unknown): boolean => flag === true || flag === 'yes' || flag === 'true';
      const dhcp = on(dhcp4) || on(dhcp6);
      const mac = textOf(match['macaddress']);
      found.push({ by: 'netplan', interface: pattern, mac, dhcp, at: { file } });
    }
  }
  return found;
}

/** interfaces(5): `iface NAME inet METHOD`, in as many files as there are. */
async function ifupdown(tree: FileTree): Promise<NetworkConfiguration[]> {
  const main = await tree.read('/etc/network/interfaces', TEXT_BYTES);
  const files = [
    ...(main === null ? [] : [{ file: '/etc/network/interfaces', text: main.toString() }]),
    ...(await readDirectory(tree, '/etc/network/interfaces.d', /^[\w-]+(\.cfg)?$/)),
  ];
  return files.flatMap(({ file, text }) =>
    text.split('\n').flatMap((line, index) => {
      const [, name = '', method = ''] = /^\s*iface\s+(\S+)\s+inet6?\s+(\S+)/.exec(line) ?? [];
      if (name === '' || name === 'lo') return [];
      const dhcp = method === 'dhcp' || method === 'auto';
      return [
        {
          by: 'ifupdown' as const,
          interface: name,
          mac: null,
          dhcp,
          at: { file, line: index + 1 },
        },
      ];
    }),
  );
}

async function networkManager(tree: FileTree): Promise<NetworkConfiguration[]> {
  const found: NetworkConfiguration[] = [];
  const by = 'NetworkManager' as const;
  for (const directory of ['/etc', '/usr/lib'])
    for (const { file, text } of await readDirectory(
      tree,
      `${directory}/NetworkManager/system-connections`,
      /\.nmconnection$/,
    )) {
      const { connection, ethernet, ipv4, ipv6 } = parseKeyed(text);
      if (!/^(ethernet|802-3-ethernet)$/.test(connection?.['type'] ?? '')) continue;
      const dhcp = ipv4?.['method'] === 'auto' || ipv6?.['method'] === 'auto';
      const name = connection?.['interface-name'] ?? null;
      found.push({
        by,
        interface: name,
        mac: ethernet?.['mac-address'] ?? null,
        dhcp,
        at: { file },
      });
    }
  const unit = await enabledUnit(tree, 'NetworkManager.service');
  if (unit === null) return found;
  const settings = [
    ...(await readDirectory(tree, '/etc/NetworkManager', /^NetworkManager\.conf$/)),
    ...(await readDirectory(tree, '/etc/NetworkManager/conf.d', /\.conf$/)),
  ];
  const isOff = settings.some(({ text }) => /^\s*no-auto-default\s*=\s*\*/m.test(text));
  // NetworkManager.conf(5): an interface without a connection gets one with DHCP
  if (!isOff) found.push({ by, interface: null, mac: null, dhcp: true, at: unit });
  return found;
}

async function networkd(tree: FileTree): Promise<NetworkConfiguration[]> {
  if ((await enabledUnit(tree, 'systemd-networkd.service')) === null) return [];
  const found: NetworkConfiguration[] = [];
  for (const directory of ['/etc/systemd/network', '/usr/lib/systemd/network'])
    for (const { file, text } of await readDirectory(tree, directory, /\.network$/)) {
      const { Match, Network } = parseKeyed(text);
      const dhcp = /^(yes|true|1|ipv4|ipv6|both|v4|v6)$/.test(Network?.['DHCP'] ?? '');
      const mac = Match?.['MACAddress'] ?? null;
      const names = Match?.['Name']?.split(/\s+/) ?? [null];
      for (const name of names.slice(0, 20))
        found.push({ by: 'systemd-networkd', interface: name, mac, dhcp, at: { file } });
    }
  return found;
}

/** Red Hat's and SUSE's. */
async function ifcfg(tree: FileTree): Promise<NetworkConfiguration[]> {
  const found: NetworkConfiguration[] = [];
  for (const directory of ['/etc/sysconfig/network-scripts', '/etc/sysconfig/network'])
    for (const { file, text } of await readDirectory(tree, directory, /^ifcfg-[^~]+$/)) {
      const values: Keyed[string] = parseKeyed(text)[''] ?? {};
      const value = (name: string): string | undefined =>
        values[name]?.replace(/^(["'])(.*)\1$/, '$2');
      const name = value('DEVICE') ?? file.slice(file.indexOf('/ifcfg-') + '/ifcfg-'.length);
      if (name === 'lo') continue;
      const dhcp =
        /^(dhcp|dhcp4|dhcp6|both)/.test(value('BOOTPROTO') ?? '') && value('ONBOOT') !== 'no';
      const by = directory.endsWith('scripts') ? ('ifcfg' as const) : ('wicked' as const);
      found.push({ by, interface: name, mac: value('HWADDR') ?? null, dhcp, at: { file } });
    }
  return found;
}

/** Where a unit is started from; null: nobody starts it. */
async function enabledUnit(tree: FileTree, unit: string): Promise<Place | null> {
  for (const root of ['/etc/systemd/system', '/usr/lib/systemd/system'])
    for (const target of [
      'multi-user.target.wants',
      'network-online.target.wants',
      'sysinit.target.wants',
    ]) {
      const names = (await tree.list(`${root}/${target}`)) ?? [];
      if (names.some(({ name }) => name === unit)) return { file: `${root}/${target}/${unit}` };
    }
  return null;
}

const CLOUD_INIT = '/etc/cloud/cloud.cfg';

async function readCloudInit(tree: FileTree): Promise<CloudInit | null> {
  const main = await tree.read(CLOUD_INIT, TEXT_BYTES);
  if (main === null) return null;
  let networkDisabled = false;
  let datasources: string[] | null = null;
  const parts = await readDirectory(tree, '/etc/cloud/cloud.cfg.d', /\.cfg$/);
  for (const { text } of [{ text: main.toString() }, ...parts]) {
    const settings = objectAt({ all: readYaml(text) }, 'all');
    if (objectAt(settings, 'network')['config'] === 'disabled') networkDisabled = true;
    const list = settings['datasource_list'];
    if (Array.isArray(list)) datasources = list.slice(0, 50).map(String);
  }
  const enabled = !(await tree.exists('/etc/cloud/cloud-init.disabled'));
  return { enabled, networkDisabled, datasources, at: { file: CLOUD_INIT } };
}

/** A mapping's mapping; empty where there is none. */
function objectAt(value: unknown, key: string): Record<string, unknown> {
  const inner =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : null;
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
