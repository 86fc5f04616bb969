/** A directory of this machine as an image's root: links lead no further than the directory. */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import {
  type FileTree,
  MAX_ENTRIES,
  type Node,
  resolvePath,
  type TreeEntry,
  TreeError,
  tooLarge,
} from './tree.ts';

export class DirectoryTree implements FileTree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async list(path: string): Promise<readonly TreeEntry[] | null> {
    const place = this.#resolve(path);
    if (place === null || !lstatSync(place).isDirectory()) return null;
    const entries: TreeEntry[] = [];
    const directory = openDirectory(place, path);
    try {
      for (let next = directory.readSync(); next !== null; next = directory.readSync()) {
        if (entries.length === MAX_ENTRIES) throw new TreeError(`${path} has too many entries`);
        const kind = next.isDirectory() ? 'directory' : next.isFile() ? 'file' : 'other';
        const size = kind === 'file' ? (statOf(join(place, next.name))?.size ?? 0) : 0;
        entries.push({ name: next.name, kind, size });
      }
    } finally {
      directory.closeSync();
    }
    return entries;
  }

  async read(path: string, maxBytes: number): Promise<Buffer | null> {
    const place = this.#resolve(path);
    if (place === null || !lstatSync(place).isFile()) return null; // a pipe would wait for ever
    let descriptor: number;
    try {
      descriptor = openSync(
        place,
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
    } catch (error) {
      throw new TreeError(`${path} cannot be opened (${(error as NodeJS.ErrnoException).code})`);
    }
    try {
      const { size } = fstatSync(descriptor);
      if (size > maxBytes) throw tooLarge(path, size, maxBytes);
      const content = Buffer.alloc(size);
      let got = 0;
      for (let more = -1; got < size && more !== 0; got += more)
        more = readSync(descriptor, content, got, size - got, got);
      return content.subarray(0, got);
    } finally {
      closeSync(descriptor);
    }
  }

  async exists(path: string): Promise<boolean> {
    return this.#resolve(path) !== null;
  }

  #resolve(path: string): string | null {
    const resolved = resolvePath(path, (at) => this.#nodeAt(at));
    return resolved === null ? null : join(this.#root, resolved);
  }

  #nodeAt(path: string): Node | null {
    const stat = statOf(join(this.#root, path));
    if (stat === undefined) return null;
    if (stat.isSymbolicLink())
      return { kind: 'link', target: readlinkSync(join(this.#root, path)) };
    return { kind: stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other' };
  }
}

function openDirectory(place: string, path: string): ReturnType<typeof opendirSync> {
  try {
    return opendirSync(place);
  } catch (error) {
    throw new TreeError(`${path} cannot be opened (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Nothing where a parent is no directory, or may not be entered, either. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (['ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'].includes(code ?? '')) return undefined;
    throw new TreeError(`${path} cannot be looked at (${code})`);
  }
}
