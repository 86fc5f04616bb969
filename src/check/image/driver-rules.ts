/** The drivers that EC2's cards and disks need, in the kernel that starts. */
import { isKnown, valueIn } from '../fact.ts';
import { fail, pass, type Rule, unknown } from '../rule.ts';
import { installKernel } from './commands.ts';
import {
  earlyVerdicts,
  fittingVerdicts,
  indexedVerdicts,
  permittedVerdicts,
  presentVerdicts,
} from './driver-verdicts.ts';
import type { ImageFacts } from './facts.ts';
import { otherKernels, presenceOf } from './kernels.ts';

const group = 'drivers';
/** Without these nobody reaches an instance. */
const needed = ['ena', 'nvme'] as const;

const enaPresent: Rule<ImageFacts> = {
  id: 'image-ena-driver',
  group,
  severity: 'error',
  title: 'the kernel that starts has a driver for ENA',
  reason:
    'Every Nitro instance has ENA as its only network card. Without its driver the launch succeeds, and nobody ' +
    'ever reaches the instance.',
  source:
    'EC2 User Guide, "Enable enhanced networking with ENA" and "Troubleshoot the Elastic Network Adapter"',
  mend: 'sudo apt-get install linux-image-amd64   # or the kernel of your distribution; its source: github.com/amzn/amzn-drivers',
  evaluate: (facts) => presentVerdicts(facts, 'ena', 'ENA'),
};

const nvmePresent: Rule<ImageFacts> = {
  id: 'image-nvme-driver',
  group,
  severity: 'error',
  title: 'the kernel that starts has a driver for NVMe',
  reason: 'Nitro instances see their EBS volumes, the root among them, as NVMe disks.',
  source: 'EC2 User Guide, "Amazon EBS volumes and NVMe"',
  mend: 'sudo apt-get install linux-image-amd64   # or the kernel of your distribution',
  evaluate: (facts) => presentVerdicts(facts, 'nvme', 'NVMe'),
};

const vfPresent: Rule<ImageFacts> = {
  id: 'image-ixgbevf-driver',
  group,
  severity: 'warning',
  title: 'the kernel that starts has a driver for the 82599 VF',
  reason:
    'C3, C4, D2, I2, M4 and R3 instances have enhanced networking by this card only; without the driver they fall ' +
    "back to Xen's adapter.",
  source: 'EC2 User Guide, "Enhanced networking with the Intel 82599 VF interface"',
  mend: 'sudo apt-get install linux-image-amd64   # or the kernel of your distribution',
  evaluate: (facts) => presentVerdicts(facts, 'ixgbevf', 'the 82599 VF'),
};

const indexed: Rule<ImageFacts> = {
  id: 'image-driver-indexed',
  group,
  severity: 'error',
  title: 'modules.dep lists the modules of ENA and NVMe',
  reason:
    'udev loads a driver by modules.dep and modules.alias; a module that they do not name is never loaded.',
  source: 'modules.dep(5), depmod(8)',
  mend: 'sudo depmod RELEASE',
  evaluate: (facts) => needed.flatMap((name) => indexedVerdicts(facts, name)),
};

const permitted: Rule<ImageFacts> = {
  id: 'image-driver-not-blacklisted',
  group,
  severity: 'error',
  title: 'nothing forbids the drivers of ENA and NVMe',
  reason: 'A blacklisted driver is not loaded when its card appears.',
  source: 'modprobe.d(5)',
  mend: 'sudo grep -rn ena /etc/modprobe.d   # then remove the line',
  evaluate: (facts) => needed.flatMap((name) => permittedVerdicts(facts, name)),
};

const fitting: Rule<ImageFacts> = {
  id: 'image-driver-of-this-kernel',
  group,
  severity: 'error',
  title: 'the modules of ENA and NVMe were built for the kernel that starts',
  reason:
    'A kernel refuses a module that was built for another release, unless symbol versions agree.',
  source: 'Linux, kernel/module/version.c, same_magic()',
  mend: 'sudo dkms autoinstall -k RELEASE',
  evaluate: (facts) => needed.flatMap((name) => fittingVerdicts(facts, name)),
};

const nvmeEarly: Rule<ImageFacts> = {
  id: 'image-nvme-in-initramfs',
  group,
  severity: 'error',
  title: 'a driver for NVMe is built in, or in the initramfs',
  reason:
    'The root is an NVMe disk on Nitro instances: its driver must be there before the root is mounted. An initramfs ' +
    'that was made on another machine has only the drivers of that one.',
  source:
    'EC2 User Guide, "Amazon EBS volumes and NVMe"; awslabs/aws-support-tools, NitroInstanceChecks',
  mend: 'sudo dracut --force --add-drivers nvme   # Debian: echo nvme >> /etc/initramfs-tools/modules; update-initramfs -u',
  evaluate: (facts) => earlyVerdicts(facts, 'nvme'),
};

const others: Rule<ImageFacts> = {
  id: 'image-other-kernels',
  group,
  severity: 'warning',
  title: 'the other kernels have drivers for ENA and NVMe too',
  reason: 'A boot menu, an update or a rollback may start another kernel than today.',
  source: 'EC2 User Guide, "Enable enhanced networking with ENA"',
  mend: 'sudo apt-get purge linux-image-RELEASE   # or another way to remove a kernel that is not wanted',
  evaluate: (facts) =>
    otherKernels(facts).map((kernel) => {
      const found = needed.map((name) => presenceOf(kernel, name));
      const unread = found.find((fact) => !isKnown(fact));
      const about = { subject: kernel.release };
      const missing = needed.filter((_, i) => found[i] && valueIn(found[i])?.present === false);
      if (missing.length > 0)
        return fail(`it has no ${missing.join(' and no ')}`, {
          ...about,
          mend: [`# remove this kernel, or: ${installKernel(facts)}`],
        });
      if (unread !== undefined && 'unknown' in unread) return unknown(unread.unknown, about);
      return pass('it has ena and nvme', about);
    }),
};

export const driverRules: readonly Rule<ImageFacts>[] = [
  enaPresent,
  nvmePresent,
  nvmeEarly,
  indexed,
  permitted,
  fitting,
  vfPresent,
  others,
];
