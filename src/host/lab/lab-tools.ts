/** What a lab's machines are made of: QEMU, an image per instance, an accelerator that works. */
import { type AcceleratorChoice, chooseAccelerator } from '../guest/accelerator.ts';
import { type DiskImage, prepareDiskImage } from '../guest/disk-image.ts';
import type { GuestImage } from '../guest/guest-image.ts';
import { ensureTools } from '../guest/tools.ts';
import { cacheDirectory } from '../packages/cache.ts';
import { SetupError } from '../packages/errors.ts';
import { chooseRecipe } from '../packages/sets.ts';
import type { Accelerator } from '../qemu/args.ts';
import { atLeast, type QemuBinary } from '../qemu/binary.ts';
import type { LabContext } from './context.ts';
import type { MachineFacts } from './report.ts';
import type { Instance } from './topology.ts';

export type LabTools = {
  readonly qemu: QemuBinary;
  /** Of each instance, in the topology's order. */
  readonly images: readonly (GuestImage | DiskImage)[];
  readonly accelerator: Accelerator;
  readonly facts: Pick<MachineFacts, 'qemu' | 'accelerator' | 'accelerator_reason'>;
};

/** Fetches what is missing. @throws SetupError */
export async function prepareTools(context: LabContext): Promise<LabTools> {
  const { topology, observer, signal, cleanup, accelerator: wish } = context;
  observer.step('Getting QEMU and the guests ready');
  const progress = (step: string, fraction: number | undefined, text: string): void =>
    observer.detail(`${step}: ${text}`, fraction);
  const { instances } = topology;
  for (const { name, kernel, image } of instances)
    if (kernel?.includes('/') && image === undefined)
      throw new SetupError(
        'no-image',
        `${name}: the kernel ${kernel} needs a disk with its modules: give it by --image.`,
      );
  const kernels = seriesOf(instances);
  // Whether KVM works is seen by booting a guest of our own.
  if (kernels.length === 0 && wish === 'auto') kernels.push(defaultSeries());
  const work = ensureTools({ kernels, progress, signal });
  cleanup.defer(async () => void (await work)); // it removes what is half done
  const { qemu, guestImages } = await work;
  const disk = { cache: cacheDirectory(), progress, signal };
  const images: (GuestImage | DiskImage)[] = [];
  for (const { name, image: path, kernel } of instances) {
    if (path !== undefined) {
      const own = { path, name, ...(kernel !== undefined && { kernel }) };
      images.push(await prepareDiskImage(own, disk));
    } else images.push(guestImages[kernels.indexOf(kernel ?? defaultSeries())] as GuestImage);
    signal.throwIfAborted();
  }
  const choosing = choose(wish, qemu, guestImages[0], progress);
  cleanup.defer(async () => void (await choosing)); // its guest ends by itself
  const { accelerator, reason } = await choosing;
  signal.throwIfAborted();
  const how = accelerator === 'kvm' ? 'KVM' : 'emulated CPUs (no KVM)';
  const linux = guestImages.map(({ kernelVersion }) => kernelVersion).join(', ');
  observer.detail(`QEMU ${qemu.version}, ${how}${linux === '' ? '' : `, Linux ${linux}`}`);
  const facts = { qemu: qemu.version, accelerator, accelerator_reason: reason };
  return { qemu, images, accelerator, facts };
}

async function choose(
  wish: 'auto' | Accelerator,
  qemu: QemuBinary,
  image: GuestImage | undefined,
  progress: (step: string, fraction: number | undefined, text: string) => void,
): Promise<AcceleratorChoice> {
  if (wish !== 'auto' || image === undefined)
    return { accelerator: wish === 'auto' ? 'tcg' : wish, reason: 'as asked for' };
  return chooseAccelerator(wish, { qemu, image, cache: cacheDirectory(), progress });
}

/** Of the instances that boot a guest of ours. */
function seriesOf(instances: readonly Instance[]): string[] {
  const own = instances.filter(({ image }) => image === undefined);
  return [...new Set(own.map(({ kernel }) => kernel ?? defaultSeries()))];
}

/** The oldest that there is a recipe for: the one that most people run. @throws SetupError */
function defaultSeries(): string {
  const series = Object.keys(chooseRecipe().recipe.sets.kernels);
  return series.reduce((oldest, other) => (atLeast(other, oldest) ? oldest : other));
}
