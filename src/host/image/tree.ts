/**
 * A file system as it is read: lists and files, from a disk, a directory or an archive. All of it was made
 * by strangers: names may hold anything, links may lead anywhere, and lead no further than its root.
 */

export interface TreeEntry {
  name: string;
  /** 'other': a link, a device; whether something can be read there is seen by trying. */
  kind: 'directory' | 'file' | 'other';
  /** Of a file; 0 for the others. */
  size: number;
}

/** Paths begin with a slash. What is not there is null; what is there and cannot be read throws. */
export interface FileTree {
  list(path: string): Promise<readonly TreeEntry[] | null>;
  /** The whole file. @throws TreeError when it is larger than `maxBytes` */
  read(path: string, maxBytes: number): Promise<Buffer | null>;
  /** Of anything, with links followed. */
  exists(path: string): Promise<boolean>;
}

/** Why something that is there could not be read, as the end of a sentence. */
export class TreeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TreeError';
  }
}

/** More in one directory than any Linux has: somebody wants to keep us busy. */
export const MAX_ENTRIES = 100_000;

export const tooLarge = (path: string, size: number, maxBytes: number): TreeError =>
  new TreeError(`${path} has ${size} bytes, more than the ${maxBytes} that are read`);

/** What a link leads to, and whether something is a directory, for trees that do not follow links. */
export type Node = { kind: 'directory' | 'file' | 'other' } | { kind: 'link'; target: string };

const MAX_LINKS = 40; // as Linux: path_resolution(7)

/**
 * The path without links, `..` and `.`, all links resolved below the root, like chroot(2) does; null when
 * there is nothing.
 */
export function resolvePath(path: string, nodeAt: (path: string) => Node | null): string | null {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const done: string[] = [];
  for (let links = 0; parts.length > 0; ) {
    const part = parts.shift() ?? '';
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = `/${[...done, part].join('/')}`;
    const node = nodeAt(here);
    if (node === null) return null;
    if (node.kind !== 'link') {
      done.push(part);
      continue;
    }
    if (++links > MAX_LINKS) throw new TreeError(`${path} is a circle of links`);
    if (node.target.startsWith('/')) done.length = 0;
    parts.unshift(...node.target.split('/').filter((p) => p !== '' && p !== '.'));
  }
  return `/${done.join('/')}`;
}

/** A tree with others mounted in it; the longest mount point counts. */
export class MountedTree implements FileTree {
  readonly #mounts: readonly [point: string, tree: FileTree][];

  constructor(mounts: ReadonlyMap<string, FileTree>) {
    this.#mounts = [...mounts].sort(([a], [b]) => b.length - a.length);
  }

  list(path: string): Promise<readonly TreeEntry[] | null> {
    const [tree, inside] = this.#at(path);
    return tree.list(inside);
  }

  read(path: string, maxBytes: number): Promise<Buffer | null> {
    const [tree, inside] = this.#at(path);
    return tree.read(inside, maxBytes);
  }

  exists(path: string): Promise<boolean> {
    const [tree, inside] = this.#at(path);
    return tree.exists(inside);
  }

  #at(path: string): [tree: FileTree, inside: string] {
    for (const [point, tree] of this.#mounts) {
      if (point === '/') return [tree, path];
      if (path === point || path.startsWith(`${point}/`))
        return [tree, path.slice(point.length) || '/'];
    }
    throw new TreeError('nothing is mounted at /');
  }
}
