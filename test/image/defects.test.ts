/** Debian systems with one thing wrong each, made of the distribution's kernel, and what is found. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { valueIn } from '../../src/check/fact.ts';
import { checked } from './checked.ts';
import { ImageMaker } from './image-maker.ts';
import { bzip, lz4, lzma, xz, zstd } from './packers.ts';
import { type DebianOptions, debian, debianKernel, grubMenu, initramfs } from './systems.ts';

const maker = await ImageMaker.open();
after(() => maker.close());
const kernel = await debianKernel();
const { release } = kernel;
const directory = `usr/lib/modules/${release}`;
const without = (name: string): RegExp => new RegExp(`/(?!${name}\\.ko)[^/]*$`);

type Expected = { errors?: string[]; warnings?: string[]; unknown?: string[] };
const cases: [name: string, options: DebianOptions, expected: Expected][] = [
  ['nothing wrong', {}, {}],
  ['no ena', { modules: without('ena') }, { errors: ['image-ena-driver'] }],
  ['no ixgbevf', { modules: without('ixgbevf') }, { warnings: ['image-ixgbevf-driver'] }],
  [
    'no nvme in the initramfs',
    { inInitramfs: without('nvme') },
    { errors: ['image-nvme-in-initramfs'] },
  ],
  [
    'a stale udev rule',
    {
      files: {
        'etc/udev/rules.d/70-persistent-net.rules':
          'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="0a:12:34:56:78:9a", NAME="eth0"\n',
      },
    },
    { errors: ['image-no-pinned-names'] },
  ],
  [
    'disks by name in fstab',
    { fstab: '/dev/xvda1 / ext4 defaults 0 1\n' },
    { errors: ['image-fstab-names'] },
  ],
  [
    'a root by name',
    { commandLine: 'root=/dev/sda1 console=ttyS0' },
    { errors: ['image-root-argument'] },
  ],
  [
    'ena forbidden by a file',
    { files: { 'etc/modprobe.d/no.conf': '# net\nblacklist ena\n' } },
    { errors: ['image-driver-not-blacklisted'] },
  ],
  [
    'nvme forbidden by the command line',
    { commandLine: 'root=UUID=1 module_blacklist=nvme' },
    { errors: ['image-driver-not-blacklisted'] },
  ],
  [
    'modules that depmod has not seen',
    { files: { [`${directory}/modules.dep`]: '' } },
    { errors: ['image-driver-indexed'] },
  ],
  [
    'eth0 configured where interfaces are renamed',
    {
      files: {
        'etc/cloud/cloud.cfg': 'network: {config: disabled}\n',
        'etc/network/interfaces.d/eth0': 'auto eth0\niface eth0 inet dhcp\n',
      },
    },
    { errors: ['image-network-dhcp'] },
  ],
  [
    'cloud-init for another cloud',
    { files: { 'etc/cloud/cloud.cfg.d/99.cfg': 'datasource_list: [ NoCloud ]\n' } },
    { warnings: ['image-cloud-init-ec2'] },
  ],
  [
    "the builder's own netplan",
    {
      files: {
        'etc/netplan/50-cloud-init.yaml':
          'network:\n  ethernets:\n    ens3:\n      dhcp4: true\n      match: {macaddress: "52:54:00:12:34:56"}\n',
      },
    },
    { warnings: ['image-network-any-address'] },
  ],
  [
    'a damaged initramfs',
    { files: { [`boot/initrd.img-${release}`]: initramfs(kernel, /./).subarray(0, 9000) } },
    { unknown: ['image-nvme-in-initramfs'] },
  ],
  [
    'no modules.builtin and no nvme',
    {
      modules: without('nvme'),
      files: { [`${directory}/modules.builtin`]: '', [`${directory}/modules.dep`]: '' },
    },
    { errors: ['image-nvme-driver', 'image-driver-indexed'] },
  ],
  [
    'another kernel in the menu that has nothing',
    {
      files: {
        'boot/vmlinuz-5.10.0-1-amd64': 'kernel',
        'usr/lib/modules/5.10.0-1-amd64/modules.dep': '',
        'usr/lib/modules/5.10.0-1-amd64/modules.builtin': '',
        'boot/grub/grub.cfg':
          grubMenu(release, 'root=UUID=1 console=ttyS0') +
          grubMenu('5.10.0-1-amd64', 'root=UUID=1').replace(/^set.*\n/, ''),
      },
    },
    { warnings: ['image-other-kernels'] },
  ],
];

for (const [name, options, { errors = [], warnings = [], unknown = [] }] of cases)
  test(`given ${name}, that is found and nothing else`, async () => {
    const found = await checked(maker.tree(debian(kernel, options)));
    assert.deepEqual([found.errors, found.warnings, found.unknown], [errors, warnings, unknown]);
  });

for (const [name, pack] of Object.entries({ xz, zstd, lz4, bzip, lzma }))
  test(`an initramfs packed by ${name} is read behind its microcode`, async () => {
    const packed = debian(kernel, { pack: (archive) => pack(maker, archive) });
    const { facts } = await checked(maker.tree(packed));
    const [found] = valueIn(facts.kernels) ?? [];
    assert.ok(found !== undefined);
    assert.deepEqual(valueIn(found.initramfs), {
      path: `/boot/initrd.img-${release}`,
      maker: 'initramfs-tools',
      drivers: ['ena', 'ixgbevf', 'nvme', 'ib_uverbs'],
      unreadPart: null,
    });
  });

test('a driver in the second of two packed archives is found', async () => {
  const two = Buffer.concat([initramfs(kernel, /ena\.ko/), initramfs(kernel, /nvme\.ko/)]);
  const { errors } = await checked(
    maker.tree(debian(kernel, { files: { [`boot/initrd.img-${release}`]: two } })),
  );
  assert.deepEqual(errors, []);
});
