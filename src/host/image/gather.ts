/**
 * The facts of an image, read from its files: nothing of it is executed, mounted or written. What cannot be
 * read is a fact that says why; only an image that cannot be looked at at all is an error.
 */
import { type Fact, isKnown, known, type Unknown, unread } from '../../check/fact.ts';
import type {
  DiskFacts,
  FileSystemFacts,
  ImageFacts,
  ImageSource,
  System,
} from '../../check/image/facts.ts';
import { readBoot } from './boot.ts';
import { readEfaStack } from './efa-stack.ts';
import { ImageError } from './errors.ts';
import { parseFstab } from './fstab.ts';
import { attempt, readKernels } from './kernels.ts';
import { findLayout, systemOf } from './layout.ts';
import { readNetwork } from './network.ts';
import { openImage } from './open-image.ts';
import { readArchitecture, readRelease } from './os.ts';
import { readOtherDrivers } from './other-drivers.ts';
import type { ImageTools } from './tools.ts';
import { type FileTree, TreeError } from './tree.ts';

const TEXT_BYTES = 1 << 20;

export type OnStep = (fraction: number | undefined, text: string) => void;

/** @throws ImageError, SetupError */
export async function gatherImage(
  tools: ImageTools,
  path: string,
  onStep: OnStep,
): Promise<ImageFacts> {
  const image = await openImage(tools, path, onStep);
  try {
    if (image.kind === 'tree') {
      const system = await systemOf(image.tree);
      const root = system && { tree: image.tree, system };
      const why = 'it does not look like the root of a system that is known';
      return await factsOf(tools, {
        source: image.source,
        disk: null,
        root,
        why,
        esp: null,
        onStep,
      });
    }
    onStep(undefined, 'looking for file systems');
    const { disk, source } = image;
    const layout = await findLayout(tools, image.rawPath, disk);
    const { root, problem: why, esp, fileSystems } = layout;
    return await factsOf(tools, { source, disk, root, why, esp, fileSystems, onStep });
  } catch (error) {
    if (error instanceof TreeError)
      throw new ImageError(`${path} cannot be read: ${error.message}.`);
    throw error;
  } finally {
    image.close();
  }
}

interface Found {
  source: ImageSource;
  disk: DiskFacts | null;
  fileSystems?: readonly FileSystemFacts[];
  root: { tree: FileTree; system: System } | null;
  /** Why there is no root. */
  why: string;
  esp: FileTree | null;
  onStep: OnStep;
}

async function factsOf(tools: ImageTools, found: Found): Promise<ImageFacts> {
  const { source, root, onStep } = found;
  if (root === null)
    throw new ImageError(`${source.path} holds no system that can be read: ${found.why}.`);
  const { tree, system } = root;
  onStep(undefined, 'reading settings');
  const os = await attempt('/etc/os-release', () => readRelease(tree));
  const architecture = await attempt('/usr/bin', () => readArchitecture(tree));
  const rest = {
    source,
    disk: found.disk && known(found.disk, { file: 'partition table' }),
    fileSystems: found.fileSystems ?? [],
    system,
    release: isKnown(os)
      ? known(os.value?.release ?? null, { file: os.value?.file ?? '/etc' })
      : os,
    architecture: architectureFact(architecture),
  };
  const isLinux = system === 'linux';
  const notLinux = unread(`it is no Linux but ${system}`);
  const kernels = isLinux
    ? await attempt('/lib/modules', () =>
        readKernels(tools, tree, (release) => onStep(undefined, `kernel ${release}`)),
      )
    : notLinux;
  const { facts: boot, defaultKernel } = await readBoot(tree, found.esp, found.disk, kernels);
  return {
    ...rest,
    kernels,
    boot,
    defaultKernel,
    network: isLinux ? await readNetwork(tree) : networkUnread(notLinux),
    fstab: isLinux ? await readFstab(tree) : notLinux,
    efa: isLinux ? await readEfaStack(tree) : efaUnread(notLinux),
    drivers: await attempt('/', () => readOtherDrivers(tree, system)),
  };
}

function architectureFact(
  fact: Fact<Awaited<ReturnType<typeof readArchitecture>>>,
): ImageFacts['architecture'] {
  if (!isKnown(fact)) return fact;
  if (fact.value === null) return unread('none of the usual programs is there', fact.at);
  return known(fact.value.value, { file: fact.value.file });
}

async function readFstab(tree: FileTree): Promise<ImageFacts['fstab']> {
  return attempt('/etc/fstab', async () => {
    const text = await tree.read('/etc/fstab', TEXT_BYTES);
    return text === null ? [] : parseFstab(text.toString(), '/etc/fstab');
  });
}

const networkUnread = (why: Unknown): ImageFacts['network'] => ({
  pinnedNames: why,
  configurations: why,
  cloudInit: why,
  kernelNames: why,
});

const efaUnread = (why: Unknown): ImageFacts['efa'] => ({
  libibverbs: why,
  libefa: why,
  libfabric: why,
  installer: why,
});
