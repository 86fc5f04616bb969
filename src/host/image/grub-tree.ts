/**
 * A file system of a disk, read by GRUB's own readers (grub-fstest(1)): ext2 to ext4, XFS, btrfs with its
 * subvolumes and compression, FAT, NTFS, UFS and more, on partitions and on LVM. They are what boots most
 * of these images, follow links within the file system only, and open a disk for reading only.
 */
import type { ImageTools } from './tools.ts';
import { type FileTree, MAX_ENTRIES, type TreeEntry, TreeError, tooLarge } from './tree.ts';

/** What one look at a disk finds: GRUB's name for a device, and what is on it. */
export interface GrubDevice {
  /** `loop0,gpt2`, `lvm/vg-root`. */
  name: string;
  /** `ext`, `xfs`, `btrfs`, `fat`, `ntfs`, `ufs2`, ...; null: nothing that GRUB knows. */
  fileSystem: string | null;
  uuid: string | null;
  label: string | null;
}

const LIST_BYTES = 32 << 20;
const TIMEOUT_MS = 20_000;
/** What is no disk of the image: this machine's own files, and what GRUB says of itself. */
const NOT_THE_IMAGE = /^(host|proc|memdisk)$/;

/** @throws TreeError */
export async function grubDevices(tools: ImageTools, disk: string): Promise<GrubDevice[]> {
  const text = await fstest(tools, disk, ['ls', '-l'], LIST_BYTES);
  const devices: GrubDevice[] = [];
  for (const line of text.toString('utf8').split('\n')) {
    const [, name = '', about = ''] = /^\s*(?:Device|Partition) ([^ ]+): (.*)$/.exec(line) ?? [];
    if (name === '' || NOT_THE_IMAGE.test(name)) continue;
    const type = /Filesystem type (\S+)/.exec(about)?.[1]?.replace(/\W+$/, '') ?? null;
    const label = /Label ['"`](.*?)['"`]/.exec(about)?.[1] ?? null;
    devices.push({
      name,
      fileSystem: type,
      uuid: /UUID ([0-9A-Fa-f-]+)/.exec(about)?.[1] ?? null,
      label,
    });
  }
  return devices;
}

type MountedDevice = Pick<GrubDevice, 'name' | 'fileSystem'>;

export class GrubTree implements FileTree {
  readonly #tools: ImageTools;
  readonly #disk: string;
  readonly #type: string;
  readonly #base: string;
  readonly #lists = new Map<string, Promise<readonly TreeEntry[] | null>>();

  /** @param base a directory of the file system that stands for `/`: a subvolume of btrfs */
  constructor(tools: ImageTools, disk: string, device: MountedDevice, base = '') {
    this.#tools = tools;
    this.#disk = disk;
    this.#type = device.fileSystem ?? '';
    this.#base = `(${device.name})${base}`;
  }

  list(path: string): Promise<readonly TreeEntry[] | null> {
    const known = this.#lists.get(path) ?? this.#list(path);
    this.#lists.set(path, known);
    return known;
  }

  /** Without a look at its directory, which may be long, where nobody has looked at it yet. */
  async read(path: string, maxBytes: number): Promise<Buffer | null> {
    if ((await this.#known(path)) === false) return null;
    const list = await this.#lists.get(parentOf(path));
    const entry = list?.find(({ name }) => name === nameOf(path));
    if (entry?.kind === 'directory') return null;
    if (entry !== undefined && entry.size > maxBytes) throw tooLarge(path, entry.size, maxBytes);
    try {
      return await fstest(this.#tools, this.#disk, ['cat', this.#base + path], maxBytes);
    } catch (error) {
      // a link that leads nowhere is as good as nothing; a file that does not read is not
      const nowhere = /not found|not a regular file|nesting of symlinks/;
      if (error instanceof TreeError && nowhere.test(error.message)) return null;
      throw error;
    }
  }

  /** Of a directory only where it has something in it. */
  async exists(path: string): Promise<boolean> {
    const known = await this.#known(path);
    if (known !== undefined) return known;
    // it says nothing of what is not there, and calls that success
    const text = await fstest(this.#tools, this.#disk, ['ls', this.#base + path], LIST_BYTES);
    return text.some((byte) => byte > 0x20);
  }

  /** What earlier lists say of it; undefined: nothing. */
  async #known(path: string): Promise<boolean | undefined> {
    const parts = path.split('/').slice(1);
    for (const [index, name] of parts.entries()) {
      const list = await this.#lists.get(`/${parts.slice(0, index).join('/')}`);
      if (list === undefined) continue;
      const entry = list?.find((e) => e.name === name);
      if (entry === undefined) return false;
      if (index === parts.length - 1 && entry.kind === 'file') return true;
    }
    return undefined;
  }

  async #list(path: string): Promise<readonly TreeEntry[] | null> {
    if (path !== '/') {
      const list = await this.list(parentOf(path));
      const entry = list?.find(({ name }) => name === nameOf(path));
      if (entry === undefined || entry.kind === 'file') return null;
      if (entry.kind === 'other') return (await this.exists(path)) ? this.#ls(path) : null;
    }
    return this.#ls(path);
  }

  async #ls(path: string): Promise<readonly TreeEntry[]> {
    const place = path === '/' ? `${this.#base}/` : `${this.#base}${path}/`;
    const text = await fstest(this.#tools, this.#disk, ['ls', '-l', '-a', place], LIST_BYTES);
    // it says nothing of what it cannot list, and calls that success; ext and XFS list `.` at least
    if (text.every((byte) => byte <= 0x20) && /^(ext|xfs)/.test(this.#type))
      throw new TreeError(`${path} is damaged`);
    const entries: TreeEntry[] = [];
    for (const line of text.toString('utf8').split('\n')) {
      // size or DIR, the time where the file system knows it, the name; a name with a line break in it
      // makes lines of no sense, which lead nowhere
      const [, size = '', name = ''] = /^(DIR|\d+|\?+) +(?:\d{14} )?(.+)$/.exec(line) ?? [];
      if (name === '' || name === './' || name === '../') continue;
      if (entries.length === MAX_ENTRIES) throw new TreeError(`${path} has too many entries`);
      if (size === 'DIR')
        entries.push({ name: name.replace(/\/$/, ''), kind: 'directory', size: 0 });
      else if (size.startsWith('?')) entries.push({ name, kind: 'other', size: 0 });
      else entries.push({ name, kind: 'file', size: Number(size) });
    }
    return entries;
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

async function fstest(
  tools: ImageTools,
  disk: string,
  command: readonly string[],
  maxBytes: number,
): Promise<Buffer> {
  const run = { timeoutMs: TIMEOUT_MS, maxBytes };
  const { how, code, stdout, complaint } = await tools.run(
    'grub-fstest',
    ['--', disk, ...command],
    run,
  );
  const what = command.at(-1)?.replace(/^\([^)]*\)/, '') ?? '';
  if (how === 'tooMuch')
    throw new TreeError(`${what} is longer than the ${maxBytes} bytes that are read`);
  if (how === 'tooSlow')
    throw new TreeError(`${what} took longer than ${TIMEOUT_MS / 1000} s to read`);
  if (code !== 0) throw new TreeError(complaint.replace(/^error: /, ''));
  return stdout;
}
