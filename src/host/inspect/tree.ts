/**
 * Files of a Linux below a root, read without leaving it: the machine's own `/`, or a tree that was
 * collected somewhere else and may hold anything. Links are followed inside the root only, sizes and
 * numbers are bounded, and nothing that could block (a FIFO, a device) is read.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Fact, known, unread } from '../../check/fact.ts';
import { resolvePath, TreeError } from '../image/tree.ts';

const maxBytes = 1 << 20;
const maxEntries = 4096;

/** How to see what an ordinary user may not. */
export const asRoot: readonly string[] = ['sudo virtfn check host'];

export class Tree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** True where this is the machine's own root. */
  get isLive(): boolean {
    return this.#root === '/';
  }

  /** A file's text; null where there is none. */
  text(path: string, limit = maxBytes): Fact<string | null> {
    const at = { file: path };
    return this.#try(path, (real) => {
      const file = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
      try {
        if (!fstatSync(file).isFile()) return unread('it is no regular file', at);
        const bytes = readUpTo(file, limit + 1);
        if (bytes.length > limit) return unread(`it has more than ${limit} bytes`, at);
        return known(bytes.toString('utf8'), at);
      } finally {
        closeSync(file);
      }
    });
  }

  /** A file's first line without space around; null where there is none. */
  line(path: string): Fact<string | null> {
    const fact = this.text(path);
    if ('unknown' in fact || fact.value === null) return fact;
    return known(fact.value.split('\n', 1)[0]?.trim() ?? '', fact.at);
  }

  /** Names in a directory, sorted; null where there is none. */
  names(path: string): Fact<readonly string[] | null> {
    const at = { file: path };
    return this.#try(path, (real) => {
      const directory = opendirSync(real);
      const names: string[] = [];
      try {
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          if (names.length === maxEntries)
            return unread(`it has more than ${maxEntries} entries`, at);
          names.push(entry.name);
        }
      } finally {
        directory.closeSync();
      }
      return known(names.sort(), at);
    });
  }

  /** The last part of where a link leads to, which is how sysfs names a driver; null: no link. */
  linkName(path: string): Fact<string | null> {
    const at = { file: path };
    const slash = path.lastIndexOf('/');
    return this.#try(
      path.slice(0, slash),
      (real) => {
        const target = readlinkSync(join(real, path.slice(slash + 1)));
        return known(target.slice(target.lastIndexOf('/') + 1), at);
      },
      at.file,
    );
  }

  /** Whether a file or directory is there. */
  exists(path: string): Fact<boolean> {
    const found = this.#try(path, () => known('', { file: path }));
    return 'unknown' in found ? found : known(found.value !== null, found.at);
  }

  #try<T>(path: string, read: (real: string) => Fact<T>, told = path): Fact<T | null> {
    const at = { file: told };
    try {
      return read(this.#resolve(path));
    } catch (error) {
      if (error instanceof TreeError) return unread('its links lead nowhere', at);
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ENOENT' || code === 'ENOTDIR') return known(null, at);
      if (code === '') throw error;
      if (code !== 'EACCES' && code !== 'EPERM') return unread(code, at);
      return unread('it may be read by root only', at, this.isLive ? asRoot : []);
    }
  }

  /** The path without links. @throws TreeError when they are a circle */
  #resolve(path: string): string {
    const resolved = resolvePath(path, (at) => {
      const here = join(this.#root, at);
      if (!lstatSync(here).isSymbolicLink()) return { kind: 'other' };
      return { kind: 'link', target: readlinkSync(here) };
    });
    return join(this.#root, resolved ?? '/');
  }
}

/** Files of /proc and /sys do not tell their size: read until there is no more. */
function readUpTo(file: number, limit: number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; length < limit; ) {
    const chunk = Buffer.alloc(Math.min(65_536, limit - length));
    const count = readSync(file, chunk, 0, chunk.length, null);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    length += count;
  }
  return Buffer.concat(chunks);
}
