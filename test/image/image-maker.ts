/**
 * Makes disk images from directories without privileges, by the distribution's own tools: mke2fs -d, mkfs.xfs -p,
 * mkfs.btrfs --rootdir, mcopy, sfdisk, qemu-img. Only LVM's metadata is written here: its tools want devices.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { ensureSet } from '../../src/host/packages/sets.ts';
import { commandInRoot } from '../../src/host/qemu/binary.ts';
import { lvmDisk } from './lvm-disk.ts';

/** Path -> content; a link's target; null: an empty directory. */
export type Tree = Record<string, string | Uint8Array | { link: string } | null>;

export type FileSystem = 'ext4' | 'xfs' | 'btrfs' | 'vfat';
const MIB = 2 ** 20;

export interface Partition {
  /** Of sfdisk(8): L, U (EFI system), or a GUID. */
  type: string;
  sizeMib: number;
  /** A file to be copied into it. */
  content?: string;
}

export class ImageMaker {
  readonly directory = mkdtempSync(join(tmpdir(), 'virtfn-images-'));
  readonly #root: string;
  #count = 0;

  constructor(root: string) {
    this.#root = root;
  }

  static async open(): Promise<ImageMaker> {
    const options = { cache: cacheDirectory(), progress: noProgress };
    return new ImageMaker(
      (await ensureSet('image-makers', (r) => r.sets.imageMakers, options)).root,
    );
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  path(ending: string): string {
    return join(this.directory, `${++this.#count}.${ending}`);
  }

  run(program: string, args: readonly string[], input?: string | Uint8Array): Buffer {
    const [command = '', ...rest] = commandInRoot(this.#root, program);
    const options = { ...(input !== undefined && { input }), maxBuffer: 2 ** 30 };
    const env = { ...process.env, MTOOLS_SKIP_CHECK: '1' };
    return execFileSync(command, [...rest, ...args], {
      ...options,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Of the packages. */
  file(path: string): Buffer {
    return readFileSync(this.rooted(path));
  }

  /** Where a file of the packages is. */
  rooted(path: string): string {
    return join(this.#root, path);
  }

  tree(tree: Tree): string {
    const root = this.path('tree');
    for (const [path, content] of Object.entries(tree)) {
      const place = join(root, path);
      mkdirSync(content === null ? place : dirname(place), { recursive: true });
      if (content !== null && typeof content === 'object' && 'link' in content)
        symlinkSync(content.link, place);
      else if (content !== null) writeFileSync(place, content);
    }
    return root;
  }

  /** A file system alone. */
  fileSystem(kind: FileSystem, root: string, sizeMib: number, options: string[] = []): string {
    const path = this.path(kind);
    writeFileSync(path, '');
    truncateSync(path, sizeMib * MIB);
    switch (kind) {
      case 'ext4':
        this.run('usr/sbin/mke2fs', ['-q', '-t', 'ext4', '-d', root, ...options, path]);
        break;
      case 'xfs': {
        const proto = this.path('proto');
        writeFileSync(proto, `/\n0 0\nd--755 0 0\n${prototype(root)}$\n`);
        this.run('usr/sbin/mkfs.xfs', ['-q', '-p', proto, ...options, path]);
        break;
      }
      case 'btrfs':
        this.run('usr/sbin/mkfs.btrfs', ['-q', '--rootdir', root, ...options, path]);
        break;
      case 'vfat':
        this.run('usr/sbin/mkfs.vfat', ['-F', '32', ...options, path]);
        for (const name of readdirSync(root))
          this.run('usr/bin/mcopy', ['-s', '-i', path, join(root, name), '::/']);
    }
    return path;
  }

  /** A disk with a table; `bootCode`: that of GRUB in its first sector. */
  disk(label: 'gpt' | 'dos', partitions: readonly Partition[], { bootCode = false } = {}): string {
    const path = this.path('raw');
    const sizeMib = 2 + partitions.reduce((sum, { sizeMib }) => sum + sizeMib, 0);
    writeFileSync(path, '');
    truncateSync(path, sizeMib * MIB);
    const lines = partitions.map(({ type, sizeMib }) => `size=${sizeMib}MiB, type=${type}`);
    this.run('usr/sbin/sfdisk', ['-q', path], [`label: ${label}`, ...lines, ''].join('\n'));
    let at = 1;
    for (const { content, sizeMib } of partitions) {
      if (content !== undefined) insert(path, at * MIB, readFileSync(content));
      at += sizeMib;
    }
    if (bootCode) insert(path, 0, this.file('usr/lib/grub/i386-pc/boot.img').subarray(0, 440));
    return path;
  }

  /** A physical volume with one volume, `vg-root`, that holds the file. */
  volume(content: string): string {
    const path = this.path('lvm');
    writeFileSync(path, lvmDisk(readFileSync(content)));
    return path;
  }

  convert(raw: string, format: 'qcow2' | 'vmdk' | 'vpc', options: string[] = []): string {
    const path = this.path(format);
    this.run('usr/bin/qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, path]);
    return path;
  }

  copy(path: string, ending: string): string {
    const copy = this.path(ending);
    copyFileSync(path, copy);
    return copy;
  }
}

/** Writes without touching what is zero, so that the file stays sparse. */
export function insert(path: string, at: number, content: Uint8Array): void {
  const descriptor = openSync(path, 'r+');
  const piece = 64 << 10;
  for (let from = 0; from < content.length; from += piece) {
    const part = Buffer.from(content.subarray(from, from + piece));
    if (part.some((byte) => byte !== 0)) writeSync(descriptor, part, 0, part.length, at + from);
  }
  closeSync(descriptor);
}

/** The prototype file of mkfs.xfs(8), of all below a directory. */
function prototype(directory: string): string {
  return readdirSync(directory)
    .map((name) => {
      const path = join(directory, name);
      const stat = lstatSync(path);
      if (stat.isSymbolicLink()) return `${name} l--777 0 0 ${readlinkSync(path)}\n`;
      if (stat.isDirectory()) return `${name} d--755 0 0\n${prototype(path)}$\n`;
      return `${name} ---644 0 0 ${path}\n`;
    })
    .join('');
}
