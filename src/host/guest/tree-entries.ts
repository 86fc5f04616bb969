/** A directory of unpacked packages as part of a guest's file system. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { CpioEntry } from './cpio.ts';

/** All files and links below a path of the root. */
export function treeEntries(root: string, path: string): CpioEntry[] {
  const from = join(root, path);
  if (!existsSync(from)) return [];
  return readdirSync(from, { recursive: true }).flatMap((name): CpioEntry[] => {
    const file = join(from, String(name));
    const place = `${path}/${String(name)}`;
    const stat = lstatSync(file);
    if (stat.isSymbolicLink()) return [{ kind: 'link', path: place, target: readlinkSync(file) }];
    if (!stat.isFile()) return [];
    const executable = (stat.mode & 0o111) !== 0;
    return [{ kind: 'file', path: place, content: readFileSync(file), executable }];
  });
}
