/**
 * rdma-core's own tests for a guest: Debian's python3-pyverbs has them among its documents, some of
 * them compressed. They run as `virtfn-pyverbs -k PATTERN`.
 */
import { gunzipSync } from 'node:zlib';
import type { CpioEntry } from './cpio.ts';
import { treeEntries } from './tree-entries.ts';

export const PYTHON_PROGRAM = 'usr/bin/python3';

const library = 'usr/lib/python3.13';
const tests = 'usr/share/doc/rdma-core/tests';
/** What no test of verbs asks for. */
const unused = /\/(__pycache__|idlelib|ensurepip|pydoc_data|tkinter|turtledemo|config-[^/]+)\//;

const RUN = `#!/bin/sh
cd /usr/share/doc/rdma-core && exec python3 tests/run_tests.py --dev efa_0 --gid 0 -v "$@"
`;

/** Python's library, the bindings and the tests; programs find their libraries by themselves. */
export function pyverbsTrees(root: string): CpioEntry[] {
  const python = [library, 'usr/lib/python3/dist-packages/pyverbs']
    .flatMap((path) => treeEntries(root, path))
    .filter(({ path }) => !unused.test(path));
  return [
    ...python,
    ...treeEntries(root, tests).map(uncompressed),
    { kind: 'file', path: 'usr/bin/virtfn-pyverbs', content: Buffer.from(RUN), executable: true },
  ];
}

function uncompressed(entry: CpioEntry): CpioEntry {
  if (entry.kind !== 'file' || !entry.path.endsWith('.gz')) return entry;
  return { ...entry, path: entry.path.slice(0, -3), content: gunzipSync(entry.content) };
}
