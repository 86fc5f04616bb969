/** The program `devlink`, which the packages of the guests have and their images have not. */
import type { ExtraFile } from '../../src/host/guest/guest-image.ts';
import { programsWithLibraries } from '../../src/host/guest/guest-image.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { ensureSet } from '../../src/host/packages/sets.ts';

/** Empty where the packages cannot be had: whoever asks for the guest's image is told why. */
export async function devlink(): Promise<ExtraFile[]> {
  const options = { cache: cacheDirectory(), progress: noProgress };
  try {
    const { root } = await ensureSet('guest', ({ sets }) => sets.guest, options);
    return programsWithLibraries(root, ['usr/sbin/devlink']).flatMap((entry) =>
      entry.kind === 'file' ? [{ ...entry, path: `/${entry.path}` }] : [],
    );
  } catch {
    return [];
  }
}
