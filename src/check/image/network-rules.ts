/** An instance's interface is new to the image: nothing may be tied to the one of the machine that made it. */
import { type Fact, isKnown, known, valueIn } from '../fact.ts';
import { shellWord } from '../printable.ts';
import { fail, judge, judgeBoth, pass, type Rule, unknown } from '../rule.ts';
import { askForAddress } from './commands.ts';
import type { CloudInit, ImageFacts, NetworkConfiguration } from './facts.ts';
import { startingCommandLine } from './kernels.ts';

const group = 'network';
const isLinux = ({ system }: ImageFacts): boolean => system === 'linux';

const pinned: Rule<ImageFacts> = {
  id: 'image-no-pinned-names',
  group,
  severity: 'error',
  title: 'no rule names an interface by the address of another machine',
  reason:
    'An instance has a card with an address of its own. Where eth0 is kept for the old one, the new one becomes ' +
    'eth1, for which nothing is configured.',
  source:
    'EC2 User Guide (2023), "Enable enhanced networking with ENA": remove 70-persistent-net.rules',
  mend: 'sudo rm /etc/udev/rules.d/70-persistent-net.rules',
  evaluate: (facts) =>
    isLinux(facts)
      ? [
          judge(
            facts.network.pinnedNames,
            undefined,
            (names, about) => {
              if (names.length === 0) return pass('no interface is named by its address', about);
              const files = [...new Set(names.map(({ at }) => ('file' in at ? at.file : '')))];
              const [first = '', ...more] = files.map((file) => `sudo rm ${shellWord(file)}`);
              return fail(
                `${names.map(({ name }) => name).join(', ')} is kept for another machine's card`,
                {
                  seen: names.map(({ name, mac, at }) => ({ value: `${name} is ${mac}`, at })),
                  mend: [first, ...more],
                },
              );
            },
            (names) => `${names.length} such rules`,
          ),
        ]
      : [],
};

const macs: Rule<ImageFacts> = {
  id: 'image-network-any-address',
  group,
  severity: 'warning',
  title: 'no configuration asks for the address of another machine',
  reason:
    'A configuration with a MAC address in it does nothing for the card of an instance, whose address is another.',
  source:
    'EC2 User Guide (2023), "Enable enhanced networking with ENA"; nm-settings(5), netplan, ifcfg HWADDR',
  mend: 'sudo cloud-init clean --logs   # or remove the MAC from the file',
  evaluate: (facts) =>
    isLinux(facts)
      ? [
          judge(
            facts.network.configurations,
            undefined,
            (all, about) => {
              const tied = all.filter(({ mac }) => mac !== null);
              if (tied.length === 0)
                return pass('no configuration is tied to a MAC address', about);
              const [first = '', ...more] = tied.map(({ at, by }) => {
                const file = shellWord('file' in at ? at.file : '');
                return by === 'netplan'
                  ? `sudo rm ${file}`
                  : `sudo sed -i '/HWADDR\\|mac-address\\|MACAddress/d' ${file}`;
              });
              return fail(`${tied.length} configurations are tied to a MAC address`, {
                seen: tied.map(({ mac, by, at }) => ({ value: `${by}: ${mac}`, at })),
                mend: [first, ...more],
              });
            },
            words,
          ),
        ]
      : [],
};

const configured: Rule<ImageFacts> = {
  id: 'image-network-dhcp',
  group,
  severity: 'error',
  title:
    "something asks for an address on the instance's interface, under the name that it will have",
  reason:
    'EC2 gives addresses by DHCP. The first ENA is called ens5 on Nitro instances, or eth0 where the image keeps the ' +
    "kernel's names (net.ifnames=0, no udev).",
  source: 'EC2 User Guide, "Enable enhanced networking with ENA"; systemd.net-naming-scheme(7)',
  mend: "sudo apt-get install cloud-init   # or ask for DHCP on 'en*' and 'eth0' in the system's own way",
  evaluate: (facts) => (isLinux(facts) ? [addressVerdict(facts)] : []),
};

function addressVerdict(facts: ImageFacts): ReturnType<typeof pass> {
  const { cloudInit, configurations } = facts.network;
  const cloud = valueIn(cloudInit);
  if (cloud?.enabled && !cloud.networkDisabled)
    return judge(
      cloudInit,
      undefined,
      (_, about) => pass('cloud-init configures the network', about),
      cloudWords,
    );
  return judgeBoth(
    configurations,
    interfaceName(facts),
    undefined,
    (all, name, about) => {
      const asking = all.filter(({ dhcp }) => dhcp);
      const fitting = asking.find(({ interface: pattern }) => matches(name, pattern));
      if (fitting !== undefined)
        return pass(
          `${fitting.by} asks for an address on ${fitting.interface ?? 'any interface'}`,
          {
            seen: [{ value: 'DHCP', at: fitting.at }],
          },
        );
      const mend = [askForAddress(facts)] as const;
      if (!isKnown(cloudInit)) return unknown(cloudInit.unknown, about);
      if (asking.length === 0) return fail('nothing asks for an address', { ...about, mend });
      const names = [...new Set(asking.map(({ interface: pattern }) => pattern ?? ''))].join(', ');
      return fail(`an address is asked for on ${names}, but the interface will be called ${name}`, {
        seen: asking.map((one) => ({ value: `${one.by}: ${one.interface}`, at: one.at })),
        mend,
      });
    },
    words,
    (name) => `the interface will be called ${name}`,
  );
}

/** What the first ENA of a Nitro instance will be called. */
export function interfaceName(facts: ImageFacts): Fact<string> {
  const { kernelNames } = facts.network;
  const line = (valueIn(startingCommandLine(facts)) ?? []).find(({ text }) =>
    /(^|\s)net\.ifnames=0(\s|$)/.test(text),
  );
  if (line !== undefined) return known('eth0', line.at);
  if (!isKnown(kernelNames)) return kernelNames;
  return known(kernelNames.value ? 'eth0' : 'ens5', kernelNames.at);
}

/** Patterns of udev, netplan and systemd: `en*`, `e?s5`; ifupdown's `/en*`. */
function matches(name: string, pattern: string | null): boolean {
  if (pattern === null) return true;
  const escaped = pattern
    .replace(/^\//, '')
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]{0,32}')
    .replaceAll('?', '.');
  try {
    return new RegExp(`^${escaped}$`).test(name);
  } catch {
    return false;
  }
}

const metadata: Rule<ImageFacts> = {
  id: 'image-cloud-init-ec2',
  group,
  severity: 'warning',
  title: 'cloud-init looks for the metadata of EC2',
  reason: 'Without its metadata an instance gets no SSH key, no user data and no host name.',
  source: 'cloud-init, "Amazon EC2" data source',
  mend: "echo 'datasource_list: [ Ec2, None ]' | sudo tee /etc/cloud/cloud.cfg.d/90-ec2.cfg",
  evaluate: (facts) =>
    isLinux(facts) && valueIn(facts.network.cloudInit) !== null
      ? [
          judge(
            facts.network.cloudInit as Fact<CloudInit>,
            undefined,
            ({ enabled, datasources }, about) => {
              const mend = [
                "echo 'datasource_list: [ Ec2, None ]' | sudo tee /etc/cloud/cloud.cfg.d/90-ec2.cfg",
              ] as const;
              if (!enabled)
                return fail('cloud-init is installed and disabled', {
                  ...about,
                  mend: ['sudo rm /etc/cloud/cloud-init.disabled'],
                });
              if (datasources === null || datasources.some((name) => /^ec2$/i.test(name)))
                return pass(
                  datasources === null ? 'it tries all data sources' : 'it tries Ec2',
                  about,
                );
              return fail(`it tries ${datasources.join(', ')} only`, { ...about, mend });
            },
            cloudWords,
          ),
        ]
      : [],
};

const cloudWords = (cloud: CloudInit | null): string =>
  cloud === null
    ? 'no cloud-init'
    : [
        cloud.enabled ? 'enabled' : 'disabled',
        ...(cloud.networkDisabled ? ['network: disabled'] : []),
        ...(cloud.datasources === null ? [] : [`datasource_list: ${cloud.datasources.join(', ')}`]),
      ].join(', ');

const words = (all: readonly NetworkConfiguration[]): string =>
  all.length === 0
    ? 'no interface is configured'
    : all
        .map((one) => `${one.by}: ${one.interface ?? 'any'}${one.dhcp ? ', DHCP' : ''}`)
        .join('; ');

export const networkRules: readonly Rule<ImageFacts>[] = [configured, pinned, macs, metadata];
