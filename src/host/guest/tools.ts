/** The front door of setting up: a QEMU and guest images, from the machine or its distribution. */

import { cacheDirectory } from '../packages/cache.ts';
import { INSTALL_BY_HAND, SetupError } from '../packages/errors.ts';
import { noProgress, type Progress } from '../packages/progress.ts';
import { ensureSet, type SetOptions } from '../packages/sets.ts';
import { OLDEST_QEMU, type QemuBinary, qemuInRoot, qemuOnPath } from '../qemu/binary.ts';
import { type ExtraFile, ensureGuestImage, type GuestImage } from './guest-image.ts';

export interface ToolsRequest {
  /** Kernel series of the guests that are wanted: '6.12', '7'. */
  kernels: readonly string[];
  progress?: Progress;
  /** Never touch the network. */
  offline?: boolean;
  signal?: AbortSignal;
  /** Added to every guest image. */
  extraFiles?: readonly ExtraFile[];
}

export interface Tools {
  qemu: QemuBinary;
  /** In the order of `kernels`. */
  guestImages: GuestImage[];
}

/** Everything a lab of our own guests needs. @throws SetupError which says what to do */
export async function ensureTools(request: ToolsRequest): Promise<Tools> {
  const options = setOptions(request);
  const qemu = await ensureQemu(options);
  const { extraFiles = [] } = request;
  const guestImages: GuestImage[] = [];
  for (const series of request.kernels)
    guestImages.push(await ensureGuestImage(series, { ...options, extraFiles }));
  return { qemu, guestImages };
}

/** A QEMU from PATH when it will do, else from the packages. @throws SetupError */
export async function ensureQemu(options: SetOptions): Promise<QemuBinary> {
  const own = await qemuOnPath();
  if (own !== undefined) return own;
  const { root } = await ensureSet('qemu', ({ sets }) => sets.qemu, options);
  const provided = await qemuInRoot(root);
  if (provided === undefined)
    throw new SetupError(
      'broken-package',
      `The distribution's QEMU does not run, is older than ${OLDEST_QEMU} or has no vfio-user: ${INSTALL_BY_HAND}.`,
    );
  return provided;
}

function setOptions(request: ToolsRequest): SetOptions {
  return {
    cache: cacheDirectory(),
    progress: request.progress ?? noProgress,
    offline: request.offline ?? false,
    signal: request.signal,
  };
}
