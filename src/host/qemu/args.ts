/**
 * The argument list of a guest's QEMU, from a plain description: a q35 machine whose memory is a
 * shared memfd (a vfio-user server maps it), one PCI Express root port per NIC, and a control
 * channel. Nothing here touches the machine. Follows qemu(1) of QEMU 10.1 and later.
 */

import { type Ec2Machine, smbiosArguments } from './smbios.ts';

export type Accelerator = 'kvm' | 'tcg';

/** A NIC that a vfio-user server serves. */
export interface VfioUserNic {
  kind: 'vfio-user';
  /** Path of the server's UNIX socket; somebody listens there before the VM starts. */
  socket: string;
}

/** A NIC that QEMU emulates itself, joined to its peer by a UNIX socket. */
export interface NetdevNic {
  kind: 'netdev';
  model: 'e1000e' | 'igb' | 'virtio-net-pci';
  mac: string;
  /** One end listens (`server`), the other connects, and retries until it can. */
  link: {
    path: string;
    server: boolean;
    /** A datagram per frame, instead of a stream; each end has a path of its own. */
    datagrams?: boolean;
  };
  /** Further properties of the device, as QEMU names them. */
  properties?: Readonly<Record<string, string | number | boolean>>;
}

export type NicSpec = VfioUserNic | NetdevNic;

/** What the machine boots. */
export type BootSpec =
  | { kind: 'kernel'; kernel: string; initramfs?: string; commandLine: string; disks?: DiskSpec[] }
  | { kind: 'disk'; disks: DiskSpec[] };

export interface DiskSpec {
  path: string;
  format: 'raw' | 'qcow2' | 'vmdk' | 'vpc';
  /** What it is attached to; virtio if absent. Nitro instances have NVMe. */
  bus?: 'virtio' | 'nvme';
  /** Writes go nowhere near the file: to a temporary overlay, which QEMU deletes. */
  mode: 'snapshot' | 'read-only';
}

export interface MachineSpec {
  name: string;
  accelerator: Accelerator;
  memoryMb: number;
  cpus: number;
  boot: BootSpec;
  /** NICs that are there from the start, each below the root port of its index. */
  nics: readonly NicSpec[];
  /** Empty root ports, after those of `nics`. */
  hotplugPorts: number;
  /** Slot of the first NIC, by which systemd names it: ens1 and so on; 1 if absent. */
  firstSlot?: number;
  /** Descriptors of the process that are connected sockets (so that no socket has a path). */
  qmpFd: number;
  agentFd: number;
  console: { kind: 'fd'; fd: number } | { kind: 'socket' | 'file'; path: string };
  /** CPU model, where the choice for the accelerator will not do. */
  cpuModel?: string;
  /** UEFI instead of a BIOS: its code, and variables to begin with; both stay as they are. */
  firmware?: { code: string; variables: string };
  /** The firmware says that the machine is this instance. */
  ec2?: Ec2Machine;
}

export const AGENT_PORT = 'virtfn.agent';

/** Id of the root port with this index; NIC n of `nics` sits in port n. */
export function portId(index: number): string {
  return `port${index}`;
}

export function nicId(index: number): string {
  return `nic${index}`;
}

/** The whole list; NIC ids are `nic0`, `nic1`, ... */
export function machineArguments(spec: MachineSpec): string[] {
  const ports = spec.nics.length + spec.hotplugPorts;
  return [
    ...['-name', `${spec.name},debug-threads=on`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-vga', 'none'],
    ...['-machine', 'q35,memory-backend=mem,smm=off,vmport=off,hpet=off,usb=off'],
    ...acceleration(spec),
    ...['-smp', String(spec.cpus), '-m', `${spec.memoryMb}M`],
    ...(spec.firmware === undefined ? [] : firmwareArguments(spec.firmware)),
    ...(spec.ec2 === undefined ? [] : smbiosArguments(spec.ec2)),
    ...json('-object', {
      'qom-type': 'memory-backend-memfd',
      id: 'mem',
      size: spec.memoryMb * 2 ** 20,
      share: true,
    }),
    ...channel('qmp', { kind: 'fd', fd: spec.qmpFd }),
    ...['-qmp', 'chardev:qmp'],
    ...channel('console', spec.console),
    ...['-serial', 'chardev:console'],
    ...channel('agent', { kind: 'fd', fd: spec.agentFd }),
    ...json('-device', { driver: 'virtio-serial-pci', id: 'serial', max_ports: 2 }),
    ...json('-device', { driver: 'virtserialport', chardev: 'agent', name: AGENT_PORT }),
    ...bootArguments(spec.boot),
    ...range(ports).flatMap((index) =>
      json('-device', rootPort(index, index >= spec.nics.length, spec.firstSlot ?? 1)),
    ),
    ...spec.nics.flatMap((nic, index) => nicArguments(nic, nicId(index), portId(index))),
  ];
}

/** The backend of a NIC, for `-netdev` and QMP's netdev_add; a vfio-user NIC has none. */
export function netdevOf(nic: NicSpec, id: string): Record<string, unknown> | undefined {
  if (nic.kind === 'vfio-user') return undefined;
  const { path, server, datagrams } = nic.link;
  if (datagrams === true) {
    const end = (isServer: boolean) => ({ type: 'unix', path: `${path}.${isServer ? 0 : 1}` });
    return { type: 'dgram', id: `${id}-link`, local: end(server), remote: end(!server) };
  }
  return {
    type: 'stream',
    id: `${id}-link`,
    server,
    addr: { type: 'unix', path },
    ...(server ? {} : { 'reconnect-ms': 200 }),
  };
}

/** The device of a NIC, for `-device` and QMP's device_add. */
export function deviceOf(nic: NicSpec, id: string, bus: string): Record<string, unknown> {
  if (nic.kind === 'vfio-user')
    return { driver: 'vfio-user-pci', id, bus, socket: { type: 'unix', path: nic.socket } };
  return {
    driver: nic.model,
    id,
    bus,
    netdev: `${id}-link`,
    mac: nic.mac,
    romfile: '',
    ...nic.properties,
  };
}

function nicArguments(nic: NicSpec, id: string, bus: string): string[] {
  const netdev = netdevOf(nic, id);
  return [
    ...(netdev === undefined ? [] : json('-netdev', netdev)),
    ...json('-device', deviceOf(nic, id, bus)),
  ];
}

/**
 * What an empty port keeps free for the BARs of a function to come, which the firmware cannot see:
 * without, it is 2 MiB. The largest function has 32 low-latency queues of 256 KiB, and registers.
 */
const HOTPLUG_RESERVE = 16 * 2 ** 20;

function rootPort(index: number, isEmpty: boolean, firstSlot: number): Record<string, unknown> {
  return {
    driver: 'pcie-root-port',
    id: portId(index),
    chassis: index + 1,
    slot: index + firstSlot,
    bus: 'pcie.0',
    ...(isEmpty && { 'mem-reserve': HOTPLUG_RESERVE }),
  };
}

/**
 * Measured with iperf3 between two guests: twice the throughput of `max`, whose "fast" string
 * copies (erms) are the slowest of all under emulation.
 */
const TCG_CPU = 'Nehalem,+rdrand';

function acceleration(spec: MachineSpec): string[] {
  const kvm = spec.accelerator === 'kvm';
  return [
    ...['-accel', kvm ? 'kvm' : 'tcg,thread=multi'],
    ...['-cpu', spec.cpuModel ?? (kvm ? 'host' : TCG_CPU)],
  ];
}

/** A character device; option lists write a comma in a value as two. */
function channel(id: string, to: MachineSpec['console']): string[] {
  switch (to.kind) {
    case 'fd':
      return ['-chardev', `socket,id=${id},fd=${to.fd}`];
    case 'file':
      return ['-chardev', `file,id=${id},path=${escapeCommas(to.path)}`];
    case 'socket':
      return ['-chardev', `socket,id=${id},path=${escapeCommas(to.path)},server=on,wait=off`];
  }
}

function bootArguments(boot: BootSpec): string[] {
  const disks = (boot.disks ?? []).flatMap((disk, index) => diskArguments(disk, index));
  if (boot.kind === 'disk') return disks;
  return [
    ...['-kernel', boot.kernel, '-append', boot.commandLine],
    ...(boot.initramfs === undefined ? [] : ['-initrd', boot.initramfs]),
    ...disks,
  ];
}

function diskArguments(disk: DiskSpec, index: number): string[] {
  const mode = disk.mode === 'snapshot' ? 'snapshot=on' : 'readonly=on';
  return [
    '-drive',
    `if=none,id=disk${index},format=${disk.format},${mode},file=${escapeCommas(disk.path)}`,
    ...json('-device', {
      ...(disk.bus === 'nvme' ? nvme(index) : { driver: 'virtio-blk-pci', id: `blk${index}` }),
      drive: `disk${index}`,
      bootindex: index,
    }),
  ];
}

function firmwareArguments({ code, variables }: { code: string; variables: string }): string[] {
  const flash = (unit: number, mode: string, path: string): string[] => [
    '-drive',
    `if=pflash,unit=${unit},format=raw,${mode},file=${escapeCommas(path)}`,
  ];
  return [...flash(0, 'readonly=on', code), ...flash(1, 'snapshot=on', variables)];
}

/** As EBS volumes appear, whose serial number is the volume's id: EC2 User Guide, "EBS and NVMe". */
function nvme(index: number): Record<string, unknown> {
  return { driver: 'nvme', id: `nvme${index}`, serial: `vol0000000000000000${index}` };
}

function escapeCommas(path: string): string {
  return path.replaceAll(',', ',,');
}

function json(option: string, value: Record<string, unknown>): string[] {
  return [option, JSON.stringify(value)];
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
