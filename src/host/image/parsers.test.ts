import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BootMenu,
  defaultEntry,
  parseGrub,
  parseGrubEnvironment,
  parseLoaderEntry,
  parseSyslinux,
} from './boot-entries.ts';
import { compressionOf } from './disk-format.ts';
import { deviceOf, parseFstab } from './fstab.ts';
import { parseKeyed, readYaml } from './keyed-text.ts';
import { architectureOf, parseRelease } from './os.ts';
import { partitionsOf } from './partitions.ts';

const release = (menu: BootMenu): string | null | undefined => defaultEntry(menu)?.release;

test('the first entry of a grub.cfg starts, unless a default names another', () => {
  const text = (set: string): string =>
    `set kernelopts="root=UUID=1 quiet"\n${set}\nmenuentry 'One' {\n  linux /vmlinuz-6.1.0-1-amd64 $kernelopts\n}\n` +
    "submenu 'More' {\n menuentry 'Two' {\n  linux16 /boot/vmlinuz-5.10 ro single\n }\n}\n";
  assert.equal(release(parseGrub(text(''), 'f')), '6.1.0-1-amd64');
  assert.equal(release(parseGrub(text('set default="Two"'), 'f')), '5.10');
  assert.equal(release(parseGrub(text('set default=Three'), 'f')), undefined);
  const [first] = parseGrub(text(''), 'f').entries;
  assert.equal(first?.text, 'root=UUID=1 quiet');
  assert.deepEqual(first?.at, { file: 'f', line: 4 });
});

test('an entry of the Boot Loader Specification has its options, those of grubenv among them', () => {
  const variables = parseGrubEnvironment(
    '# GRUB Environment Block\nkernelopts=root=UUID=2 ro\n####',
  );
  const entry = parseLoaderEntry(
    'title Fedora\nversion 6.9\nlinux /vmlinuz-6.9.7-200.fc40.x86_64\noptions $kernelopts quiet\n',
    '/boot/loader/entries/abc-6.9.7+3.conf',
    variables,
  );
  assert.equal(entry?.release, '6.9.7-200.fc40.x86_64');
  assert.equal(entry?.text, 'root=UUID=2 ro quiet');
  assert.equal(entry?.id, 'abc-6.9.7');
});

test('extlinux starts its DEFAULT, and a menu module is no kernel', () => {
  const menu = parseSyslinux(
    'DEFAULT menu.c32\nDEFAULT virt\nLABEL lts\n  LINUX vmlinuz-lts\n  APPEND root=UUID=1\n' +
      'LABEL virt\n  MENU DEFAULT\n  KERNEL /boot/vmlinuz-virt\n  APPEND root=UUID=2 quiet\n',
    'f',
  );
  assert.equal(release(menu), 'virt');
  assert.equal(defaultEntry(menu)?.text, 'root=UUID=2 quiet');
});

test('fstab names devices in many ways', () => {
  const devices = [
    { name: 'loop0,gpt1', uuid: 'ABCD-1234', label: null, partitionUuid: 'aa-bb' },
    { name: 'loop0,gpt2', uuid: 'u-2', label: 'root', partitionUuid: null },
    { name: 'lvm/my--vg-root', uuid: null, label: null, partitionUuid: null },
  ];
  const found = (field: string): string | undefined => deviceOf(field, devices)?.name;
  assert.equal(found('UUID=abcd-1234'), 'loop0,gpt1');
  assert.equal(found('UUID="u-2"'), 'loop0,gpt2');
  assert.equal(found('LABEL=root'), 'loop0,gpt2');
  assert.equal(found('PARTUUID=AA-BB'), 'loop0,gpt1');
  assert.equal(found('/dev/disk/by-uuid/u-2'), 'loop0,gpt2');
  assert.equal(found('/dev/mapper/my--vg-root'), 'lvm/my--vg-root');
  assert.equal(found('/dev/my-vg/root'), 'lvm/my--vg-root');
  assert.equal(found('/dev/nvme0n1p2'), 'loop0,gpt2');
  assert.equal(found('/dev/sda12'), undefined);
  const [mount] = parseFstab('# no\nLABEL=a\\040b /srv\\040x ext4 rw,nofail 0 0\nhalf\n', 'f');
  assert.deepEqual(mount, {
    device: 'LABEL=a b',
    mountPoint: '/srv x',
    type: 'ext4',
    options: ['rw', 'nofail'],
    at: { file: 'f', line: 2 },
  });
});

test('os-release tells who packages a system, by ID or by what it is like', () => {
  const family = (text: string): string => parseRelease(text).family;
  assert.equal(family('ID="amzn"\nID_LIKE="centos rhel fedora"'), 'amazon');
  assert.equal(family('ID=rocky\nID_LIKE="rhel centos fedora"'), 'redhat');
  assert.equal(family('ID=mint\nID_LIKE=ubuntu'), 'debian');
  assert.equal(family("ID='opensuse-leap'\nID_LIKE='suse opensuse'"), 'suse');
  assert.equal(family('NAME=Mine'), 'other');
});

test('a section or key called __proto__ is one like any other', () => {
  const parsed = parseKeyed('[__proto__]\nx=1\n[Match]\n__proto__=2\nName = en* \n');
  assert.equal(parsed['Match']?.['Name'], 'en*');
  assert.equal(({} as { x?: string }).x, undefined);
});

test('YAML that unfolds without end is no YAML', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 0; i < 9; i++) {
    const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
    bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`);
  }
  assert.equal(readYaml(bomb.join('\n')), null);
  assert.deepEqual(readYaml('a: 1'), { a: 1 });
});

test('programs say what they are for', () => {
  const elf = Buffer.alloc(64);
  elf.write('\x7fELF', 'latin1');
  elf.writeUInt16LE(183, 18);
  assert.equal(architectureOf(elf), 'arm64');
  const pe = Buffer.alloc(200);
  pe.write('MZ');
  pe.writeUInt32LE(100, 60);
  pe.write('PE\0\0', 100);
  pe.writeUInt16LE(0x8664, 104);
  assert.equal(architectureOf(pe), 'x86_64');
  pe.writeUInt32LE(0xffffffff, 60);
  assert.equal(architectureOf(pe), null);
  assert.equal(architectureOf(Buffer.from('#!/bin/sh\n')), null);
});

test('compressions are known by their first bytes', () => {
  const by = (hex: string): string | undefined =>
    compressionOf(Buffer.from(hex.padEnd(16, '0'), 'hex'));
  assert.equal(by('1f8b08'), 'gzip');
  assert.equal(by('fd377a585a00'), 'xz');
  assert.equal(by('28b52ffd'), 'zstd');
  assert.equal(by('02214c18'), 'lz4');
  assert.equal(by('425a6839'), 'bzip2');
  assert.equal(by('5d000080'), 'lzma');
  assert.equal(by('303730373031'), undefined);
});

test('logical partitions are followed, and a circle of them ends', () => {
  const disk = Buffer.alloc(1 << 20);
  const entry = (at: number, type: number, start: number, sectors: number): void => {
    disk[at + 4] = type;
    disk.writeUInt32LE(start, at + 8);
    disk.writeUInt32LE(sectors, at + 12);
  };
  const sign = (sector: number): void => void disk.writeUInt16LE(0xaa55, sector * 512 + 510);
  sign(0);
  entry(446, 0x83, 64, 100);
  entry(462, 5, 200, 500);
  sign(200);
  entry(200 * 512 + 446, 0x83, 2, 50);
  entry(200 * 512 + 462, 5, 100, 100);
  sign(300);
  entry(300 * 512 + 446, 0x8e, 2, 50);
  entry(300 * 512 + 462, 5, 0, 100); // back to the first
  const read = (at: number, length: number): Buffer => disk.subarray(at, at + length);
  const { table, partitions, bootCode } = partitionsOf(read, disk.length);
  assert.equal(table, 'mbr');
  assert.equal(bootCode, false);
  assert.deepEqual(
    partitions.map(({ name, type, startBytes }) => [name, type, startBytes / 512]),
    [
      ['msdos1', 'Linux', 64],
      ['msdos2', 'extended', 200],
      ['msdos5', 'Linux', 202],
      ['msdos6', 'Linux LVM', 302],
    ],
  );
});

test("a file system's boot sector is no partition table", () => {
  const disk = Buffer.alloc(1 << 20, 0x41);
  disk.writeUInt16LE(0xaa55, 510);
  const { table } = partitionsOf((at, length) => disk.subarray(at, at + length), disk.length);
  assert.equal(table, 'none');
});
