/**
 * Systems of other distributions, in the layout of their packages: directories, names and settings as they have
 * them, around Debian's own modules. Layouts are what is tested, not these distributions.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { valueIn } from '../../src/check/fact.ts';
import type { ImageFacts } from '../../src/check/image/facts.ts';
import { checked } from './checked.ts';
import { ImageMaker, type Tree } from './image-maker.ts';
import { debianKernel, ELF_X86_64, initramfs } from './systems.ts';

const maker = await ImageMaker.open();
after(() => maker.close());
const kernel = await debianKernel();
const { release } = kernel;
const directory = `usr/lib/modules/${release}`;
const uuid = '7c5a1d2e-0000-4000-8000-000000000001';
const root = `root=UUID=${uuid} ro console=ttyS0`;

/** What all have: modules where `place` puts them, lists, the root's fstab. */
function system(name: string, place: (path: string) => string, files: Tree): Tree {
  const modules = [...kernel.modules].map(([path, content]) => [place(path), content] as const);
  return {
    lib: { link: 'usr/lib' },
    'usr/lib/os-release': name,
    'etc/os-release': { link: '../usr/lib/os-release' },
    'etc/fstab': `UUID=${uuid} / ext4 defaults 0 0\n`,
    'usr/bin/env': ELF_X86_64,
    'usr/lib/udev/rules.d/80-net-setup-link.rules': '#\n',
    [`${directory}/modules.builtin`]: kernel.builtin,
    [`${directory}/modules.dep`]: modules.map(([path]) => `${path}:\n`).join(''),
    ...Object.fromEntries(modules.map(([path, content]) => [`${directory}/${path}`, content])),
    ...files,
  };
}

const same = (path: string): string => path;
const dracut = (drivers = /./): Buffer =>
  initramfs(kernel, drivers, { marks: ['usr/lib/dracut/dracut-042'] });

test('a Red Hat: Boot Loader Specification, dracut, NetworkManager', async () => {
  const tree = system(
    'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4"\n',
    same,
    {
      [`boot/vmlinuz-${release}`]: 'kernel',
      [`boot/initramfs-${release}.img`]: dracut(/ena/),
      'boot/grub2/grub.cfg': 'set default="$saved_entry"\ninsmod blscfg\nblscfg\n',
      'boot/grub2/grubenv': `# GRUB Environment Block\nsaved_entry=m-${release}\nkernelopts=${root}\n`,
      [`boot/loader/entries/m-${release}.conf`]: `title Rocky\nversion ${release}\nlinux /vmlinuz-${release}\noptions $kernelopts\n`,
      'etc/NetworkManager/system-connections/eth.nmconnection':
        '[connection]\ntype=ethernet\n[ethernet]\n[ipv4]\nmethod=auto\n',
      'etc/systemd/system/multi-user.target.wants/NetworkManager.service': {
        link: '/usr/lib/nothing',
      },
    },
  );
  const { facts, errors, warnings, report } = await checked(maker.tree(tree));
  assert.equal(valueIn(facts.release)?.family, 'redhat');
  assert.equal(valueIn(facts.defaultKernel), release);
  assert.deepEqual([errors, warnings], [['image-nvme-in-initramfs'], []]);
  const finding = report.findings.find(
    ({ outcome, rule }) => outcome === 'fail' && rule.severity === 'error',
  );
  assert.deepEqual(finding?.mend, [`sudo dracut --force --add-drivers nvme --kver ${release}`]);
});

test("an Amazon Linux: Amazon's own places for ena, systemd-networkd for en*", async () => {
  const place = (path: string): string =>
    path.replace('kernel/drivers/net/ethernet/amazon/ena/', 'kernel/drivers/amazon/net/ena/');
  const tree = system(
    'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\nPRETTY_NAME="Amazon Linux 2023"\n',
    place,
    {
      [`${directory}/modules.dep`]: '',
      [`boot/vmlinuz-${release}`]: 'kernel',
      [`boot/initramfs-${release}.img`]: dracut(),
      'boot/grub2/grub.cfg': `menuentry 'Amazon Linux' {\n linux /boot/vmlinuz-${release} ${root}\n}\n`,
      'usr/lib/systemd/network/80-ec2.network':
        '[Match]\nDriver=ena ixgbevf vif\n[Network]\nDHCP=yes\n',
      'etc/systemd/system/multi-user.target.wants/systemd-networkd.service': { link: '/x' },
      'opt/amazon/efa/bin/fi_info': 'x',
    },
  );
  const { facts, errors, report } = await checked(maker.tree(tree));
  assert.equal(valueIn(facts.release)?.family, 'amazon');
  const ena = valueIn(facts.kernels)?.[0]?.drivers.ena;
  assert.match((ena && valueIn(ena)?.path) ?? '', /kernel\/drivers\/amazon\/net\/ena\/ena\.ko/);
  assert.deepEqual(errors, ['image-driver-indexed']); // its modules.dep is empty
  const stack = report.findings.find(({ rule }) => rule.id === 'image-efa-stack');
  assert.match(stack?.text ?? '', /the driver, libibverbs, libefa, libfabric missing/);
});

test('a SUSE: btrfs with snapshots, initrd, wicked', async () => {
  const fstab = `UUID=${uuid} / btrfs defaults 0 0\n`;
  const tree = system(
    'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"\nPRETTY_NAME="SLES 15 SP6"\n',
    same,
    {
      'etc/fstab': fstab,
      [`boot/vmlinuz-${release}`]: 'kernel',
      [`boot/initrd-${release}`]: dracut(),
      'boot/grub2/grub.cfg': `menuentry 'SLES' {\n linux /boot/vmlinuz-${release} ${root} net.ifnames=0\n}\n`,
      'etc/sysconfig/network/ifcfg-eth0': "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
    },
  );
  const inside = Object.fromEntries(
    Object.entries(tree).map(([path, content]) => [`@/.snapshots/1/snapshot/${path}`, content]),
  );
  const disk = maker.fileSystem('btrfs', maker.tree(inside), 160, ['-U', uuid]);
  const { facts, errors, warnings } = await checked(disk);
  assert.equal(valueIn(facts.release)?.family, 'suse');
  assert.deepEqual([errors, warnings], [['image-boot-mode'], []]);
});

test('an Alpine: flavours instead of releases, extlinux, mkinitfs, eth0', async () => {
  const lts = release.replace(/-amd64$/, '-0-lts').replace(/\+deb\d+/, '');
  const renamed = Object.fromEntries(
    Object.entries(
      system('ID=alpine\nVERSION_ID=3.20.1\nPRETTY_NAME="Alpine Linux v3.20"\n', same, {
        'boot/vmlinuz-lts': 'kernel',
        'boot/initramfs-lts': initramfs(kernel, /ena/, { marks: ['etc/mkinitfs/x'] }),
        'boot/extlinux.conf': `DEFAULT menu.c32\nLABEL lts\n  LINUX vmlinuz-lts\n  INITRD initramfs-lts\n  APPEND ${root}\n`,
        'etc/network/interfaces':
          'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n',
      }),
    )
      .filter(([path]) => !path.startsWith('usr/lib/udev'))
      .map(([path, content]) => [path.replace(release, lts), content]),
  );
  const { facts, errors, report } = await checked(maker.tree(renamed));
  assert.equal(valueIn(facts.defaultKernel), lts);
  // its modules were built for Debian's kernel, which the rules see
  assert.deepEqual(errors, ['image-nvme-in-initramfs', 'image-driver-of-this-kernel']);
  const mend = report.findings.find(({ rule }) => rule.id === 'image-nvme-in-initramfs')?.mend[0];
  assert.match(mend ?? '', /doas mkinitfs/);
  const dhcp = report.findings.find(({ rule }) => rule.id === 'image-network-dhcp');
  assert.match(dhcp?.text ?? '', /ifupdown asks for an address on eth0/);
});

test('an Arch: pkgbase, mkinitcpio, systemd-boot on the EFI system partition', async () => {
  const tree = system('ID=arch\nPRETTY_NAME="Arch Linux"\n', same, {
    'etc/fstab': `UUID=${uuid} / ext4 rw 0 1\nLABEL=ESP /boot vfat rw 0 2\n`,
    [`${directory}/pkgbase`]: 'linux\n',
    'etc/systemd/network/20.network': '[Match]\nName=en*\n[Network]\nDHCP=yes\n',
    'etc/systemd/system/multi-user.target.wants/systemd-networkd.service': { link: '/x' },
    boot: null,
  });
  const esp: Tree = {
    'EFI/BOOT/BOOTX64.EFI': 'MZ',
    'loader/loader.conf': 'default arch.conf\n',
    'loader/entries/arch.conf': `title Arch\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\noptions ${root}\n`,
    'vmlinuz-linux': 'kernel',
    'initramfs-linux.img': initramfs(kernel, /./, { marks: ['init_functions'] }),
  };
  const disk = maker.disk('gpt', [
    {
      type: 'U',
      sizeMib: 48,
      content: maker.fileSystem('vfat', maker.tree(esp), 48, ['-n', 'ESP']),
    },
    {
      type: 'L',
      sizeMib: 48,
      content: maker.fileSystem('ext4', maker.tree(tree), 48, ['-U', uuid]),
    },
  ]);
  const { facts, errors, unknown } = await checked(disk);
  assert.deepEqual([errors, unknown], [[], []]);
  const [found] = valueIn(facts.kernels) ?? [];
  assert.ok(found !== undefined);
  assert.equal(valueIn(found.initramfs)?.maker, 'mkinitcpio');
  assert.equal(valueIn(facts.defaultKernel), release);
});

const drivers = ({ drivers: fact }: ImageFacts): string[] =>
  (valueIn(fact) ?? [])
    .filter(({ path, starts }) => path !== null && starts)
    .map(({ name }) => name);

test('a FreeBSD: a module that loader.conf loads, names in the kernel', async () => {
  const kernelFile = Buffer.concat([
    ELF_X86_64,
    Buffer.from('\0nvme_attach\0Generic NVMe Device\0'),
  ]);
  const tree = (loader: string): Tree => ({
    'boot/kernel/kernel': kernelFile,
    'boot/kernel/if_ena.ko': 'module',
    'boot/loader.conf': loader,
    'etc/rc.conf': 'ifconfig_DEFAULT="SYNCDHCP"\n',
  });
  const good = await checked(maker.tree(tree('if_ena_load="YES"\n')));
  assert.equal(good.facts.system, 'freebsd');
  assert.deepEqual(drivers(good.facts), ['ena', 'nvme']);
  assert.deepEqual(good.errors, []);
  const bad = await checked(maker.tree(tree('# nothing\n')));
  assert.deepEqual(bad.errors, ['image-ena-driver']);
});

test('a Windows: files of drivers, whatever the capitals', async () => {
  const pe = Buffer.alloc(200);
  pe.write('MZ');
  pe.writeUInt32LE(100, 60);
  pe.write('PE\0\0', 100);
  pe.writeUInt16LE(0x8664, 104);
  const tree: Tree = {
    'Windows/System32/ntoskrnl.exe': pe,
    'Windows/System32/drivers/ENA.sys': 'x',
    'Windows/System32/DriverStore/FileRepository/stornvme.inf_amd64_1/stornvme.sys': 'x',
  };
  const { facts, errors, warnings } = await checked(maker.tree(tree));
  assert.equal(facts.system, 'windows');
  assert.deepEqual(drivers(facts), ['ena', 'nvme']);
  assert.deepEqual([errors, warnings], [[], ['image-ixgbevf-driver']]);
});
