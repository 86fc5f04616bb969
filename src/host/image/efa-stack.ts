/** What programs for EFA need beside the driver: rdma-core's libraries, libfabric, Amazon's installer. */
import type { EfaStack } from '../../check/image/facts.ts';
import { attempt } from './kernels.ts';
import type { FileTree } from './tree.ts';

const LIBRARIES = [
  ...['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'],
  ...['/opt/amazon/efa/lib64', '/opt/amazon/efa/lib'],
];
const INSTALLER = '/opt/amazon/efa';

export async function readEfaStack(tree: FileTree): Promise<EfaStack> {
  const library = (name: string): ReturnType<typeof first> =>
    first(
      tree,
      LIBRARIES.map((directory) => `${directory}/${name}`),
    );
  return {
    libibverbs: await attempt('/usr/lib', () => library('libibverbs.so.1')),
    libefa: await attempt('/usr/lib', () => library('libefa.so.1')),
    libfabric: await attempt('/usr/lib', () => library('libfabric.so.1')),
    installer: await attempt(INSTALLER, () => first(tree, [INSTALLER])),
  };
}

async function first(tree: FileTree, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (await tree.exists(path)) return path;
  return null;
}
