import { known, unread } from '../fact.ts';
import { testRules } from '../testing-rules.ts';
import { bootedRules } from './booted-rules.ts';
import type { ImageFacts } from './facts.ts';
import { imageRules } from './rules.ts';
import {
  absent,
  asks,
  boot,
  builtIn,
  commandLine,
  efa,
  imageFacts,
  initramfs,
  kernel,
  module,
  mount,
  network,
  withDrivers,
} from './testing-image.ts';

const at = { file: '/test' };
const nothing = unread('the directory is damaged');
const line = (text: string): ImageFacts =>
  imageFacts({ boot: boot({ commandLines: commandLine(text) }) });
const net = (change: Parameters<typeof network>[0]): ImageFacts =>
  imageFacts({ network: network(change) });
const noCloud = known(null, at);
const family = (name: 'redhat' | 'alpine'): ImageFacts['release'] =>
  known({ id: name, like: [], version: '9', name, family: name }, at);
const freebsd = (starts: boolean): ImageFacts =>
  imageFacts({
    system: 'freebsd',
    drivers: known(
      [
        { name: 'ena', path: '/boot/kernel/if_ena.ko', starts },
        { name: 'nvme', path: '/boot/kernel/kernel', starts: true },
        { name: 'ixgbevf', path: null, starts: false },
      ],
      at,
    ),
  });
const other = (drivers: Parameters<typeof kernel>[0]): ImageFacts =>
  imageFacts({ kernels: known([kernel(), kernel(drivers, { release: '5.4.0-old' })], at) });

const booted = new Set(bootedRules);
const rules = imageRules.filter((rule) => !booted.has(rule));

testRules('image', rules, [
  { rule: 'image-architecture', outcome: 'pass', given: 'a 64-bit system', facts: imageFacts() },
  {
    rule: 'image-architecture',
    outcome: 'fail',
    given: 'a 32-bit system',
    facts: imageFacts({ architecture: known('i386', at) }),
  },
  {
    rule: 'image-boot-mode',
    outcome: 'pass',
    given: 'code in the first sector',
    facts: imageFacts(),
    says: /by BIOS/,
  },
  {
    rule: 'image-boot-mode',
    outcome: 'pass',
    given: 'a default loader of UEFI only',
    facts: imageFacts({
      boot: boot({ biosLoader: known(false, at), efiLoader: known('/EFI/BOOT/BOOTX64.EFI', at) }),
    }),
    says: /boot-mode uefi/,
  },
  {
    rule: 'image-boot-mode',
    outcome: 'fail',
    given: 'neither',
    facts: imageFacts({ boot: boot({ biosLoader: known(false, at) }) }),
  },
  {
    rule: 'image-boot-mode',
    outcome: 'fail',
    given: 'an ARM image that a BIOS would start',
    facts: imageFacts({ architecture: known('arm64', at) }),
    mend: /arm64-efi/,
  },
  {
    rule: 'image-boot-mode',
    outcome: 'fail',
    given: 'an ARM image with the loader of x86',
    facts: imageFacts({
      architecture: known('arm64', at),
      boot: boot({ efiLoader: known('/EFI/BOOT/BOOTX64.EFI', at) }),
    }),
  },
  {
    rule: 'image-boot-mode',
    outcome: 'notApplicable',
    given: 'a directory',
    facts: imageFacts({ disk: null }),
  },
  { rule: 'image-kernel-present', outcome: 'pass', given: 'a kernel', facts: imageFacts() },
  {
    rule: 'image-kernel-present',
    outcome: 'fail',
    given: 'no kernel',
    facts: imageFacts({ kernels: known([], at) }),
  },
  {
    rule: 'image-kernel-present',
    outcome: 'fail',
    given: 'modules without a kernel',
    facts: withDrivers({}, { image: known(null, at) }),
    says: /modules, and no kernel/,
  },
  { rule: 'image-root-argument', outcome: 'pass', given: 'root=UUID', facts: imageFacts() },
  {
    rule: 'image-root-argument',
    outcome: 'fail',
    given: "a root by Xen's name",
    facts: line('ro root=/dev/xvda1'),
    mend: /root=UUID=abc-1/,
  },
  {
    rule: 'image-root-argument',
    outcome: 'pass',
    given: 'a root on LVM',
    facts: line('root=/dev/mapper/vg-root'),
  },
  {
    rule: 'image-root-argument',
    outcome: 'unknown',
    given: 'no boot loader that is known',
    facts: imageFacts({
      boot: boot({ commandLines: unread('no configuration of a boot loader was found') }),
    }),
  },
  { rule: 'image-fstab-names', outcome: 'pass', given: 'mounts by UUID', facts: imageFacts() },
  {
    rule: 'image-fstab-names',
    outcome: 'fail',
    given: 'a root by name',
    facts: imageFacts({ fstab: known([mount('/dev/sda1')], at) }),
    mend: /UUID=abc-1/,
  },
  {
    rule: 'image-fstab-names',
    outcome: 'pass',
    given: 'a disk by name that need not be there',
    facts: imageFacts({ fstab: known([mount('/dev/xvdb', ['defaults', 'nofail'])], at) }),
  },
  {
    rule: 'image-fstab-names',
    outcome: 'unknown',
    given: 'an fstab that cannot be read',
    facts: imageFacts({ fstab: nothing }),
  },
  { rule: 'image-nvme-timeout', outcome: 'pass', given: 'a time-out', facts: imageFacts() },
  { rule: 'image-nvme-timeout', outcome: 'fail', given: 'none', facts: line('root=UUID=1') },
  { rule: 'image-serial-console', outcome: 'pass', given: 'a serial console', facts: imageFacts() },
  {
    rule: 'image-serial-console',
    outcome: 'fail',
    given: 'no serial console on Red Hat',
    facts: { ...line('root=UUID=1 quiet'), release: family('redhat') },
    mend: /grubby .*console=ttyS0/,
  },
  {
    rule: 'image-ena-driver',
    outcome: 'pass',
    given: 'a module',
    facts: imageFacts(),
    says: /module/,
  },
  {
    rule: 'image-ena-driver',
    outcome: 'pass',
    given: 'a built-in driver',
    facts: withDrivers({ ena: builtIn }),
  },
  {
    rule: 'image-ena-driver',
    outcome: 'fail',
    given: 'none',
    facts: { ...withDrivers({ ena: absent }), release: family('redhat') },
    mend: /dnf install kernel/,
  },
  {
    rule: 'image-ena-driver',
    outcome: 'unknown',
    given: 'a damaged directory',
    facts: withDrivers({ ena: nothing }),
  },
  {
    rule: 'image-ena-driver',
    outcome: 'pass',
    given: 'a FreeBSD that loads it',
    facts: freebsd(true),
  },
  {
    rule: 'image-ena-driver',
    outcome: 'fail',
    given: 'a FreeBSD that has it and does not load it',
    facts: freebsd(false),
    mend: /if_ena_load=YES/,
  },
  { rule: 'image-nvme-driver', outcome: 'pass', given: 'a module', facts: imageFacts() },
  {
    rule: 'image-nvme-driver',
    outcome: 'fail',
    given: 'none',
    facts: withDrivers({ nvme: absent }),
  },
  {
    rule: 'image-nvme-in-initramfs',
    outcome: 'pass',
    given: 'an initramfs with it',
    facts: imageFacts(),
  },
  {
    rule: 'image-nvme-in-initramfs',
    outcome: 'pass',
    given: 'a built-in driver and no initramfs',
    facts: withDrivers({ nvme: builtIn }, { initramfs: known(null, at) }),
  },
  {
    rule: 'image-nvme-in-initramfs',
    outcome: 'fail',
    given: 'an initramfs of dracut without it',
    facts: withDrivers({}, { initramfs: initramfs({ drivers: ['ena'], maker: 'dracut' }) }),
    mend: /dracut --force --add-drivers nvme/,
  },
  {
    rule: 'image-nvme-in-initramfs',
    outcome: 'fail',
    given: 'a module and no initramfs on Alpine',
    facts: { ...withDrivers({}, { initramfs: known(null, at) }), release: family('alpine') },
    mend: /mkinitfs/,
  },
  {
    rule: 'image-nvme-in-initramfs',
    outcome: 'unknown',
    given: 'an initramfs of which a part was not read',
    facts: withDrivers({}, { initramfs: initramfs({ drivers: [], unreadPart: 'it is cut off' }) }),
    says: /read in part: it is cut off/,
  },
  { rule: 'image-driver-indexed', outcome: 'pass', given: 'listed modules', facts: imageFacts() },
  {
    rule: 'image-driver-indexed',
    outcome: 'fail',
    given: 'a module that depmod has not seen',
    facts: withDrivers({ ena: module('ena', { indexed: false }) }),
    mend: /depmod 6\.12\.1-amd64/,
  },
  {
    rule: 'image-driver-not-blacklisted',
    outcome: 'pass',
    given: 'nothing forbidden',
    facts: imageFacts(),
  },
  {
    rule: 'image-driver-not-blacklisted',
    outcome: 'fail',
    given: 'a line in modprobe.d',
    facts: withDrivers({
      ena: module('ena', { blacklisted: { file: '/etc/modprobe.d/x.conf', line: 2 } }),
    }),
    mend: /modprobe\.d\/x\.conf/,
  },
  {
    rule: 'image-driver-not-blacklisted',
    outcome: 'fail',
    given: 'a list on the command line',
    facts: line('root=UUID=1 modprobe.blacklist=pcspkr,nvme'),
    mend: /modprobe\.blacklist=/,
  },
  {
    rule: 'image-driver-of-this-kernel',
    outcome: 'pass',
    given: "the kernel's modules",
    facts: imageFacts(),
  },
  {
    rule: 'image-driver-of-this-kernel',
    outcome: 'fail',
    given: 'a module of another kernel',
    facts: withDrivers({ ena: module('ena', { vermagic: '5.10.0-1-amd64 SMP ' }) }),
    mend: /dkms/,
  },
  {
    rule: 'image-driver-of-this-kernel',
    outcome: 'pass',
    given: 'a weak module of Red Hat',
    facts: withDrivers({
      ena: module('ena', {
        vermagic: '5.14.0-1 SMP modversions ',
        path: '/lib/modules/x/weak-updates/ena.ko',
      }),
    }),
  },
  {
    rule: 'image-driver-of-this-kernel',
    outcome: 'unknown',
    given: 'a module that says nothing',
    facts: withDrivers({ ena: module('ena', { vermagic: null }) }),
  },
  { rule: 'image-ixgbevf-driver', outcome: 'pass', given: 'a module', facts: imageFacts() },
  {
    rule: 'image-ixgbevf-driver',
    outcome: 'fail',
    given: 'none',
    facts: withDrivers({ ixgbevf: absent }),
  },
  { rule: 'image-other-kernels', outcome: 'pass', given: 'another good kernel', facts: other({}) },
  {
    rule: 'image-other-kernels',
    outcome: 'fail',
    given: 'another kernel without ENA',
    facts: other({ ena: absent }),
    says: /no ena/,
  },
  { rule: 'image-ena-version', outcome: 'pass', given: 'the driver of Linux', facts: imageFacts() },
  {
    rule: 'image-ena-version',
    outcome: 'pass',
    given: 'a new driver from elsewhere',
    facts: withDrivers({ ena: module('ena', { version: '2.13.3g' }) }),
  },
  {
    rule: 'image-ena-version',
    outcome: 'fail',
    given: 'an old driver from elsewhere',
    facts: withDrivers({ ena: module('ena', { version: '2.2.9g' }) }),
    says: /allowance counters .* \(2\.2\.10\)/,
  },
  {
    rule: 'image-ena-version',
    outcome: 'fail',
    given: 'the driver of an old Linux',
    facts: imageFacts({
      kernels: known([kernel({}, { release: '4.19.0-6-amd64' })], at),
      defaultKernel: known('4.19.0-6-amd64', at),
    }),
  },
  {
    rule: 'image-ixgbevf-version',
    outcome: 'pass',
    given: 'the driver of Linux',
    facts: imageFacts(),
  },
  {
    rule: 'image-ixgbevf-version',
    outcome: 'pass',
    given: "the driver of an older Linux, which has Linux's own version",
    facts: withDrivers({ ixgbevf: module('ixgbevf', { version: '2.12.1-k' }) }),
  },
  {
    rule: 'image-ixgbevf-version',
    outcome: 'fail',
    given: 'an old one of Intel',
    facts: withDrivers({ ixgbevf: module('ixgbevf', { version: '2.11.3' }) }),
  },
  { rule: 'image-network-dhcp', outcome: 'pass', given: 'cloud-init', facts: imageFacts() },
  {
    rule: 'image-network-dhcp',
    outcome: 'pass',
    given: 'a pattern that fits',
    facts: net({ cloudInit: noCloud, configurations: asks('en*') }),
  },
  {
    rule: 'image-network-dhcp',
    outcome: 'pass',
    given: "eth0 where the kernel's names are kept",
    facts: net({ cloudInit: noCloud, configurations: asks('eth0'), kernelNames: known(true, at) }),
  },
  {
    rule: 'image-network-dhcp',
    outcome: 'pass',
    given: 'eth0 and net.ifnames=0',
    facts: {
      ...line('root=UUID=1 net.ifnames=0'),
      network: network({ cloudInit: noCloud, configurations: asks('eth0') }),
    },
  },
  {
    rule: 'image-network-dhcp',
    outcome: 'fail',
    given: 'eth0 where interfaces are renamed',
    facts: net({ cloudInit: noCloud, configurations: asks('eth0') }),
    says: /will be called ens5/,
  },
  {
    rule: 'image-network-dhcp',
    outcome: 'fail',
    given: 'nothing that asks',
    facts: net({ cloudInit: noCloud }),
  },
  {
    rule: 'image-network-dhcp',
    outcome: 'fail',
    given: 'a cloud-init that leaves the network alone',
    facts: net({
      cloudInit: known({ enabled: true, networkDisabled: true, datasources: null, at }, at),
    }),
  },
  {
    rule: 'image-network-dhcp',
    outcome: 'unknown',
    given: 'settings that cannot be read',
    facts: net({ cloudInit: nothing, configurations: nothing }),
  },
  { rule: 'image-no-pinned-names', outcome: 'pass', given: 'no such rule', facts: imageFacts() },
  {
    rule: 'image-no-pinned-names',
    outcome: 'fail',
    given: 'a rule of another machine',
    facts: net({
      pinnedNames: known(
        [
          {
            name: 'eth0',
            mac: '02:00:00:00:00:01',
            at: { file: '/etc/udev/rules.d/70-persistent-net.rules' },
          },
        ],
        at,
      ),
    }),
    mend: /rm .*70-persistent-net\.rules/,
  },
  { rule: 'image-network-any-address', outcome: 'pass', given: 'no MAC', facts: imageFacts() },
  {
    rule: 'image-network-any-address',
    outcome: 'fail',
    given: 'a netplan of another machine',
    facts: net({ configurations: asks('eth0', { mac: '02:00:00:00:00:01' }) }),
  },
  { rule: 'image-cloud-init-ec2', outcome: 'pass', given: 'Ec2 in the list', facts: imageFacts() },
  {
    rule: 'image-cloud-init-ec2',
    outcome: 'fail',
    given: 'NoCloud only',
    facts: net({
      cloudInit: known({ enabled: true, networkDisabled: false, datasources: ['NoCloud'], at }, at),
    }),
  },
  {
    rule: 'image-efa-driver',
    outcome: 'pass',
    given: 'a module',
    facts: withDrivers({ efa: module('efa') }),
  },
  { rule: 'image-efa-driver', outcome: 'fail', given: 'none', facts: imageFacts() },
  {
    rule: 'image-efa-stack',
    outcome: 'pass',
    given: 'all of it',
    facts: {
      ...withDrivers({ efa: module('efa') }),
      efa: efa({
        libibverbs: known('/usr/lib64/libibverbs.so.1', at),
        libefa: known('/usr/lib64/libefa.so.1', at),
        libfabric: known('/opt/amazon/efa/lib64/libfabric.so.1', at),
      }),
    },
  },
  {
    rule: 'image-efa-stack',
    outcome: 'fail',
    given: 'what is left of an installer',
    facts: imageFacts({ efa: efa({ installer: known('/opt/amazon/efa', at) }) }),
    says: /the driver, libibverbs, libefa, libfabric missing/,
  },
  {
    rule: 'image-efa-stack',
    outcome: 'notApplicable',
    given: 'nothing of it',
    facts: imageFacts(),
  },
]);
