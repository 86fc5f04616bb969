/**
 * A small system that really starts: the distribution's GRUB, its kernel with its drivers, busybox for the rest. Its
 * settings are files as everywhere, and it does what they say: ifup asks for addresses, modprobe loads drivers.
 */
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, writeCpio } from '../../src/host/guest/cpio.ts';
import { collectModules, kernelReleases } from '../../src/host/guest/modules.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';
import { ensureSet } from '../../src/host/packages/sets.ts';
import { type ImageMaker, insert, type Tree } from './image-maker.ts';

const options = { cache: cacheDirectory(), progress: noProgress };
const SECTOR = 512;
const MIB = 2 ** 20;
const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';
const UUID = '7c5a1d2e-0000-4000-8000-00000000b007';

const PROGRAMS = ['usr/bin/busybox', 'usr/bin/env', 'usr/bin/init', 'etc/udhcpc/default.script'];

export interface BootableOptions {
  /** What starts it; by a BIOS if absent. */
  by?: 'bios' | 'uefi';
  /** Modules that are installed in the root, beside those of the disk; default: ena and ixgbevf. */
  drivers?: readonly string[];
  /** What its init does once the network is up; default: asks the metadata service. */
  afterwards?: string;
  files?: Tree;
}

/** A raw disk with GPT. */
export async function bootableDisk(
  maker: ImageMaker,
  given: BootableOptions = {},
): Promise<string> {
  const { root: kernelRoot } = await ensureSet(
    'kernel-6.12',
    ({ sets }) => sets.kernels['6.12'],
    options,
  );
  const { root: guestRoot } = await ensureSet('guest', ({ sets }) => sets.guest, options);
  const release = kernelReleases(kernelRoot).at(-1) ?? '';
  const busybox = readFileSync(join(guestRoot, 'usr/bin/busybox'));
  const directory = `usr/lib/modules/${release}`;
  const modules = async (names: readonly string[]) =>
    collectModules([join(kernelRoot, directory)], names, async (path) =>
      maker.run('usr/bin/xz', ['-dc', '--', path]),
    );
  const early = await modules(['nvme', 'ext4', 'crc32c_generic']);
  const late = await modules(['nvme', ...(given.drivers ?? ['ena', 'ixgbevf'])]);
  const tree: Tree = {
    lib: { link: 'usr/lib' },
    bin: { link: 'usr/bin' },
    sbin: { link: 'usr/bin' },
    'usr/lib/os-release':
      'ID=virtfn-test\nID_LIKE=debian\nPRETTY_NAME="A small system"\nVERSION_ID=1\n',
    'etc/os-release': { link: '../usr/lib/os-release' },
    'etc/fstab': `UUID=${UUID} / ext4 defaults 0 1\n`,
    'etc/network/interfaces': 'auto eth0\niface eth0 inet dhcp\n',
    'etc/udhcpc/default.script': DHCP,
    'usr/bin/busybox': busybox,
    'usr/bin/env': busybox,
    'usr/bin/init': init(given.afterwards ?? ASK),
    [`boot/vmlinuz-${release}`]: readFileSync(join(kernelRoot, 'boot', `vmlinuz-${release}`)),
    [`boot/initrd.img-${release}`]: initrd(release, early, busybox),
    'boot/grub/grub.cfg': `set timeout=0\nmenuentry 'It' {\n linux /boot/vmlinuz-${release} root=UUID=${UUID} console=ttyS0 quiet panic=-1\n initrd /boot/initrd.img-${release}\n}\n`,
    [`${directory}/modules.builtin`]: readFileSync(join(kernelRoot, directory, 'modules.builtin')),
    [`${directory}/modules.dep`]: late.dep,
    [`${directory}/modules.alias`]: late.alias,
    ...Object.fromEntries(
      late.modules.map(({ path, content }) => [`${directory}/${path}`, content]),
    ),
    ...Object.fromEntries(
      ['proc', 'sys', 'dev', 'run', 'tmp', 'var/run'].map((path) => [path, null]),
    ),
    ...given.files,
  };
  const root = maker.tree(tree);
  for (const path of PROGRAMS) chmodSync(join(root, path), 0o755);
  const system = {
    type: 'L',
    sizeMib: 96,
    content: maker.fileSystem('ext4', root, 96, ['-U', UUID]),
  };
  if (given.by === 'uefi') {
    const esp = maker.tree({ 'EFI/BOOT/BOOTX64.EFI': grubOf(maker, 'x86_64-efi') });
    const content = maker.fileSystem('vfat', esp, 36);
    return maker.disk('gpt', [{ type: 'U', sizeMib: 36, content }, system]);
  }
  const disk = maker.disk('gpt', [{ type: BIOS_BOOT, sizeMib: 1 }, system]);
  installGrub(maker, disk);
  return disk;
}

/** GRUB in one file, with what it needs to read the root. */
function grubOf(maker: ImageMaker, platform: 'i386-pc' | 'x86_64-efi'): Buffer {
  const core = maker.path('core');
  maker.run('usr/bin/grub-mkimage', [
    ...['-O', platform, '-d', maker.rooted(`usr/lib/grub/${platform}`), '-o', core],
    ...['-p', '(hd0,gpt2)/boot/grub', 'part_gpt', 'ext2', 'normal', 'linux', 'search'],
    ...(platform === 'i386-pc' ? ['biosdisk'] : []),
  ]);
  return readFileSync(core);
}

/** As grub-install does it: code in the first sector that knows where the rest begins. */
function installGrub(maker: ImageMaker, disk: string): void {
  const start = MIB / SECTOR;
  const rest = grubOf(maker, 'i386-pc');
  // the list of blocks at the end of its first sector: the second one follows it
  rest.writeBigUInt64LE(BigInt(start + 1), SECTOR - 12);
  const boot = Buffer.from(maker.file('usr/lib/grub/i386-pc/boot.img').subarray(0, 440));
  boot.writeBigUInt64LE(BigInt(start), 0x5c);
  boot.writeUInt16LE(0x9090, 0x66);
  insert(disk, 0, boot);
  insert(disk, MIB, rest);
}

function initrd(
  release: string,
  early: Awaited<ReturnType<typeof collectModules>>,
  busybox: Buffer,
): Buffer {
  const text = (path: string, content: string, executable = false): CpioEntry => {
    return { kind: 'file', path, content: Buffer.from(content), executable };
  };
  const directory = `usr/lib/modules/${release}`;
  return writeCpio([
    ...['proc', 'sys', 'dev', 'sysroot'].map((path): CpioEntry => ({ kind: 'directory', path })),
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'link', path: 'lib', target: 'usr/lib' },
    { kind: 'file', path: 'bin/busybox', content: busybox, executable: true },
    text('init', INITRD, true),
    text(`${directory}/modules.dep`, early.dep),
    ...early.modules.map(({ path, content }): CpioEntry => {
      return { kind: 'file', path: `${directory}/${path}`, content, executable: false };
    }),
  ]);
}

const INITRD = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for m in nvme crc32c_generic ext4; do $b modprobe $m; done
while ! [ -e /dev/nvme0n1p2 ]; do $b sleep 0.1; done
$b mount -t ext4 /dev/nvme0n1p2 /sysroot
for d in proc sys dev; do $b mount --move /$d /sysroot/$d; done
exec $b switch_root /sysroot /bin/init
`;

const init = (afterwards: string): string => `#!/bin/busybox sh
b=/bin/busybox
export PATH=/bin
$b --install -s /bin 2> /dev/null
mount -t tmpfs run /run; mount -t tmpfs run /var/run
for a in /sys/bus/pci/devices/*/modalias; do modprobe "$(cat $a)" 2> /dev/null; done
sleep 1
ifup -a
${afterwards}
while :; do sleep 60; done
`;

const ASK = `
t=$(wget -q -O - --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/meta-data/instance-id)
echo "instance $t" > /dev/console`;

const DHCP = `#!/bin/busybox sh
case $1 in
bound | renew)
  /bin/busybox ip addr add $ip/$mask dev $interface
  /bin/busybox ip link set $interface mtu \${mtu:-1500}
  for r in $router; do /bin/busybox ip route add default via $r dev $interface; done ;;
deconfig) /bin/busybox ip link set $interface up ;;
esac
`;
