/**
 * Assembles a guest from unpacked packages: a kernel that boots at once and an initramfs with
 * busybox, the measuring tools and their libraries, the kernel's modules and our agent. Cached by
 * the content of what it is made of.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { createDirectory, readJson, withLock } from '../packages/cache.ts';
import { SetupError } from '../packages/errors.ts';
import type { PackageSet, Recipe } from '../packages/recipes.ts';
import { ensureSet, findSetKey, type SetOptions } from '../packages/sets.ts';
import { commandInRoot } from '../qemu/binary.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';
import { neededLibraries } from './elf.ts';
import { bzImagePayload, hasPvhEntry } from './kernel-image.ts';
import { collectModules, type Decompress, GUEST_MODULES, kernelReleases } from './modules.ts';
import { AGENT_SCRIPT, DHCP_SCRIPT, INIT_SCRIPT, NET_SCRIPT, UEVENT_SCRIPT } from './scripts.ts';

export interface GuestImage {
  /** Release of the kernel: '6.12.107+deb13-amd64'. */
  kernelVersion: string;
  /** A kernel that QEMU's `-kernel` takes. */
  kernel: string;
  initramfs: string;
}

/** A file of the caller's own in the initramfs. */
export interface ExtraFile {
  /** Absolute path in the guest. */
  path: string;
  content: Uint8Array;
  executable: boolean;
}

/** Programs of the guest set, beside busybox. Where both have one of a name, these win. */
const PROGRAMS = [
  ...['usr/bin/iperf3', 'usr/bin/ping', 'usr/bin/ip', 'usr/bin/ss', 'usr/bin/tcpdump'],
  ...['usr/sbin/ethtool', 'usr/sbin/tc', 'usr/bin/dash'],
  ...['usr/bin/timeout', 'usr/bin/env', 'usr/bin/setsid', 'usr/bin/taskset'],
  'usr/lib/x86_64-linux-gnu/libgcc_s.so.1', // loaded by libc when a thread is cancelled
];

/** Raised when what this file makes of the same inputs changes. */
const FORMAT = 2;

/**
 * The guest of a kernel series ('6.12'): from the cache, or built in a few seconds.
 *
 * @throws SetupError
 */
export async function ensureGuestImage(
  series: string,
  options: SetOptions & { extraFiles: readonly ExtraFile[] },
): Promise<GuestImage> {
  const { cache, progress, extraFiles } = options;
  const kernelName = `kernel-${series}`;
  const pickKernel = ({ sets }: Recipe): PackageSet | undefined => sets.kernels[series];
  const pickGuest = ({ sets }: Recipe): PackageSet => sets.guest;
  const directoryOf = (kernelKey: string, guestKey: string): string =>
    join(cache, 'guests', imageKey(kernelKey, guestKey, extraFiles));

  const kernelKey = findSetKey(kernelName, pickKernel, cache);
  const guestKey = findSetKey('guest', pickGuest, cache);
  if (kernelKey !== undefined && guestKey !== undefined) {
    const cached = findGuestImage(directoryOf(kernelKey, guestKey));
    if (cached !== undefined) return cached;
  }
  const guestSet = await ensureSet('guest', pickGuest, options);
  const kernelSet = await ensureSet(kernelName, pickKernel, options);
  const directory = directoryOf(kernelSet.key, guestSet.key);
  const waiting = (pid: number): void =>
    progress(kernelName, undefined, `waiting for process ${pid}, which is setting up the same`);
  await withLock(join(cache, 'lock'), waiting, async () => {
    if (findGuestImage(directory) !== undefined) return;
    progress(kernelName, undefined, 'assembling the guest');
    await createDirectory(directory, (temporary) =>
      assembleGuest(
        { kernelRoot: kernelSet.root, guestRoot: guestSet.root, extraFiles },
        temporary,
      ),
    );
    progress(kernelName, 1, 'guest assembled');
  });
  const made = findGuestImage(directory);
  if (made === undefined)
    throw new SetupError('broken-package', `The guest in ${directory} is incomplete: remove it.`);
  return made;
}

/** What a guest is made of. */
export interface GuestParts {
  /** Roots of the kernel and of the guest set. */
  kernelRoot: string;
  guestRoot: string;
  extraFiles: readonly ExtraFile[];
  /** More modules by name, and trees like `usr/lib/modules/RELEASE` that have them. */
  modules?: readonly string[];
  moduleTrees?: readonly string[];
  entries?: readonly CpioEntry[];
}

export async function assembleGuest(parts: GuestParts, directory: string): Promise<void> {
  const { kernelRoot, guestRoot } = parts;
  const release = releaseOf(kernelRoot);
  const decompress = decompressor(guestRoot, directory);
  const kernel = await bootableKernel(kernelImage(kernelRoot, release), decompress, directory);
  await writeFile(join(directory, 'kernel'), kernel);
  const initramfs = await buildInitramfs(parts, release, decompress);
  await writeFile(join(directory, 'initramfs'), initramfs);
  const manifest = { release, kernel: kernel.length, initramfs: initramfs.length };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
}

/** The newest kernel in a root. @throws SetupError */
export function releaseOf(kernelRoot: string): string {
  const release = kernelReleases(kernelRoot).at(-1);
  if (release !== undefined) return release;
  throw new SetupError('broken-package', `No kernel modules in ${kernelRoot}: remove it.`);
}

export function findGuestImage(directory: string): GuestImage | undefined {
  const manifest = readJson(join(directory, 'manifest.json')) as
    | { release: string; kernel: number; initramfs: number }
    | undefined;
  if (manifest === undefined) return undefined;
  const [kernel, initramfs] = [join(directory, 'kernel'), join(directory, 'initramfs')];
  const intact = sizeOf(kernel) === manifest.kernel && sizeOf(initramfs) === manifest.initramfs;
  return intact ? { kernelVersion: manifest.release, kernel, initramfs } : undefined;
}

async function buildInitramfs(
  parts: GuestParts,
  release: string,
  decompress: Decompress,
): Promise<Buffer> {
  const { kernelRoot, guestRoot, extraFiles } = parts;
  const modules = `usr/lib/modules/${release}`;
  const wanted = [...GUEST_MODULES, ...(parts.modules ?? [])];
  const trees = [join(kernelRoot, modules), ...(parts.moduleTrees ?? [])];
  const tree = await collectModules(trees, wanted, decompress);
  const text = (path: string, content: string, executable = false): CpioEntry => {
    return { kind: 'file', path, content: Buffer.from(content), executable };
  };
  const entries: CpioEntry[] = [
    ...['proc', 'sys', 'run', 'tmp', 'etc', 'var'].map(directory),
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
    ...['bin', 'sbin', 'lib', 'lib64'].map((path) => link(path, `usr/${path}`)),
    link('usr/bin/sh', 'dash'),
    text('init', INIT_SCRIPT, true),
    text('usr/lib/virtfn/agent', AGENT_SCRIPT, true),
    text('usr/lib/virtfn/dhcp', DHCP_SCRIPT, true),
    text('usr/lib/virtfn/uevent', UEVENT_SCRIPT, true),
    text('usr/bin/virtfn-net', NET_SCRIPT, true),
    text('etc/passwd', 'root:x:0:0:root:/:/bin/sh\n'),
    text('etc/group', 'root:x:0:\n'),
    text('etc/hosts', '127.0.0.1 localhost\n'),
    text(`${modules}/modules.dep`, tree.dep),
    text(`${modules}/modules.alias`, tree.alias),
    text(`${modules}/modules.symbols`, ''),
    ...tree.modules.map(({ path, content }): CpioEntry => {
      return { kind: 'file', path: `${modules}/${path}`, content, executable: false };
    }),
    ...extraFiles.map(({ path, ...file }): CpioEntry => {
      return { kind: 'file', path: path.replace(/^\/+/, ''), ...file };
    }),
    ...programsWithLibraries(guestRoot, PROGRAMS),
    ...(parts.entries ?? []),
    ...(await busyboxEntries(guestRoot)),
  ];
  return writeCpio(entries);
}

/** Programs, the libraries they need and the loader, at the paths they have in the root. */
export function programsWithLibraries(root: string, programs: readonly string[]): CpioEntry[] {
  const libraries = 'usr/lib/x86_64-linux-gnu';
  const entries = new Map<string, CpioEntry>();
  const add = (path: string): void => {
    const real = join(root, path);
    if (entries.has(path) || !existsSync(real)) return;
    const content = readFileSync(realpathSync(real));
    entries.set(path, { kind: 'file', path, content, executable: true });
    for (const name of neededLibraries(content)) add(`${libraries}/${name}`);
  };
  for (const program of programs) add(program);
  add('usr/lib64/ld-linux-x86-64.so.2');
  return [...entries.values()];
}

async function busyboxEntries(root: string): Promise<CpioEntry[]> {
  const path = join(root, 'usr/bin/busybox');
  const { stdout } = await promisify(execFile)(path, ['--list']);
  const content = readFileSync(path);
  return [
    { kind: 'file', path: 'usr/bin/busybox', content, executable: true },
    ...stdout
      .split('\n')
      .filter((applet) => applet !== '' && applet !== 'busybox')
      .filter((applet) => !PROGRAMS.some((program) => basename(program) === applet))
      .map((applet) => link(`usr/bin/${applet}`, 'busybox')),
  ];
}

/** The kernel as an uncompressed ELF file where that can be booted, else as it is. */
async function bootableKernel(
  path: string,
  decompress: Decompress,
  scratch: string,
): Promise<Buffer> {
  const file = await readFile(path);
  const compressed = bzImagePayload(file);
  if (compressed === undefined) return file;
  const payload = join(scratch, `payload.${compressed.format}`);
  writeFileSync(payload, compressed.payload);
  try {
    const kernel = await decompress(payload);
    return hasPvhEntry(kernel) ? kernel : file;
  } catch {
    return file; // a format of which we have no tool: the guest decompresses it itself
  } finally {
    rmSync(payload);
  }
}

function kernelImage(root: string, release: string): string {
  const candidates = [
    join(root, 'boot', `vmlinuz-${release}`),
    join(root, 'usr/lib/modules', release, 'vmlinuz'),
  ];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined)
    throw new SetupError('broken-package', `No kernel ${release} in ${root}: remove it.`);
  return found;
}

/** Decompresses by file ending, with the tools of the guest set. */
function decompressor(guestRoot: string, scratch: string): Decompress {
  const tools: Record<string, string> = { xz: 'usr/bin/xz', zst: 'usr/bin/zstd' };
  return async (path) => {
    const ending = path.slice(path.lastIndexOf('.') + 1);
    const file = await readFile(path);
    if (ending === 'gz') return promisify(gunzip)(file);
    const tool = tools[ending];
    if (tool === undefined) return file;
    const [command = '', ...args] = commandInRoot(guestRoot, tool);
    const { stdout } = await promisify(execFile)(command, [...args, '-dcq', path], {
      encoding: 'buffer',
      maxBuffer: 2 ** 28,
      cwd: scratch,
    });
    return stdout;
  };
}

function imageKey(kernelKey: string, guestKey: string, extraFiles: readonly ExtraFile[]): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([kernelKey, guestKey, contentKey()]));
  for (const { path, content, executable } of extraFiles)
    hash.update(`${path} ${executable} ${content.length}\n`).update(content);
  return `${kernelKey.replace(/-[0-9a-f]+$/, '')}-${hash.digest('hex').slice(0, 16)}`;
}

/** Changes whenever what this file makes of the same packages does. */
export function contentKey(): string {
  const scripts = [INIT_SCRIPT, AGENT_SCRIPT, NET_SCRIPT, DHCP_SCRIPT, UEVENT_SCRIPT];
  return JSON.stringify([FORMAT, PROGRAMS, GUEST_MODULES, ...scripts]);
}

function directory(path: string): CpioEntry {
  return { kind: 'directory', path };
}

function link(path: string, target: string): CpioEntry {
  return { kind: 'link', path, target };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}
