/** The kernel, its drivers, and names that outlive the machine that they were made for. */
import { fail, judge, judgeBoth, notApplicable, pass, type Rule, unknown } from '../rule.ts';
import { eachInterface } from './cards.ts';
import type { HostFacts } from './facts.ts';

const enaModule: Rule<HostFacts> = {
  id: 'host-ena-module',
  group: 'kernel',
  severity: 'error',
  title: 'the running kernel has the ena driver',
  reason:
    'All instances on Nitro have ENA functions only: a kernel without ena starts there, and cannot be reached. ' +
    'It is in Linux since 4.9, but not in every flavour of every distribution.',
  source: 'EC2 User Guide, "Enable enhanced networking with ENA"',
  mend: 'sudo apt-get install linux-image-cloud-amd64   # or: sudo dnf install kernel-modules-extra',
  evaluate: ({ drivers, kernel }) => [
    judgeBoth(kernel, drivers.ena, undefined, (release, ena, about) => {
      if (ena !== null) return pass(`${release} has ena: ${ena}`, about);
      return fail(`${release} has no ena`, {
        ...about,
        mend: [
          '# Debian: sudo apt-get install linux-image-cloud-amd64',
          '# Red Hat: sudo dnf install kernel-modules-extra',
          `modinfo -k '${release.replaceAll("'", '')}' ena`,
        ],
      });
    }),
  ],
};

const ixgbevfVersion: Rule<HostFacts> = {
  id: 'host-ixgbevf-version',
  group: 'kernel',
  severity: 'warning',
  title: 'an 82599 VF has ixgbevf 2.14.2 or newer',
  reason: 'EC2 recommends 2.14.2 at least, and kernels since 2.6.32.',
  source: 'EC2 User Guide, "Enhanced networking with the Intel 82599 VF interface"',
  mend: '# a newer kernel: its own ixgbevf is new enough since Linux 4.0',
  evaluate: (facts) =>
    eachInterface(facts, ['82599vf'], ({ name, driverVersion }) =>
      judge(driverVersion, name, (version, about) => {
        const order = compareVersions(version, [2, 14, 2]);
        if (order === null) return unknown(`'${version}' is no version`, about);
        if (order >= 0) return pass(`ixgbevf ${version}`, about);
        return fail(`ixgbevf ${version} is older`, {
          ...about,
          mend: [
            '# update the kernel, or build the driver of https://github.com/intel/ethernet-linux-ixgbevf',
          ],
        });
      }),
    ),
};

const persistentNames: Rule<HostFacts> = {
  id: 'host-persistent-names',
  group: 'kernel',
  severity: 'warning',
  title: 'no udev rule ties a name to an address that this machine does not have',
  reason:
    'An instance that is made of this disk has other addresses: its interface then gets another name than the ' +
    'one that is configured, and no address.',
  source: 'EC2 User Guide, "Enable enhanced networking with ENA" (70-persistent-net.rules)',
  mend: 'sudo rm /etc/udev/rules.d/70-persistent-net.rules',
  evaluate: ({ persistentNames: rules, macs }) => [
    judgeBoth(
      rules,
      macs,
      undefined,
      (lines, own, about) => {
        if (lines === null) return pass('there is no 70-persistent-net.rules', about);
        const stale = lines.filter(({ mac }) => !own.includes(mac));
        const at = (line: number) => ({ file: '/etc/udev/rules.d/70-persistent-net.rules', line });
        const [first] = stale;
        if (first === undefined) return pass('all its addresses are those of this machine', about);
        return fail(`${first.mac} is no address of this machine`, {
          seen: stale.map(({ line, mac }) => ({ value: mac, at: at(line) })),
          mend: ['sudo rm /etc/udev/rules.d/70-persistent-net.rules'],
        });
      },
      (lines) => `${lines?.length ?? 'no'} names`,
      (own) => own.join(' '),
    ),
  ],
};

const stableNames: Rule<HostFacts> = {
  id: 'host-interface-names',
  group: 'kernel',
  severity: 'note',
  title: 'interfaces keep their names when a card is of another kind',
  reason:
    'Predictable names (ens5, enp0s3) follow the slot: after a change from Xen to Nitro or to another card they ' +
    'differ, and a configuration by name no longer applies.',
  source: 'EC2 User Guide, "Enable enhanced networking with ENA" (net.ifnames=0)',
  mend: 'sudo sed -i \'/^GRUB_CMDLINE_LINUX=/s/"$/ net.ifnames=0"/\' /etc/default/grub && sudo update-grub',
  evaluate: ({ commandLine, isEc2 }) => [
    judgeBoth(commandLine, isEc2, undefined, (line, ec2, about) => {
      if (/(^|\s)net\.ifnames=0(\s|$)/.test(line)) return pass('net.ifnames=0 is set', about);
      if (!ec2) return notApplicable('this is no instance of EC2', about);
      return fail('net.ifnames=0 is not set: see that no configuration is by name', {
        ...about,
        mend: [
          'grep -rE "ens[0-9]|enp[0-9]|eth[0-9]" /etc/netplan /etc/network /etc/systemd/network /etc/sysconfig',
          `sudo sed -i '/^GRUB_CMDLINE_LINUX=/s/"$/ net.ifnames=0"/' /etc/default/grub && sudo update-grub`,
          '# Red Hat, Amazon Linux: sudo grubby --update-kernel=ALL --args=net.ifnames=0',
        ],
      });
    }),
  ],
};

/** Less than 0: older than wanted. A kernel's own version (`6.12.117+deb13-cloud`) counts too. */
function compareVersions(version: string, wanted: readonly number[]): number | null {
  const numbers = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (numbers === null) return null;
  for (const [i, want] of wanted.entries()) {
    const difference = Number(numbers[i + 1] ?? 0) - want;
    if (difference !== 0) return difference;
  }
  return 0;
}

export const kernelRules: readonly Rule<HostFacts>[] = [
  enaModule,
  ixgbevfVersion,
  persistentNames,
  stableNames,
];
