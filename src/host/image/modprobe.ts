/** modprobe.d(5): which drivers somebody has forbidden. */
import type { Place } from '../../check/fact.ts';
import { type DriverName, driverNames } from '../../check/image/facts.ts';
import { moduleName } from '../guest/modules.ts';
import { readDirectory } from './read-directory.ts';
import type { FileTree } from './tree.ts';

const DIRECTORIES = ['/lib/modprobe.d', '/usr/lib/modprobe.d', '/etc/modprobe.d'];

export async function readBlacklist(tree: FileTree): Promise<Map<DriverName, Place>> {
  const found = new Map<DriverName, Place>();
  for (const directory of DIRECTORIES) {
    for (const { file, text } of await readDirectory(tree, directory, /\.conf$/)) {
      for (const [index, line] of text.split('\n').entries()) {
        const name = forbidden(line);
        if (name !== null && !found.has(name)) found.set(name, { file, line: index + 1 });
      }
    }
  }
  return found;
}

/** `blacklist NAME`, or `install NAME` of something that loads nothing. */
function forbidden(line: string): DriverName | null {
  const [word = '', name = '', command = ''] = line.trim().split(/\s+/);
  const driver = driverNames.find((known) => known === moduleName(name));
  if (driver === undefined) return null;
  if (word === 'blacklist') return driver;
  return word === 'install' && /^\/(usr\/)?bin\/(true|false)$/.test(command) ? driver : null;
}
