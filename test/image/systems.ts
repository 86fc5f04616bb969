/**
 * Small systems as trees of files. Debian's have the kernel's own modules of the distribution's package; those of
 * other distributions are laid out as their packages do it, around the same modules: layouts, not systems.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, writeCpio } from '../../src/host/guest/cpio.ts';
import { kernelReleases } from '../../src/host/guest/modules.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { ensureSet } from '../../src/host/packages/sets.ts';
import type { Tree } from './image-maker.ts';

/** What a kernel package has of the drivers in question. */
export interface KernelParts {
  release: string;
  /** Path below the release's directory -> the file as it is packaged. */
  modules: Map<string, Buffer>;
  dep: string;
  builtin: string;
  image: Buffer;
}

const WANTED = /\/(ena|ixgbevf|nvme|nvme-core|nvme-auth|nvme-keyring|ib_core|ib_uverbs)\.ko/;

export async function debianKernel(): Promise<KernelParts> {
  const options = { cache: cacheDirectory(), progress: noProgress };
  const { root } = await ensureSet('kernel-6.12', ({ sets }) => sets.kernels['6.12'], options);
  const release = kernelReleases(root).at(-1) ?? '';
  const directory = join(root, 'usr/lib/modules', release);
  const files = readdirSync(directory, { recursive: true }).map(String);
  const modules = new Map(
    files
      .filter((file) => WANTED.test(file))
      .map((file) => [file, readFileSync(join(directory, file))]),
  );
  const builtin = readFileSync(join(directory, 'modules.builtin'), 'utf8');
  const dep = [...modules.keys()].map((path) => `${path}:\n`).join('');
  const image = readFileSync(join(root, 'boot', `vmlinuz-${release}`));
  return { release, modules, dep, builtin, image };
}

export type Pack = (archive: Buffer) => Buffer;

/** An initramfs with microcode before it, as distributions have it. */
export function initramfs(
  kernel: KernelParts,
  drivers: RegExp,
  { pack = gzipSync, marks = ['scripts/functions'] }: { pack?: Pack; marks?: string[] } = {},
): Buffer {
  const file = (path: string, content: Uint8Array = Buffer.from('#\n')): CpioEntry => {
    return { kind: 'file', path, content, executable: false };
  };
  const modules = [...kernel.modules].filter(([path]) => drivers.test(path));
  const entries = modules.map(([path, content]) =>
    file(`usr/lib/modules/${kernel.release}/${path}`, content),
  );
  const microcode = writeCpio([
    file('kernel/x86/microcode/GenuineIntel.bin', Buffer.alloc(3000, 7)),
  ]);
  return Buffer.concat([microcode, pack(writeCpio([...marks.map((m) => file(m)), ...entries]))]);
}

export interface DebianOptions {
  /** Which modules are installed, and which are in the initramfs. */
  modules?: RegExp;
  inInitramfs?: RegExp;
  pack?: Pack;
  fstab?: string;
  commandLine?: string;
  /** More files, or others. */
  files?: Tree;
}

export const ALL = /./;
export const ELF_X86_64 = elf(62);
export const ELF_ARM64 = elf(183);

/** The first bytes of a program, which say what it is for. */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  return header;
}

export function debian(kernel: KernelParts, options: DebianOptions = {}): Tree {
  const { modules = ALL, inInitramfs = ALL, pack = gzipSync } = options;
  const { release } = kernel;
  const commandLine =
    options.commandLine ?? 'root=UUID=7c5a1d2e-0000-4000-8000-000000000001 ro console=ttyS0';
  const installed = [...kernel.modules].filter(([path]) => modules.test(path));
  const dep = installed.map(([path]) => `${path}:\n`).join('');
  const directory = `usr/lib/modules/${release}`;
  return {
    lib: { link: 'usr/lib' },
    'usr/lib/os-release':
      'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\nNAME="Debian GNU/Linux"\n',
    'etc/os-release': { link: '../usr/lib/os-release' },
    'etc/fstab': options.fstab ?? 'UUID=7c5a1d2e-0000-4000-8000-000000000001 / ext4 defaults 0 1\n',
    'usr/bin/env': ELF_X86_64,
    'usr/lib/udev/rules.d/80-net-setup-link.rules': '# renames\n',
    'usr/lib/systemd/network/99-default.link': '[Match]\nOriginalName=*\n',
    [`boot/vmlinuz-${release}`]: 'kernel',
    [`boot/initrd.img-${release}`]: initramfs(kernel, inInitramfs, { pack }),
    'boot/grub/grub.cfg': grubMenu(release, commandLine),
    [`${directory}/modules.builtin`]: kernel.builtin,
    [`${directory}/modules.dep`]: dep,
    ...Object.fromEntries(installed.map(([path, content]) => [`${directory}/${path}`, content])),
    'etc/cloud/cloud.cfg': 'datasource_list: [ Ec2, None ]\n',
    'etc/network/interfaces':
      'auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n',
    ...options.files,
  };
}

export function grubMenu(release: string, commandLine: string): string {
  return [
    'set default="0"',
    "menuentry 'Debian GNU/Linux' --class debian {",
    `  linux /boot/vmlinuz-${release} ${commandLine}`,
    `  initrd /boot/initrd.img-${release}`,
    '}',
    '',
  ].join('\n');
}
