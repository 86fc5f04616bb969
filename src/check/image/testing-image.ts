/** For tests: facts of an image that is well, to be changed by each case. */
import { type Fact, known } from '../fact.ts';
import type {
  BootedCard,
  BootFacts,
  DriverFacts,
  DriverName,
  EfaStack,
  ImageFacts,
  InitramfsFacts,
  KernelFacts,
  MountFacts,
  NetworkConfiguration,
  NetworkFacts,
} from './facts.ts';

const at = { file: '/test' };
export const RELEASE = '6.12.1-amd64';

export const module = (name: string, change: Partial<DriverFacts> = {}): Fact<DriverFacts> =>
  known(
    {
      form: 'module',
      path: `/lib/modules/${RELEASE}/kernel/${name}.ko`,
      version: null,
      vermagic: `${RELEASE} SMP mod_unload modversions `,
      indexed: true,
      blacklisted: null,
      ...change,
    },
    at,
  );

export const builtIn: Fact<DriverFacts> = known(
  { form: 'builtIn', path: null, version: null, vermagic: null, indexed: false, blacklisted: null },
  at,
);
export const absent: Fact<DriverFacts> = known(
  { form: 'absent', path: null, version: null, vermagic: null, indexed: false, blacklisted: null },
  at,
);

export const initramfs = (change: Partial<InitramfsFacts> = {}): Fact<InitramfsFacts | null> =>
  known(
    {
      path: `/boot/initrd.img-${RELEASE}`,
      maker: 'initramfs-tools',
      drivers: ['ena', 'nvme'],
      unreadPart: null,
      ...change,
    },
    at,
  );

export const kernel = (
  drivers: Partial<Record<DriverName, Fact<DriverFacts>>> = {},
  change: Partial<KernelFacts> = {},
): KernelFacts => ({
  release: RELEASE,
  image: known(`/boot/vmlinuz-${RELEASE}`, at),
  drivers: {
    ena: module('ena'),
    ixgbevf: module('ixgbevf'),
    efa: absent,
    nvme: module('nvme'),
    ib_uverbs: module('ib_uverbs'),
    xen_blkfront: builtIn,
    xen_netfront: builtIn,
    ...drivers,
  },
  initramfs: initramfs(),
  ...change,
});

export const commandLine = (text: string): BootFacts['commandLines'] =>
  known([{ text, release: RELEASE, at: { file: '/boot/grub/grub.cfg', line: 3 } }], at);

export const mount = (device: string, options: string[] = ['defaults']): MountFacts => ({
  device,
  mountPoint: '/',
  type: 'ext4',
  options,
  at: { file: '/etc/fstab', line: 1 },
});

export const asks = (pattern: string | null, change: Partial<NetworkConfiguration> = {}) =>
  known([{ by: 'netplan' as const, interface: pattern, mac: null, dhcp: true, at, ...change }], at);

export const network = (change: Partial<NetworkFacts> = {}): NetworkFacts => ({
  pinnedNames: known([], at),
  configurations: known([], at),
  cloudInit: known({ enabled: true, networkDisabled: false, datasources: ['Ec2'], at }, at),
  kernelNames: known(false, at),
  ...change,
});

export const boot = (change: Partial<BootFacts> = {}): BootFacts => ({
  efiLoader: known(null, at),
  biosLoader: known(true, at),
  loaders: ['GRUB'],
  commandLines: commandLine('root=UUID=1 console=ttyS0 nvme_core.io_timeout=4294967295'),
  ...change,
});

export const efa = (change: Partial<EfaStack> = {}): EfaStack => ({
  libibverbs: known(null, at),
  libefa: known(null, at),
  libfabric: known(null, at),
  installer: known(null, at),
  ...change,
});

export const imageFacts = (change: Partial<ImageFacts> = {}): ImageFacts => ({
  source: { path: 'disk.raw', format: 'raw', sizeBytes: 2 ** 30, compressed: false },
  disk: known({ sizeBytes: 2 ** 30, table: 'gpt', bootCode: true, partitions: [] }, at),
  fileSystems: [{ device: 'gpt1', type: 'ext', uuid: 'abc-1', label: null, mountedAt: ['/'] }],
  system: 'linux',
  release: known({ id: 'debian', like: [], version: '13', name: 'Debian', family: 'debian' }, at),
  architecture: known('x86_64', at),
  kernels: known([kernel()], at),
  defaultKernel: known(RELEASE, at),
  boot: boot(),
  network: network(),
  fstab: known([mount('UUID=abc-1')], at),
  efa: efa(),
  drivers: known([], at),
  ...change,
});

/** With one kernel whose drivers are these. */
export const withDrivers = (
  drivers: Partial<Record<DriverName, Fact<DriverFacts>>>,
  change: Partial<KernelFacts> = {},
): ImageFacts => imageFacts({ kernels: known([kernel(drivers, change)], at) });

/** Booted on an ENA, with all well unless changed. */
export const booted = (
  change: Partial<BootedCard> = {},
  image: ImageFacts = imageFacts(),
): ImageFacts => ({
  ...image,
  boots: [
    {
      card: 'ena',
      seconds: 20,
      driver: known(true, at),
      asked: known(true, at),
      address: known('10.0.0.10', at),
      metadata: known(200, at),
      mtu: known(9001, at),
      console: ['login:'],
      ...change,
    },
  ],
});
