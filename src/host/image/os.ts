/** What system it is: os-release(5), and for which processors, by its programs' own headers. */
import type { Architecture, Family, Release } from '../../check/image/facts.ts';
import type { FileTree } from './tree.ts';

const TEXT_BYTES = 1 << 20;
const PROGRAM_BYTES = 256 << 20;

/** null: it has none. */
export async function readRelease(
  tree: FileTree,
): Promise<{ release: Release; file: string } | null> {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    const text = await tree.read(file, TEXT_BYTES);
    if (text !== null) return { release: parseRelease(text.toString()), file };
  }
  return null;
}

export function parseRelease(text: string): Release {
  const value = (name: string): string => {
    const line = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
    return /^(["'])(.*)\1$/.exec(line)?.[2] ?? line;
  };
  const id = value('ID') || 'linux';
  const like = value('ID_LIKE')
    .split(/\s+/)
    .filter((word) => word !== '');
  const version = value('VERSION_ID');
  const name = value('PRETTY_NAME') || value('NAME') || id;
  return { id, like, version, name, family: familyOf([id, ...like]) };
}

function familyOf(ids: readonly string[]): Family {
  const families: readonly [Family, readonly string[]][] = [
    ['amazon', ['amzn']],
    ['debian', ['debian', 'ubuntu']],
    ['redhat', ['rhel', 'fedora', 'centos', 'rocky', 'almalinux', 'ol']],
    ['suse', ['suse', 'sles', 'opensuse', 'opensuse-leap', 'opensuse-tumbleweed', 'sled']],
    ['alpine', ['alpine']],
    ['arch', ['arch', 'archlinux']],
  ];
  return families.find(([, names]) => names.some((name) => ids.includes(name)))?.[0] ?? 'other';
}

/** Programs that one of every system is likely to have. */
const PROGRAMS = [
  ...['/usr/bin/env', '/bin/busybox', '/usr/bin/busybox', '/usr/lib/systemd/systemd', '/bin/sh'],
  ...['/sbin/init', '/boot/kernel/kernel', '/Windows/System32/ntoskrnl.exe'],
];

/** null: none of them is there. */
export async function readArchitecture(
  tree: FileTree,
): Promise<{ value: Architecture; file: string } | null> {
  for (const file of PROGRAMS) {
    const program = await tree.read(file, PROGRAM_BYTES);
    const value = program === null ? null : architectureOf(program);
    if (value !== null) return { value, file };
  }
  return null;
}

/** Of an ELF or PE program; null: it is neither. */
export function architectureOf(program: Buffer): Architecture | null {
  const names: Readonly<Record<number, Architecture>> = {
    62: 'x86_64',
    183: 'arm64',
    3: 'i386',
    34404: 'x86_64',
    43620: 'arm64',
    332: 'i386',
  };
  if (program.length < 64) return null;
  if (program.readUInt32BE(0) === 0x7f454c46) return names[program.readUInt16LE(18)] ?? 'other';
  if (program.readUInt16BE(0) !== 0x4d5a) return null;
  const at = program.readUInt32LE(60);
  if (at + 6 > program.length || program.readUInt32BE(at) !== 0x50450000) return null;
  return names[program.readUInt16LE(at + 4)] ?? 'other';
}
