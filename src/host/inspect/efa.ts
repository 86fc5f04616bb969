/** The stack above EFA's driver: RDMA devices, libraries, limits. */
import { type Fact, isKnown, known } from '../../check/fact.ts';
import type { EfaStackFacts, RdmaFacts } from '../../check/host/facts.ts';
import { map, numberOrNull, present, wholeNumber } from './numbers.ts';
import type { Tree } from './tree.ts';

/** Where distributions and the EFA installer put libraries. */
const libraryFolders = [
  '/opt/amazon/efa/lib64',
  '/opt/amazon/efa/lib',
  '/usr/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib',
  '/usr/local/lib',
];

export function readEfaStack(tree: Tree): EfaStackFacts {
  const infiniband = tree.names('/sys/class/infiniband');
  const files = tree.names('/dev/infiniband');
  return {
    devices: map(infiniband, (names) => (names ?? []).map((name) => readDevice(tree, name)), ''),
    uverbs: map(files, (names) => (names ?? []).filter((name) => name.startsWith('uverbs')), ''),
    libfabric: findLibrary(tree, ['libfabric.so.1']),
    rdmaProvider: findLibrary(tree, ['libefa.so.1', 'libibverbs/libefa-rdmav34.so']),
    hugePages: map(
      present(tree.text('/proc/meminfo')),
      (text) => wholeNumber(/^HugePages_Total: *(\d+)/m.exec(text)?.[1] ?? ''),
      'it does not count huge pages',
    ),
    memlock: map(
      present(tree.text('/proc/self/limits')),
      memlockOf,
      'it has no limit of locked memory',
    ),
    ptraceScope: numberOrNull(tree.line('/proc/sys/kernel/yama/ptrace_scope')),
  };
}

function readDevice(tree: Tree, name: string): RdmaFacts {
  const folder = `/sys/class/infiniband/${name}`;
  return {
    name,
    address: present(tree.linkName(`${folder}/device`)),
    state: present(tree.line(`${folder}/ports/1/state`)),
  };
}

function findLibrary(tree: Tree, names: readonly string[]): Fact<string | null> {
  for (const folder of libraryFolders)
    for (const name of names) {
      const found = tree.exists(`${folder}/${name}`);
      if (!isKnown(found)) return found;
      if (found.value) return known(`${folder}/${name}`, found.at);
    }
  return known(null, { file: libraryFolders[0] ?? '' });
}

/** The soft limit, in bytes. */
function memlockOf(limits: string): number | null {
  const [, soft] = /^Max locked memory +(\S+)/m.exec(limits) ?? [];
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : wholeNumber(soft ?? '');
}
