/** One system on every kind of disk: what is found is the same, and the disk is as it was. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { valueIn } from '../../src/check/fact.ts';
import { checked } from './checked.ts';
import { ImageMaker } from './image-maker.ts';
import { ALL, type DebianOptions, debian, debianKernel, ELF_ARM64 } from './systems.ts';

const maker = await ImageMaker.open();
after(() => maker.close());
const kernel = await debianKernel();

const uuid = '7c5a1d2e-0000-4000-8000-000000000001';
const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const LVM = 'E6D6D379-F507-44C2-A23C-238F2A3DF928';
const plain = maker.tree(debian(kernel));
const ext4 = maker.fileSystem('ext4', plain, 48, ['-U', uuid]);
const xfs = maker.fileSystem('xfs', plain, 300, ['-m', `uuid=${uuid}`]);
const esp = maker.fileSystem('vfat', maker.tree({ 'EFI/BOOT/BOOTX64.EFI': 'MZ' }), 36);
const uefi = maker.disk('gpt', [
  { type: 'U', sizeMib: 36, content: esp },
  { type: 'L', sizeMib: 300, content: xfs },
]);

/** A root in the subvolume @, as installers make it; fstab says so. */
function subvolumes(options: DebianOptions = {}): string {
  const fstab = `UUID=${uuid} / btrfs subvol=@ 0 0\n`;
  const inner = debian(kernel, { fstab, ...options });
  const tree = Object.fromEntries(
    Object.entries(inner).map(([path, content]) => [`@/${path}`, content]),
  );
  return maker.fileSystem('btrfs', maker.tree(tree), 160, [
    '-U',
    uuid,
    '--compress',
    'zstd',
    '--subvol',
    '@',
  ]);
}

const layouts: [name: string, make: () => string, expected: { root: string; boot: RegExp }][] = [
  [
    'ext4 on GPT with a BIOS boot partition, raw',
    () =>
      maker.disk(
        'gpt',
        [
          { type: BIOS_BOOT, sizeMib: 1 },
          { type: 'L', sizeMib: 48, content: ext4 },
        ],
        {
          bootCode: true,
        },
      ),
    { root: 'ext on gpt2', boot: /^by BIOS$/ },
  ],
  [
    'XFS on GPT with an EFI system partition, raw',
    () => uefi,
    { root: 'xfs on gpt2', boot: /^by UEFI:/ },
  ],
  [
    'the same as qcow2',
    () => maker.convert(uefi, 'qcow2', ['-c']),
    { root: 'xfs on gpt2', boot: /^by UEFI:/ },
  ],
  [
    'the same as a stream-optimized VMDK',
    () => maker.convert(uefi, 'vmdk', ['-o', 'subformat=streamOptimized']),
    { root: 'xfs on gpt2', boot: /^by UEFI:/ },
  ],
  [
    'the same as a sparse VMDK',
    () => maker.convert(uefi, 'vmdk'),
    { root: 'xfs on gpt2', boot: /^by UEFI:/ },
  ],
  [
    'the same as a VHD',
    () => maker.convert(uefi, 'vpc'),
    { root: 'xfs on gpt2', boot: /^by UEFI:/ },
  ],
  [
    'btrfs with a subvolume and zstd, on MBR',
    () =>
      maker.disk('dos', [{ type: 'L', sizeMib: 160, content: subvolumes() }], { bootCode: true }),
    { root: 'btrfs on msdos1', boot: /^by BIOS$/ },
  ],
  [
    'ext4 on LVM',
    () =>
      maker.disk(
        'gpt',
        [
          { type: BIOS_BOOT, sizeMib: 1 },
          { type: LVM, sizeMib: 56, content: maker.volume(ext4) },
        ],
        {
          bootCode: true,
        },
      ),
    { root: 'ext on lvm/vg-root', boot: /^by BIOS$/ },
  ],
];

for (const [name, make, { root, boot }] of layouts)
  test(`${name}: the root is found, and all is well`, async () => {
    const { facts, report, errors, warnings, unknown } = await checked(make());
    const mounted = facts.fileSystems.find(({ mountedAt }) => mountedAt.includes('/'));
    assert.equal(`${mounted?.type} on ${mounted?.device}`, root);
    assert.deepEqual([errors, warnings, unknown], [[], [], []]);
    const [kernelFacts] = valueIn(facts.kernels) ?? [];
    assert.equal(kernelFacts?.release, kernel.release);
    assert.deepEqual(valueIn(kernelFacts.initramfs)?.drivers, [
      'ena',
      'ixgbevf',
      'nvme',
      'ib_uverbs',
    ]);
    assert.equal(valueIn(kernelFacts.drivers.ena)?.vermagic?.split(' ')[0], kernel.release);
    assert.match(
      report.findings.find(({ rule }) => rule.id === 'image-boot-mode')?.text ?? '',
      boot,
    );
  });

test('a disk that is one file system has no boot loader that EC2 would find', async () => {
  const { errors, facts } = await checked(ext4);
  assert.deepEqual(errors, ['image-boot-mode']);
  assert.equal(valueIn(facts.disk ?? { unknown: '' })?.table, 'none');
});

test('a separate /boot is where fstab mounts it', async () => {
  const whole = debian(kernel, {
    fstab: `UUID=${uuid} / ext4 defaults 0 1\nLABEL=boot /boot ext4 defaults 0 2\n`,
  });
  const split = (isBoot: boolean) =>
    Object.fromEntries(
      Object.entries(whole)
        .filter(([path]) => path.startsWith('boot/') === isBoot)
        .map(([path, content]) => [isBoot ? path.slice('boot/'.length) : path, content]),
    );
  const disk = maker.disk('gpt', [
    { type: 'U', sizeMib: 36, content: esp },
    {
      type: 'L',
      sizeMib: 16,
      content: maker.fileSystem('ext4', maker.tree(split(true)), 16, ['-L', 'boot']),
    },
    {
      type: 'L',
      sizeMib: 48,
      content: maker.fileSystem('ext4', maker.tree({ ...split(false), boot: null }), 48, [
        '-U',
        uuid,
      ]),
    },
  ]);
  const { errors, unknown, facts } = await checked(disk);
  assert.deepEqual([errors, unknown], [[], []]);
  assert.deepEqual(
    facts.fileSystems.map(({ mountedAt }) => mountedAt),
    [['/boot/efi'], ['/boot'], ['/']],
  );
});

test('a tar, compressed or not, and a directory are read as well as disks', async () => {
  const tar = maker.path('tar');
  maker.run('usr/bin/tar', ['-C', plain, '-cf', tar, '.']);
  const packed = maker.path('tar.xz');
  writeFileSync(packed, maker.run('usr/bin/xz', ['-0c', tar]));
  for (const path of [tar, packed, plain]) {
    const { facts, errors, warnings } = await checked(path);
    assert.deepEqual([errors, warnings], [[], []], path);
    assert.equal(facts.source.format, path === plain ? 'directory' : 'tar');
  }
});

test('a disk that is compressed once more is unpacked', async () => {
  const packed = maker.path('raw.zst');
  writeFileSync(packed, maker.run('usr/bin/zstd', ['-1cq', ext4]));
  assert.deepEqual((await checked(packed)).errors, ['image-boot-mode']);
});

test('an image for ARM needs the loader of ARM', async () => {
  const files = { 'usr/bin/env': ELF_ARM64 };
  const root = maker.fileSystem('ext4', maker.tree(debian(kernel, { modules: ALL, files })), 48, [
    '-U',
    uuid,
  ]);
  const disk = (name: string): string =>
    maker.disk('gpt', [
      {
        type: 'U',
        sizeMib: 36,
        content: maker.fileSystem('vfat', maker.tree({ [`EFI/BOOT/${name}`]: 'MZ' }), 36),
      },
      { type: 'L', sizeMib: 48, content: root },
    ]);
  assert.deepEqual((await checked(disk('BOOTX64.EFI'))).errors, ['image-boot-mode']);
  assert.deepEqual((await checked(disk('BOOTAA64.EFI'))).errors, []);
});
