/**
 * A guest for EFA: the distribution's kernel with `efa.ko`, which Debian's kernels leave out, compiled
 * from the distribution's own source; its rdma-core with tests, libfabric, perftest and Open MPI, unmodified.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createDirectory, withLock } from '../packages/cache.ts';
import { SetupError } from '../packages/errors.ts';
import { ensureSet, type PackageRoot, type SetOptions } from '../packages/sets.ts';
import { BuildRoot } from './build-root.ts';
import type { CpioEntry } from './cpio.ts';
import {
  assembleGuest,
  contentKey,
  findGuestImage,
  type GuestImage,
  programsWithLibraries,
  releaseOf,
} from './guest-image.ts';
import { MPI_SOURCE } from './mpi-program.ts';
import { PYTHON_PROGRAM, pyverbsTrees } from './pyverbs.ts';
import { treeEntries } from './tree-entries.ts';

const libraries = 'usr/lib/x86_64-linux-gnu';

const PROGRAMS = [
  ...['ibv_devinfo', 'ibv_devices', 'ibv_ud_pingpong', 'fi_info', 'fi_pingpong'],
  ...['ib_send_bw', 'ib_send_lat', 'ib_read_bw', 'ib_read_lat', 'ib_write_bw', 'ib_write_lat'],
  ...['mpirun.openmpi', 'prte', 'prted', 'prterun', 'prun', 'ompi_info', 'strace'],
].map((name) => `usr/bin/${name}`);
/** Makes a Soft-RoCE device; in the packages that every guest has. */
const GUEST_PROGRAMS = ['usr/bin/rdma'];
/** Verbs providers, which libibverbs finds by these files and loads at run time. */
const PROVIDERS = ['efa', 'rxe'];
const TREES = [
  ...['etc/openmpi', 'usr/share/openmpi', 'usr/share/prte'],
  ...[`${libraries}/openmpi`, `${libraries}/pmix2`],
];
// crc32_generic: rdma_rxe asks the kernel's crypto for it by name
const MODULES = ['efa', 'ib_uverbs', 'ib_umad', 'rdma_ucm', 'rdma_rxe', 'crc32_generic'];

/** Stands in for a remote shell between guests of one lab: what it is sent on port 514 it runs. */
const RSH_SCRIPT = `#!/bin/sh
# virtfn-rsh serve | HOST COMMAND...
if [ "$1" = serve ]; then
  exec nc -ll -p 514 -e /bin/sh
fi
host=$1
shift
{ echo "$@"; cat; } | nc "$host" 514
`;

/** Raised when what this file makes of the same inputs changes. */
const FORMAT = 2;

/** @throws SetupError */
export async function ensureRdmaImage(series: string, options: SetOptions): Promise<GuestImage> {
  const { cache, progress } = options;
  const guest = await ensureSet('guest', ({ sets }) => sets.guest, options);
  const rdma = await ensureSet('rdma', ({ sets }) => sets.rdma, options);
  const kernelName = `build-kernel-${series}`;
  const kernel = await ensureSet(kernelName, ({ sets }) => sets.buildKernels[series], options);
  const hash = createHash('sha256');
  const parts = [FORMAT, guest.key, rdma.key, kernel.key, contentKey(), MPI_SOURCE, RSH_SCRIPT];
  hash.update(JSON.stringify([...parts, PROGRAMS, GUEST_PROGRAMS, PROVIDERS, TREES, MODULES]));
  const key = hash.digest('hex').slice(0, 16);
  const built = join(cache, 'guests', `efa-build-${kernel.key}-${key}`);
  const image = join(cache, 'guests', `efa-${series}-${key}`);
  const waiting = (pid: number): void =>
    progress(kernelName, undefined, `waiting for process ${pid}, which is setting up the same`);
  await withLock(join(cache, 'lock'), waiting, async () => {
    if (findGuestImage(image) !== undefined) return;
    progress(kernelName, undefined, 'compiling efa.ko and an MPI program');
    if (!existsSync(built)) await createDirectory(built, (to) => build(kernel, to, options));
    progress(kernelName, undefined, 'assembling the guest');
    await createDirectory(image, (to) =>
      assembleGuest(
        {
          ...{ kernelRoot: kernel.root, guestRoot: guest.root, extraFiles: [] },
          ...{ modules: MODULES, moduleTrees: [join(built, 'modules')] },
          entries: [
            ...rdmaEntries(rdma.root, readFileSync(join(built, 'virtfn-mpi'))),
            ...programsWithLibraries(guest.root, GUEST_PROGRAMS),
          ],
        },
        to,
      ),
    );
    progress(kernelName, 1, 'guest assembled');
  });
  const made = findGuestImage(image);
  if (made !== undefined) return made;
  throw new SetupError('broken-package', `The guest in ${image} is incomplete: remove it.`);
}

/** Makes `modules/kernel/.../efa.ko` and `virtfn-mpi` in `directory`. */
async function build(
  kernel: PackageRoot,
  directory: string,
  { signal }: SetOptions,
): Promise<void> {
  const root = new BuildRoot(kernel.root, join(directory, 'root'), signal);
  const release = releaseOf(kernel.root);
  root.write('mpi.c', MPI_SOURCE);
  await root.run(
    'efa.ko',
    `tar -xJf /usr/src/linux-source-*.tar.xz --strip-components=5 --wildcards '*/drivers/infiniband/hw/efa'
make -s -C /usr/src/linux-headers-${release} M=/build CONFIG_INFINIBAND_EFA=m modules`,
  );
  await root.run(
    'the MPI program',
    `gcc -O2 -o virtfn-mpi mpi.c -I/${libraries}/openmpi/include -L/${libraries}/openmpi/lib -lmpi`,
  );
  const place = join(directory, 'modules/kernel/drivers/infiniband/hw/efa');
  mkdirSync(place, { recursive: true });
  renameSync(join(root.directory, 'efa.ko'), join(place, 'efa.ko'));
  renameSync(join(root.directory, 'virtfn-mpi'), join(directory, 'virtfn-mpi'));
  rmSync(join(directory, 'root'), { recursive: true });
}

function rdmaEntries(root: string, mpi: Buffer): CpioEntry[] {
  const trees = [...TREES.flatMap((path) => treeEntries(root, path)), ...pyverbsTrees(root)];
  const providers = readdirSync(join(root, libraries, 'libibverbs'))
    .filter((name) => PROVIDERS.some((provider) => name.startsWith(`lib${provider}-`)))
    .map((name) => `${libraries}/libibverbs/${name}`);
  const plugins = trees.filter(({ path }) => path.endsWith('.so')).map(({ path }) => path);
  const mpiLibrary = [`${libraries}/libmpi.so.40`];
  return [
    ...trees,
    ...programsWithLibraries(root, [
      ...[...PROGRAMS, PYTHON_PROGRAM, ...providers, ...plugins, ...mpiLibrary],
    ]),
    ...PROVIDERS.map((name) => plain(`etc/libibverbs.d/${name}.driver`, `driver ${name}\n`)),
    { kind: 'file', path: 'usr/bin/virtfn-mpi', content: mpi, executable: true },
    script('usr/bin/virtfn-rsh', RSH_SCRIPT),
    { kind: 'link', path: 'usr/bin/mpirun', target: 'mpirun.openmpi' },
  ];
}

const script = (path: string, text: string): CpioEntry => {
  return { kind: 'file', path, content: Buffer.from(text), executable: true };
};

const plain = (path: string, text: string): CpioEntry => {
  return { kind: 'file', path, content: Buffer.from(text), executable: false };
};
