/** How an instance starts: firmware, boot loader, command line, and the disks that it waits for. */
import { isKnown, valueIn } from '../fact.ts';
import { shellWord } from '../printable.ts';
import { fail, judge, notApplicable, pass, type Rule, unknown, type Verdict } from '../rule.ts';
import { addArgument } from './commands.ts';
import type { ImageFacts, MountFacts } from './facts.ts';
import { startingCommandLine } from './kernels.ts';

const group = 'boot';

const architecture: Rule<ImageFacts> = {
  id: 'image-architecture',
  group,
  severity: 'error',
  title: 'it is for processors that EC2 has',
  reason: 'Instances with Enhanced Networking have 64-bit x86 or ARM processors.',
  source: 'EC2 User Guide, "Amazon EC2 instance types"',
  mend: '# build the image for x86_64 or arm64',
  evaluate: ({ architecture: fact }) => [
    judge(fact, undefined, (name, about) =>
      name === 'x86_64' || name === 'arm64'
        ? pass(name, about)
        : fail(`it is for ${name === 'i386' ? '32-bit x86' : 'other processors'}`, {
            ...about,
            mend: ['# build the image for x86_64 or arm64'],
          }),
    ),
  ],
};

const kernelThere: Rule<ImageFacts> = {
  id: 'image-kernel-present',
  group,
  severity: 'error',
  title: 'there is a kernel to start',
  reason: 'Without a kernel in the image there is nothing that could drive a card.',
  source: 'EC2 User Guide, "Boot modes"',
  mend: 'sudo apt-get install linux-image-amd64   # or the kernel of your distribution',
  evaluate: (facts) =>
    facts.system !== 'linux'
      ? []
      : [
          judge(
            facts.kernels,
            undefined,
            (kernels, about) => {
              const ready = kernels.filter(({ image }) => valueIn(image) !== null);
              if (ready.length > 0)
                return pass(ready.map(({ release }) => release).join(', '), about);
              const what =
                kernels.length === 0 ? 'there is no kernel' : 'there are modules, and no kernel';
              return fail(what, {
                ...about,
                mend: [
                  'sudo apt-get install linux-image-amd64   # or the kernel of your distribution',
                ],
              });
            },
            (kernels) => `${kernels.length} releases`,
          ),
        ],
};

const bootMode: Rule<ImageFacts> = {
  id: 'image-boot-mode',
  group,
  severity: 'error',
  title: 'the firmware of EC2 finds a boot loader',
  reason:
    'x86 instances start by a BIOS, which runs the code in the first sector, or by UEFI; ARM instances by UEFI. UEFI ' +
    'has no boot entries on a new instance: it takes the default file of the EFI system partition.',
  source: 'EC2 User Guide, "Boot modes"; UEFI 2.10, 3.5.1.1 "Removable Media Boot Behavior"',
  mend: 'sudo grub-install --target=i386-pc DISK   # UEFI: sudo grub-install --target=x86_64-efi --removable',
  evaluate: (facts) => [bootVerdict(facts)],
};

function bootVerdict(facts: ImageFacts): Verdict {
  const { efiLoader, biosLoader } = facts.boot;
  if (facts.disk === null) return notApplicable('a directory or archive has no boot sector');
  if (!isKnown(biosLoader)) return unknown(biosLoader.unknown);
  return judge(efiLoader, undefined, (efi, { seen }) => {
    const about = {
      seen: [
        ...seen,
        { value: biosLoader.value ? 'boot code' : 'no boot code', at: biosLoader.at },
      ],
    };
    const arm = valueIn(facts.architecture) === 'arm64';
    const wanted = arm ? /bootaa64\.efi$/i : /bootx64\.efi$/i;
    const byUefi = efi !== null && wanted.test(efi);
    if (byUefi && biosLoader.value && !arm) return pass('by BIOS and by UEFI', about);
    if (byUefi)
      return pass(arm ? 'by UEFI' : 'by UEFI: register the image with --boot-mode uefi', about);
    if (biosLoader.value && !arm) return pass('by BIOS', about);
    const what = arm
      ? 'there is no /EFI/BOOT/BOOTAA64.EFI'
      : 'there is no code in the first sector, and no /EFI/BOOT/BOOTX64.EFI';
    const target = arm
      ? 'arm64-efi --removable'
      : 'x86_64-efi --removable   # BIOS: --target=i386-pc DISK';
    return fail(what, { ...about, mend: [`sudo grub-install --target=${target}`] });
  });
}

/** Names that the kernel gave to disks of Xen, SCSI, IDE and virtio: NVMe disks have others. */
const unstable = /^\/dev\/(xvd|sd|vd|hd)[a-z]+\d*$/;

const fstab: Rule<ImageFacts> = {
  id: 'image-fstab-names',
  group,
  severity: 'error',
  title: 'fstab names disks by what does not change',
  reason:
    'On Nitro instances EBS volumes are /dev/nvme0n1 and so on, in any order. A mount of /dev/xvda1 or /dev/sda1 fails, ' +
    'and the boot stops and waits for somebody at the console.',
  source:
    'EC2 User Guide, "Amazon EBS volumes and NVMe"; awslabs/aws-support-tools, NitroInstanceChecks',
  mend: 'sudo blkid   # then UUID=... in /etc/fstab instead of /dev/...',
  evaluate: (facts) =>
    facts.system !== 'linux'
      ? []
      : [
          judge(
            facts.fstab,
            undefined,
            (mounts, about) => {
              const wrong = mounts.filter(
                (mount) => unstable.test(mount.device) && isNeeded(mount),
              );
              if (wrong.length === 0) return pass('no mount depends on the name of a disk', about);
              const [first = '', ...more] = wrong.map((mount) => byUuid(facts, mount));
              return fail(`${wrong.map(({ device }) => device).join(', ')} will not be there`, {
                seen: wrong.map(({ device, mountPoint, at }) => ({
                  value: `${device} on ${mountPoint}`,
                  at,
                })),
                mend: [first, ...more],
              });
            },
            (mounts) => `${mounts.length} mounts`,
          ),
        ],
};

/** The boot goes on without it. */
const isNeeded = ({ options }: MountFacts): boolean =>
  !options.includes('nofail') && !options.includes('noauto');

function byUuid(facts: ImageFacts, { device, mountPoint }: MountFacts): string {
  const mounted = facts.fileSystems.find(({ mountedAt }) => mountedAt.includes(mountPoint));
  const uuid = mounted?.uuid;
  if (uuid) return `sudo sed -i 's|^${device}\\>|UUID=${uuid}|' /etc/fstab`;
  return `sudo sed -i "s|^${device}\\>|UUID=$(sudo blkid -s UUID -o value ${device})|" /etc/fstab`;
}

const rootArgument: Rule<ImageFacts> = {
  id: 'image-root-argument',
  group,
  severity: 'error',
  title: 'the command line names the root by what does not change',
  reason: 'With root=/dev/xvda1 the kernel waits for a disk that a Nitro instance does not have.',
  source: 'EC2 User Guide, "Amazon EBS volumes and NVMe"',
  mend: 'sudo update-grub   # after removing GRUB_DISABLE_LINUX_UUID from /etc/default/grub',
  evaluate: (facts) =>
    facts.system !== 'linux'
      ? []
      : [
          judge(
            startingCommandLine(facts),
            undefined,
            (lines, about) => {
              const root = (lines[0]?.text.split(/\s+/) ?? [])
                .filter((word) => word.startsWith('root='))
                .at(-1);
              if (root === undefined) return notApplicable('the command line names no root', about);
              if (!unstable.test(root.slice('root='.length))) return pass(root, about);
              return fail(`${root} will not be there`, { ...about, mend: [rootMend(facts)] });
            },
            (lines) => lines[0]?.text ?? 'no entry',
          ),
        ],
};

function rootMend(facts: ImageFacts): string {
  const uuid = facts.fileSystems.find(({ mountedAt }) => mountedAt.includes('/'))?.uuid ?? 'UUID';
  const line = valueIn(startingCommandLine(facts))?.[0];
  const file = shellWord(line !== undefined && 'file' in line.at ? line.at.file : 'FILE');
  return `sudo sed -i 's|root=/dev/[a-z]*[0-9]*|root=UUID=${uuid}|' ${file}   # and where it is made from`;
}

const timeout: Rule<ImageFacts> = {
  id: 'image-nvme-timeout',
  group,
  severity: 'note',
  title: 'requests to NVMe disks are given all the time they need',
  reason: 'EBS may hold a request for longer than the 30 seconds after which Linux gives up.',
  source: 'EC2 User Guide, "NVMe I/O operation timeout"',
  mend: 'sudo grubby --update-kernel=ALL --args=nvme_core.io_timeout=4294967295   # or in /etc/default/grub',
  evaluate: (facts) =>
    commandLineRule(
      facts,
      /(^|\s)nvme(_core)?\.io_timeout=\d+/,
      'nvme_core.io_timeout',
      'nvme_core.io_timeout=4294967295',
    ),
};

const serialConsole: Rule<ImageFacts> = {
  id: 'image-serial-console',
  group,
  severity: 'note',
  title: 'the kernel speaks to the serial console',
  reason:
    "Without it get-console-output and EC2's serial console stay empty when something goes wrong.",
  source: 'EC2 User Guide, "EC2 Serial Console"',
  mend: 'sudo grubby --update-kernel=ALL --args=console=ttyS0   # or in /etc/default/grub',
  evaluate: (facts) =>
    commandLineRule(facts, /(^|\s)console=tty(S|AMA)\d/, 'console=ttyS0', 'console=ttyS0'),
};

function commandLineRule(
  facts: ImageFacts,
  wanted: RegExp,
  name: string,
  argument: string,
): Verdict[] {
  if (facts.system !== 'linux') return [];
  return [
    judge(
      startingCommandLine(facts),
      undefined,
      (lines, about) =>
        lines.some(({ text }) => wanted.test(text))
          ? pass(`${name} is set`, about)
          : fail(`${name} is not set`, { ...about, mend: [addArgument(facts, argument)] }),
      (lines) => lines[0]?.text ?? 'no entry',
    ),
  ];
}

export const bootRules: readonly Rule<ImageFacts>[] = [
  architecture,
  bootMode,
  kernelThere,
  rootArgument,
  fstab,
  timeout,
  serialConsole,
];
