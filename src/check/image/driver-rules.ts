/** The drivers that EC2's cards and disks need, in the kernel that starts. */
import { isKnown, valueIn } from '../fact.ts';
import { shellWord } from '../printable.ts';
import {
  fail,
  type Judged,
  judge,
  notApplicable,
  pass,
  type Rule,
  unknown,
  type Verdict,
} from '../rule.ts';
import { addToInitramfs, installKernel } from './commands.ts';
import type { CommandLine, DriverName, ImageFacts } from './facts.ts';
import {
  type Driver,
  driverIn,
  otherKernels,
  type Presence,
  presenceOf,
  startingCommandLine,
} from './kernels.ts';

const group = 'drivers';
const words = ({ how }: Presence): string => how;

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
  evaluate: (facts) => driverIn(facts, 'ena').map((driver) => present(facts, driver, 'ena', 'ENA')),
};

const nvmePresent: Rule<ImageFacts> = {
  id: 'image-nvme-driver',
  group,
  severity: 'error',
  title: 'the kernel that starts has a driver for NVMe',
  reason: 'Nitro instances see their EBS volumes, the root among them, as NVMe disks.',
  source: 'EC2 User Guide, "Amazon EBS volumes and NVMe"',
  mend: 'sudo apt-get install linux-image-amd64   # or the kernel of your distribution',
  evaluate: (facts) =>
    driverIn(facts, 'nvme').map((driver) => present(facts, driver, 'nvme', 'NVMe')),
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
  evaluate: (facts) =>
    driverIn(facts, 'ixgbevf').map((driver) => present(facts, driver, 'ixgbevf', 'the 82599 VF')),
};

function present(
  facts: ImageFacts,
  { subject, fact }: Driver,
  name: DriverName,
  card: string,
): Verdict {
  return judge(
    fact,
    subject,
    (driver, about) =>
      driver.present
        ? pass(`${name}: ${driver.how}`, about)
        : fail(`there is no driver for ${card}`, { ...about, mend: [mendOf(facts, name)] }),
    words,
  );
}

function mendOf(facts: ImageFacts, name: DriverName): string {
  if (facts.system === 'freebsd') return `sudo sysrc -f /boot/loader.conf if_${name}_load=YES`;
  if (facts.system === 'windows')
    return `pnputil /add-driver ${name === 'nvme' ? 'AWSNVMe' : name}.inf /install   # from Amazon's driver package`;
  return installKernel(facts);
}

const indexed: Rule<ImageFacts> = {
  id: 'image-driver-indexed',
  group,
  severity: 'error',
  title: 'modules.dep lists the modules of ENA and NVMe',
  reason:
    'udev loads a driver by modules.dep and modules.alias; a module that they do not name is never loaded.',
  source: 'modules.dep(5), depmod(8)',
  mend: 'sudo depmod RELEASE',
  evaluate: (facts) =>
    modulesOf(facts, (driver, name, { details, how }, about) =>
      details?.indexed
        ? pass(`modules.dep lists ${name}`, about)
        : fail(`modules.dep does not list ${how}`, {
            ...about,
            mend: [`sudo depmod ${shellWord(driver.subject ?? '')}`],
          }),
    ),
};

const permitted: Rule<ImageFacts> = {
  id: 'image-driver-not-blacklisted',
  group,
  severity: 'error',
  title: 'nothing forbids the drivers of ENA and NVMe',
  reason: 'A blacklisted driver is not loaded when its card appears.',
  source: 'modprobe.d(5)',
  mend: 'sudo grep -rn ena /etc/modprobe.d   # then remove the line',
  evaluate: (facts) =>
    modulesOf(facts, (_, name, { details }, about) => {
      const line = forbiddingLine(facts, name);
      const place = details?.blacklisted ?? line?.at ?? null;
      if (place === null) return pass(`nothing forbids ${name}`, about);
      const file = shellWord('file' in place ? place.file : '');
      return fail(`${name} is blacklisted`, {
        ...about,
        seen: [{ value: `forbids ${name}`, at: place }],
        mend: [
          details?.blacklisted
            ? `sudo sed -i 's/^\\(blacklist\\|install\\)[[:space:]]\\+${name}\\>/# &/' ${file}`
            : `# take ${name} out of modprobe.blacklist= or module_blacklist= on the command line in ${file}`,
        ],
      });
    }),
};

/** The kernel's command line, where it forbids a module. */
function forbiddingLine(facts: ImageFacts, name: DriverName): CommandLine | undefined {
  const argument = /^(?:modprobe\.blacklist|module_blacklist)=(.*)$/;
  return (valueIn(startingCommandLine(facts)) ?? []).find(({ text }) =>
    text.split(/\s+/).some((word) => argument.exec(word)?.[1]?.split(',').includes(name)),
  );
}

const fitting: Rule<ImageFacts> = {
  id: 'image-driver-of-this-kernel',
  group,
  severity: 'error',
  title: 'the modules of ENA and NVMe were built for the kernel that starts',
  reason:
    'A kernel refuses a module that was built for another release, unless symbol versions agree.',
  source: 'Linux, kernel/module/version.c, same_magic()',
  mend: 'sudo dkms autoinstall -k RELEASE',
  evaluate: (facts) =>
    modulesOf(facts, ({ subject = '' }, name, { details }, about) => {
      const built = details?.vermagic?.split(' ')[0];
      if (built === undefined) return unknown(`${name} does not say what it was built for`, about);
      if (built === subject) return pass(`${name} was built for ${built}`, about);
      // with symbol versions only what stands behind the release must agree
      if (
        details?.vermagic?.includes('modversions') &&
        /weak-updates|extra/.test(details.path ?? '')
      )
        return pass(
          `${name} was built for ${built}, and is linked in by its symbol versions`,
          about,
        );
      return fail(`${name} was built for ${built}`, {
        ...about,
        mend: [`sudo dkms autoinstall -k ${shellWord(subject)}`],
      });
    }),
};

/** A verdict on each of ENA and NVMe that is a module of a kernel that may start. */
function modulesOf(
  facts: ImageFacts,
  how: (driver: Driver, name: DriverName, presence: Presence, about: Judged) => Verdict,
): Verdict[] {
  if (facts.system !== 'linux') return [];
  return (['ena', 'nvme'] as const).flatMap((name) =>
    driverIn(facts, name).map((driver) =>
      judge(
        driver.fact,
        driver.subject,
        (presence, about) =>
          presence.details?.form === 'module'
            ? how(driver, name, presence, about)
            : notApplicable(`${name} is no module`, about),
        words,
      ),
    ),
  );
}

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
  evaluate: (facts) =>
    facts.system !== 'linux'
      ? []
      : driverIn(facts, 'nvme').map((driver) =>
          judge(
            driver.fact,
            driver.subject,
            (presence, about) => earlyNvme(facts, driver, presence, about),
            words,
          ),
        ),
};

function earlyNvme(
  facts: ImageFacts,
  { kernel, subject }: Driver,
  presence: Presence,
  about: Judged,
): Verdict {
  if (presence.details?.form === 'builtIn') return pass('nvme is built in', about);
  if (kernel === null) return unknown('no kernel is known', about);
  return judge(
    kernel.initramfs,
    subject,
    (initramfs, { seen }) => {
      const all = { ...(subject === undefined ? {} : { subject }), seen: [...about.seen, ...seen] };
      const mend = [addToInitramfs(facts, kernel, 'nvme')] as const;
      if (initramfs === null)
        return fail('nvme is a module, and there is no initramfs to load it', { ...all, mend });
      if (initramfs.drivers.includes('nvme')) return pass(`nvme is in ${initramfs.path}`, all);
      if (initramfs.unreadPart !== null)
        return unknown(`${initramfs.path} was read in part: ${initramfs.unreadPart}`, all);
      return fail(`${initramfs.path} has no nvme`, { ...all, mend });
    },
    (initramfs) =>
      initramfs === null
        ? 'no initramfs'
        : `modules: ${initramfs.drivers.join(', ') || 'none of them'}`,
  );
}

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
      const found = (['ena', 'nvme'] as const).map((name) => presenceOf(kernel, name));
      const unread = found.find((fact) => !isKnown(fact));
      const about = { subject: kernel.release };
      const missing = (['ena', 'nvme'] as const).filter(
        (_, i) => found[i] && valueIn(found[i])?.present === false,
      );
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
