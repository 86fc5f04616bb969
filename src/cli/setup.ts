/** `virtfn setup`: fetches what other commands would fetch by themselves, for whoever wants to be offline then. */
import { Argument, type Command } from 'commander';
import { ensureTools } from '../host/guest/tools.ts';
import { cacheDirectory } from '../host/packages/cache.ts';
import type { Progress } from '../host/packages/progress.ts';
import { ensureSet } from '../host/packages/sets.ts';
import { interruptible } from './interrupt.ts';
import { Steps } from './steps.ts';

type Fetch = (progress: Progress, signal: AbortSignal) => Promise<unknown>;

const parts: Readonly<Record<string, { title: string; fetch: Fetch }>> = {
  image: {
    title: 'What virtfn check image reads disks with',
    fetch: (progress, signal) =>
      ensureSet('image', ({ sets }) => sets.image, { cache: cacheDirectory(), progress, signal }),
  },
  lab: {
    title: 'QEMU, a kernel and the tools of guests',
    fetch: (progress, signal) => ensureTools({ kernels: ['6.12'], progress, signal }),
  },
};

const help = `
Nothing is installed: packages of the distribution are unpacked into the cache (~/.cache/virtfn, or
VIRTFN_CACHE), where every command finds them. Each would fetch what it needs by itself.

  image   virtfn check image and check types: grub-fstest, qemu-img, xz, zstd, ... (about 60 MB)
  lab     virtfn lab, and check image --boot: QEMU, a kernel, tools (about 500 MB)

Examples:
  $ virtfn setup
  $ virtfn setup image && virtfn check image disk.qcow2 --offline`;

export function defineSetup(command: Command, exit: (code: number) => void): void {
  command
    .description('Fetches what other commands need into the cache; what is there stays.')
    .addArgument(new Argument('[parts...]', 'of these; all if absent').choices(Object.keys(parts)))
    .addHelpText('after', help)
    .action(async (chosen: string[]) => {
      const names = chosen.length === 0 ? Object.keys(parts) : chosen;
      exit(await interruptible((signal) => setUp(names, signal)));
    });
}

async function setUp(names: readonly string[], signal: AbortSignal): Promise<number> {
  const steps = new Steps();
  const progress: Progress = (set, fraction, text) => steps.detail(`${set}: ${text}`, fraction);
  try {
    for (const name of names) {
      const part = parts[name];
      if (part === undefined) continue;
      steps.step(part.title);
      await part.fetch(progress, signal);
      steps.detail('there');
    }
    steps.done();
    return 0;
  } catch (error) {
    if (signal.aborted) steps.stopped();
    else steps.failed();
    throw error;
  }
}
