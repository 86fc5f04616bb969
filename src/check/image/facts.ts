/**
 * What is known of a disk image, as plain data: read from its files, without booting it. Rules see nothing
 * else. Paths are those inside the image.
 */
import type { Fact, Place } from '../fact.ts';

export type ImageFacts = {
  readonly source: ImageSource;
  /** null: a directory or an archive, which has no partitions. */
  readonly disk: Fact<DiskFacts> | null;
  /** What lies on it: a line for each file system that was found. */
  readonly fileSystems: readonly FileSystemFacts[];
  /** Whose root file system it is. */
  readonly system: System;
  readonly release: Fact<Release | null>;
  readonly architecture: Fact<Architecture>;
  /** Of a Linux. */
  readonly kernels: Fact<readonly KernelFacts[]>;
  /** Release of the kernel that its boot loader starts by itself; null: no boot loader says. */
  readonly defaultKernel: Fact<string | null>;
  readonly boot: BootFacts;
  readonly network: NetworkFacts;
  readonly fstab: Fact<readonly MountFacts[]>;
  readonly efa: EfaStack;
  /** Of a FreeBSD or Windows, whose drivers are files. */
  readonly drivers: Fact<readonly ForeignDriver[]>;
  /** What it did when it was booted on these cards; absent: it was not booted. */
  readonly boots?: readonly BootedCard[];
};

/** Seen from outside: by the card and by the network. */
export type BootedCard = {
  /** `ena`, `ena nitro-v5`, `82599vf`, `efa`. */
  readonly card: string;
  readonly seconds: number;
  /** A driver has talked to the card. */
  readonly driver: Fact<boolean>;
  /** It has asked by DHCP. */
  readonly asked: Fact<boolean>;
  /** The leased address, if it was seen to send from it. */
  readonly address: Fact<string | null>;
  /** Status of the metadata service's first answer; null: it was not asked. */
  readonly metadata: Fact<number | null>;
  /** That its TCP shows; null: it has not used TCP. */
  readonly mtu: Fact<number | null>;
  /** The end of its serial console. */
  readonly console: readonly string[];
};

export type ImageSource = {
  readonly path: string;
  readonly format: 'raw' | 'qcow2' | 'vmdk' | 'vpc' | 'directory' | 'tar';
  /** As the machine sees it; null: it has none. */
  readonly sizeBytes: number | null;
  /** The file was compressed as a whole, and read from a copy. */
  readonly compressed: boolean;
};

export type System = 'linux' | 'freebsd' | 'windows';
/** As EC2 calls them, and what it has not. */
export type Architecture = 'x86_64' | 'arm64' | 'i386' | 'other';

export type DiskFacts = {
  readonly sizeBytes: number;
  /** hybrid: a GPT with a master boot record that names partitions too; none: the disk is one file system. */
  readonly table: 'gpt' | 'mbr' | 'hybrid' | 'none';
  /** The first sector has code that a BIOS would run. */
  readonly bootCode: boolean;
  readonly partitions: readonly PartitionFacts[];
};

export type PartitionFacts = {
  /** `gpt1`, `msdos5`. */
  readonly name: string;
  readonly type: string;
  /** As in PARTUUID=. */
  readonly uuid: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly active: boolean;
};

export type FileSystemFacts = {
  /** `gpt1`, `lvm/vg-root`, `disk`. */
  readonly device: string;
  /** `ext`, `xfs`, `btrfs`, `fat`, ...; null: none that is known. */
  readonly type: string | null;
  readonly uuid: string | null;
  readonly label: string | null;
  /** Where it is mounted, as far as that is known. */
  readonly mountedAt: readonly string[];
};

export type Release = {
  /** ID of os-release(5): `debian`, `rhel`, `amzn`. */
  readonly id: string;
  readonly like: readonly string[];
  readonly version: string;
  readonly name: string;
  readonly family: Family;
};
/** Who packages it: that decides about files and commands. */
export type Family = 'debian' | 'redhat' | 'amazon' | 'suse' | 'alpine' | 'arch' | 'other';

export const driverNames = [
  ...(['ena', 'ixgbevf', 'efa', 'nvme', 'ib_uverbs'] as const),
  // Xen's disk and network, for the instance types before Nitro
  ...(['xen_blkfront', 'xen_netfront'] as const),
] as const;
export type DriverName = (typeof driverNames)[number];

export type KernelFacts = {
  /** `6.12.1-amd64`: the name of its directory in /lib/modules. */
  readonly release: string;
  /** Its image; null: there are modules, and nothing to boot. */
  readonly image: Fact<string | null>;
  readonly drivers: Readonly<Record<DriverName, Fact<DriverFacts>>>;
  /** null: none. */
  readonly initramfs: Fact<InitramfsFacts | null>;
};

export type DriverFacts = {
  readonly form: 'builtIn' | 'module' | 'absent';
  /** The file that modprobe takes; null where it is no module. */
  readonly path: string | null;
  /** What the module says of itself: `version` (only drivers from elsewhere have one) and `vermagic`. */
  readonly version: string | null;
  readonly vermagic: string | null;
  /** modules.dep lists it: without, modprobe and udev do not find it. */
  readonly indexed: boolean;
  /** The line that keeps it from being loaded. */
  readonly blacklisted: Place | null;
};

export type InitramfsFacts = {
  readonly path: string;
  /** Whose work it is. */
  readonly maker: 'dracut' | 'initramfs-tools' | 'mkinitcpio' | 'mkinitfs' | 'other';
  /** Of `driverNames`, those that are in it as modules. */
  readonly drivers: readonly DriverName[];
  /** Why a part of it was not read, after which nothing can be said to be missing; null: all was. */
  readonly unreadPart: string | null;
};

export type BootFacts = {
  /** What UEFI starts without knowing the machine: `/EFI/BOOT/BOOTX64.EFI` of the EFI system partition. */
  readonly efiLoader: Fact<string | null>;
  /** What a BIOS starts. */
  readonly biosLoader: Fact<boolean>;
  /** Which loader, in words: `GRUB`, `systemd-boot`. */
  readonly loaders: readonly string[];
  /** Of each entry that can be booted. */
  readonly commandLines: Fact<readonly CommandLine[]>;
};

export type CommandLine = {
  /** Without the kernel's path. */
  readonly text: string;
  /** Kernel release that it starts; null: it cannot be told. */
  readonly release: string | null;
  readonly at: Place;
};

export type NetworkFacts = {
  /** Lines of udev rules that name an interface by a MAC address. */
  readonly pinnedNames: Fact<readonly PinnedName[]>;
  /** What asks for an address, and for which interfaces. */
  readonly configurations: Fact<readonly NetworkConfiguration[]>;
  readonly cloudInit: Fact<CloudInit | null>;
  /** Interfaces keep the kernel's names (eth0) whatever the command line says: by a udev rule or no udev. */
  readonly kernelNames: Fact<boolean>;
};

export type PinnedName = { readonly name: string; readonly mac: string; readonly at: Place };

export type NetworkConfiguration = {
  readonly by: 'netplan' | 'ifupdown' | 'NetworkManager' | 'systemd-networkd' | 'ifcfg' | 'wicked';
  /** `eth0`, or a pattern with `*`; null: any. */
  readonly interface: string | null;
  readonly mac: string | null;
  readonly dhcp: boolean;
  readonly at: Place;
};

export type CloudInit = {
  readonly enabled: boolean;
  /** It is told to leave the network alone. */
  readonly networkDisabled: boolean;
  /** Where it looks for metadata, where that is written down; null: it tries all. */
  readonly datasources: readonly string[] | null;
  readonly at: Place;
};

export type MountFacts = {
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly at: Place;
};

/** What programs for EFA need beside the driver; a path each, null: absent. */
export type EfaStack = {
  readonly libibverbs: Fact<string | null>;
  readonly libefa: Fact<string | null>;
  readonly libfabric: Fact<string | null>;
  /** What is left of Amazon's installer: `/opt/amazon/efa`. */
  readonly installer: Fact<string | null>;
};

export type ForeignDriver = {
  readonly name: DriverName;
  /** `/boot/kernel/if_ena.ko`, `/Windows/System32/drivers/ena.sys`; null: absent. */
  readonly path: string | null;
  /** In the kernel itself, or loaded at boot as a file says; a module that nobody loads does nothing. */
  readonly starts: boolean;
};
