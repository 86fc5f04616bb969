/** `virtfn check image DISK`: a disk image, an archive or a directory, before anybody launches it. */
import { type Command, InvalidArgumentError } from 'commander';
import { valueIn } from '../check/fact.ts';
import type { ImageFacts } from '../check/image/facts.ts';
import { imageRules } from '../check/image/rules.ts';
import { check, type Report } from '../check/report.ts';
import { ImageError } from '../host/image/errors.ts';
import { gatherImage } from '../host/image/gather.ts';
import { ImageTools } from '../host/image/tools.ts';
import { cacheDirectory } from '../host/packages/cache.ts';
import { bootAll, parseCards } from './boot-cards.ts';
import { addOutputOptions, exitCodes, type OutputOptions, runCheck } from './check-output.ts';
import { interruptible } from './interrupt.ts';
import { Steps } from './steps.ts';
import { UsageError } from './usage-error.ts';

export type ImageOptions = OutputOptions & {
  offline?: boolean;
  boot?: string | true;
  bootTimeout: number;
};

const help = `
DISK is a raw, qcow2, VMDK or VHD disk, also compressed; a tar of a root file system; or a directory.
It is read, never mounted, booted or written to, as an ordinary user. File systems: ext2 to ext4, XFS,
btrfs, FAT, NTFS, UFS, on partitions or LVM; not what is encrypted. What is no raw disk is unpacked
into a temporary directory first (TMPDIR names another place).

--boot starts an x86 disk, by a BIOS or UEFI, behind an overlay that is thrown away: its disk on NVMe, a
card of virtfn's, and a VPC with DHCP and metadata. Seen from outside: does a driver take the card, does it
get an address, read its metadata, which MTU has it; and is that what its files said. Cards: ena, 82599vf,
efa (beside an ena), with a profile behind a colon (ena:nitro-v5), or ena:each for all of them. It takes
QEMU, and minutes where there is no KVM; it ends as soon as all has been seen.

The programs that do it (grub-fstest, qemu-img, xz, ...) are the machine's own, or fetched once from
the distribution's packages, without installing anything; --offline forbids that.
${exitCodes}

Examples:
  $ virtfn check image disk.qcow2
  $ virtfn check image disk.raw --boot ena,82599vf
  $ virtfn check image root.tar.gz --format junit --output check.xml
  $ virtfn check image /mnt --json | jq '.findings[] | select(.outcome == "fail")'
  $ virtfn check image --explain image-nvme-in-initramfs`;

export function addCheckImage(check: Command, exit: (code: number) => void): void {
  const command = check
    .command('image')
    .summary('a disk image: drivers, initramfs, boot, network, disks, EFA')
    .description('Reads a disk image, archive or directory without booting it; changes nothing.')
    .argument('[disk]', 'the image')
    .option('--offline', 'fetch nothing: use what the machine or the cache has')
    .option('--boot [cards]', 'then boot it, on a card each of this list (default: ena)')
    .option('--boot-timeout <s>', 'how long each boot may take', seconds, 300);
  addOutputOptions(command)
    .addHelpText('after', help)
    .action(async (disk: string | undefined, options: ImageOptions) => {
      if (disk === undefined && options.explain === undefined)
        throw new UsageError(
          'virtfn check image needs a disk image; see: virtfn check image --help',
        );
      exit(
        await interruptible((signal) =>
          couldNotTell(() => runCheck(options, () => judged(disk ?? '', options, signal))),
        ),
      );
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 3600) return value;
  throw new InvalidArgumentError('Expected whole seconds, from 1 to 3600.');
}

async function judged(disk: string, options: ImageOptions, signal: AbortSignal): Promise<Report> {
  const cards = options.boot === undefined ? [] : parseCards(options.boot);
  const read = await readImage(disk, options, signal);
  const facts =
    cards.length === 0 ? read : { ...read, boots: await bootAll(read, cards, options, signal) };
  return check(targetOf(facts), imageRules, facts, new Date().toISOString());
}

/** The facts of an image, with progress on stderr. */
export async function readImage(
  disk: string,
  { offline }: { offline?: boolean },
  signal: AbortSignal,
): Promise<ImageFacts> {
  const steps = new Steps();
  const cache = cacheDirectory();
  const progress = (set: string, fraction: number | undefined, text: string): void =>
    steps.detail(`fetching ${set}: ${text}`, fraction);
  const tools = new ImageTools({ cache, progress, offline: offline ?? false, signal });
  steps.step('Reading the image');
  try {
    const facts = await gatherImage(tools, disk, (fraction, text) => steps.detail(text, fraction));
    steps.detail('');
    steps.done();
    return facts;
  } catch (error) {
    if (signal.aborted) steps.stopped();
    else steps.failed();
    throw error;
  }
}

/** An image that cannot be looked at is no answer: exit code 2. */
export async function couldNotTell(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ImageError) throw new UsageError(error.message);
    throw error;
  }
}

/** Which image it was, in words. */
export function targetOf(facts: ImageFacts): Report['target'] {
  const { source, system, release, architecture, fileSystems } = facts;
  const root = fileSystems.find(({ mountedAt }) => mountedAt.includes('/'));
  const detail = [
    valueIn(release)?.name ?? system,
    valueIn(architecture),
    root === undefined ? source.format : `${source.format}, ${root.type} on ${root.device}`,
  ];
  return { kind: 'image', name: source.path, detail: detail.filter((d) => d !== null).join(', ') };
}
