/**
 * Which packages of which distribution make up what a lab needs: a table. A recipe that nobody
 * has seen work says so, and so do the messages about it.
 */

import type { ArchiveHints } from './apt-sources.ts';

/** One group of packages which is unpacked together into one private root. */
export interface PackageSet {
  /** Names to install, as given to apt. */
  packages: readonly string[];
  /** Suite that is preferred for them, where it is not the first one. */
  release?: string;
  /** Of all that they depend on, only the packages whose name matches. */
  only?: RegExp;
  /** What is below /usr/share/doc is wanted too. */
  keepsDocs?: true;
  /** A path pattern below the root that must be there afterwards. */
  proof: RegExp;
}

export interface Recipe {
  /** ID of os-release(5), of the machine's system or one it is like. */
  distribution: string;
  seenToWork: boolean;
  archive: ArchiveHints;
  suites: readonly string[];
  /** Left out when the archive has them not. */
  optionalSuites: readonly string[];
  components: readonly string[];
  sets: {
    qemu: PackageSet;
    /** What runs inside the guest, with the libraries. */
    guest: PackageSet;
    /** The way out of a VPC for machines without privileges. */
    passt: PackageSet;
    /** Switches and drivers that the bench compares with. */
    peers: PackageSet;
    /** What a cloud's image has, to be run on our own kernel; for tests. */
    cloudInit: PackageSet;
    /** What reads a disk image without mounting or booting it: `virtfn check image`. */
    image: PackageSet;
    /** Firmware for machines that start by UEFI. */
    uefi: PackageSet;
    /** What makes disk images without privileges; for tests. */
    imageMakers: PackageSet;
    /** By kernel series, as in `--kernel 6.12`. */
    kernels: Readonly<Record<string, PackageSet>>;
    /** Verbs, libfabric, MPI and their measuring tools, for guests with an EFA. */
    rdma: PackageSet;
    /**
     * By series: a kernel together with its headers, its source and what compiles a module against
     * them. One set, so that their versions agree.
     */
    buildKernels: Readonly<Record<string, PackageSet>>;
  };
}

const QEMU = { packages: ['qemu-system-x86'], proof: /^usr\/bin\/qemu-system-x86_64$/ };
const GUEST = {
  packages: [
    ...['busybox-static', 'iperf3', 'ethtool', 'iputils-ping', 'iproute2', 'tcpdump'],
    // busybox's own shell, setsid and timeout run its applets even where the real ping is on PATH
    ...['dash', 'coreutils', 'util-linux'],
    // kernels and modules are compressed by these, and the machine may have none of its own
    ...['xz-utils', 'zstd'],
  ],
  proof: /^usr\/bin\/iperf3$/,
};
const PASST = { packages: ['passt'], proof: /^usr\/bin\/passt$/ };
const CLOUD_INIT = {
  packages: [
    ...['cloud-init', 'python3', 'dash', 'bash', 'coreutils', 'util-linux', 'mount', 'procps'],
    ...['grep', 'sed', 'gawk', 'findutils', 'hostname', 'iproute2', 'ifupdown', 'passwd', 'login'],
    ...['sudo', 'base-files', 'base-passwd', 'libc-bin', 'openssh-client', 'tzdata'],
  ],
  proof: /^usr\/bin\/cloud-init$/,
};
const IMAGE = {
  packages: ['grub-common', 'qemu-utils', 'xz-utils', 'zstd', 'lz4', 'bzip2'],
  proof: /^usr\/bin\/grub-fstest$/,
};
const UEFI = { packages: ['ovmf'], proof: /^usr\/share\/OVMF\/OVMF_CODE_4M\.fd$/ };
const IMAGE_MAKERS = {
  packages: [
    ...['e2fsprogs', 'xfsprogs', 'btrfs-progs', 'dosfstools', 'mtools', 'tar', 'fdisk'],
    ...[
      'qemu-utils',
      'grub-common',
      'grub-pc-bin',
      'grub-efi-amd64-bin',
      'xz-utils',
      'zstd',
      'lz4',
      'bzip2',
    ],
  ],
  proof: /^usr\/sbin\/mkfs\.xfs$/,
};
const KERNEL = {
  only: /^linux-(image|binary|modules)(-unsigned|-extra)?-\d/,
  proof: /^(boot|usr\/lib\/modules\/[^/]+)\/vmlinuz/,
};
const RDMA = {
  packages: [
    ...['rdma-core', 'ibverbs-utils', 'ibverbs-providers', 'perftest', 'libfabric-bin'],
    ...['openmpi-bin', 'strace', 'openssh-client'],
    // rdma-core's own tests are among the documents of this one
    'python3-pyverbs',
  ],
  keepsDocs: true,
  proof: /^usr\/bin\/fi_pingpong$/,
} as const;
const PEERS = {
  packages: [
    ...['openvswitch-switch', 'openvswitch-switch-dpdk', 'dpdk-dev'],
    ...['librte-mempool-ring25', 'librte-net-memif25', 'librte-net-null25', 'librte-net-pcap25'],
    ...['nftables', 'iproute2'],
  ],
  // dpdk-dev depends on all that is needed to compile
  only: /^(openvswitch-(common|switch|switch-dpdk)|dpdk-dev|ibverbs-providers|nftables|iproute2|lib(?!python|perl|stdc\+\+-).*(?<!-dev))$/,
  proof: /^usr\/bin\/dpdk-testpmd$/,
};
const BUILD_KERNEL = {
  packages: [
    ...['linux-image-amd64', 'linux-headers-amd64', 'linux-source'],
    ...['make', 'gcc', 'libc6-dev', 'libopenmpi-dev', 'xz-utils', 'zstd', 'tar'],
    ...['dash', 'bash', 'coreutils', 'findutils', 'diffutils', 'grep', 'sed', 'mawk'],
  ],
  proof: /^usr\/src\/linux-source-[^/]+\.tar/,
};

const DEBIAN: Recipe = {
  distribution: 'debian',
  seenToWork: true,
  archive: {
    segment: 'debian',
    suites: [
      ...['bullseye', 'bookworm', 'trixie', 'forky', 'duke', 'sid'],
      ...['oldoldstable', 'oldstable', 'stable', 'testing', 'unstable'],
    ],
    keyring: 'debian-archive',
  },
  suites: ['trixie', 'trixie-backports'],
  optionalSuites: ['trixie-updates'],
  components: ['main'],
  sets: {
    qemu: { ...QEMU, release: 'trixie-backports' },
    guest: GUEST,
    passt: PASST,
    peers: PEERS,
    cloudInit: CLOUD_INIT,
    image: IMAGE,
    uefi: UEFI,
    imageMakers: IMAGE_MAKERS,
    kernels: {
      '6.12': { ...KERNEL, packages: ['linux-image-amd64'] },
      '7': { ...KERNEL, packages: ['linux-image-amd64'], release: 'trixie-backports' },
    },
    rdma: RDMA,
    buildKernels: {
      '6.12': BUILD_KERNEL,
      '7': { ...BUILD_KERNEL, release: 'trixie-backports' },
    },
  },
};

const UBUNTU: Recipe = {
  distribution: 'ubuntu',
  seenToWork: false,
  archive: {
    segment: 'ubuntu',
    suites: ['jammy', 'noble', 'plucky', 'questing', 'resolute', 'devel'],
    keyring: 'ubuntu-archive',
  },
  suites: ['resolute', 'noble'],
  optionalSuites: ['resolute-updates', 'noble-updates'],
  components: ['main', 'universe'],
  sets: {
    qemu: { ...QEMU, release: 'resolute' },
    guest: { ...GUEST, release: 'resolute' },
    passt: { ...PASST, release: 'resolute' },
    peers: { ...PEERS, release: 'resolute' },
    cloudInit: { ...CLOUD_INIT, release: 'resolute' },
    image: { ...IMAGE, release: 'resolute' },
    uefi: { ...UEFI, release: 'resolute' },
    imageMakers: { ...IMAGE_MAKERS, release: 'resolute' },
    kernels: {
      '6.8': { ...KERNEL, packages: ['linux-image-generic'], release: 'noble' },
      '7': { ...KERNEL, packages: ['linux-image-generic'], release: 'resolute' },
    },
    rdma: { ...RDMA, release: 'resolute' },
    buildKernels: {},
  },
};

export const RECIPES: readonly Recipe[] = [DEBIAN, UBUNTU];
