/**
 * A guest: a virtual machine with the agent in it. Starts it, waits until it answers, runs commands
 * in it, brings its interfaces up, plugs NICs, and ends it without a trace.
 */

import type { Accelerator, BootSpec, NicSpec } from '../qemu/args.ts';
import type { QemuBinary } from '../qemu/binary.ts';
import type { Ec2Machine } from '../qemu/smbios.ts';
import { type QemuVm, startQemu } from '../qemu/vm.ts';
import {
  type Agent,
  connectAgent,
  type ExecOptions,
  type ExecResult,
  GuestError,
} from './agent.ts';
import type { DiskImage } from './disk-image.ts';
import type { GuestImage } from './guest-image.ts';

export interface VmOptions {
  qemu: QemuBinary;
  accelerator: Accelerator;
  /** Host name of the guest, and its name in messages. */
  name: string;
  /** Our own guest, or somebody's disk (prepareDiskImage). */
  image: GuestImage | DiskImage;
  /** NICs that are there from the start: `nic0`, `nic1`, ... */
  nics?: readonly NicSpec[];
  /** Free slots for `plug`. Default 1. */
  hotplugPorts?: number;
  /** Default 512, for a disk 1024. */
  memoryMb?: number;
  /** Default 1. */
  cpus?: number;
  /** Appended to the kernel's command line; a disk's own boot loader has none to append to. */
  commandLine?: string;
  cpuModel?: string;
  /** What the firmware says that it is. */
  ec2?: Ec2Machine;
  /**
   * How long it may take until the agent answers. Default 60 s under TCG, 20 s under KVM, and five
   * times that for a disk.
   */
  bootTimeoutMs?: number;
  /** Ends it while it boots; afterwards whoever has the `Vm` closes it. */
  signal?: AbortSignal;
}

/** A network interface as the guest sees it. */
export interface GuestInterface {
  name: string;
  driver: string;
  /** Address of the PCI function in the guest: '0000:01:00.0'. */
  pci: string;
  mac: string;
  mtu: number;
  /** operstate: 'up', 'down', ... */
  state: string;
  /** As the driver says, in Mbps; -1 where it says nothing. */
  speedMbps: number;
}

export interface Vm {
  name: string;
  pid: number;
  /** Release of the kernel that runs. */
  kernelVersion: string;
  /** Runs shell text; resolves whatever its exit code. @throws GuestError */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** The same, for commands that must succeed: stdout. @throws GuestError with stderr */
  run(command: string, options?: ExecOptions): Promise<string>;
  /** All interfaces that have a device. */
  interfaces(): Promise<GuestInterface[]>;
  /** Waits until the driver has an interface, and returns the name of the first one. */
  waitForDriver(driver: string, timeoutMs?: number): Promise<string>;
  /** Gets an address by DHCP (and keeps renewing it): 'ADDRESS/LENGTH'. */
  dhcp(interfaceName: string, timeoutMs?: number): Promise<string>;
  /** Sets a fixed address and the MTU (default 1500), and brings the interface up. */
  configure(interfaceName: string, address: string, mtu?: number): Promise<void>;
  plug(nic: NicSpec, id?: string): Promise<string>;
  unplug(id: string): Promise<void>;
  /** Reboots it from within; resolves when the agent answers again. */
  reboot(): Promise<void>;
  /** Shuts it down from within; resolves when QEMU has ended. */
  powerdown(timeoutMs?: number): Promise<void>;
  /** Ends it like a power failure. */
  kill(): Promise<void>;
  /** Ends it if it still runs. Safe to call more than once. */
  close(): Promise<void>;
  qmp: QemuVm['qmp'];
  /** CPU time of the whole VM so far, in seconds. */
  cpuSeconds(): number;
  /** The end of the serial console's output. */
  console(): string;
  /** The guest's kernel log. */
  dmesg(): Promise<string>;
  exited: Promise<string>;
}

/** Starts a guest; resolves when its agent answers. @throws GuestError with the console's end */
export async function startVm(options: VmOptions): Promise<Vm> {
  const { name, accelerator } = options;
  const own = 'kernelVersion' in options.image;
  const cpuModel = options.cpuModel ?? (own || accelerator === 'kvm' ? undefined : DISK_TCG_CPU);
  const qemu = await startQemu(options.qemu, {
    name,
    accelerator,
    memoryMb: options.memoryMb ?? (own ? 512 : 1024),
    cpus: options.cpus ?? 1,
    boot: bootOf(options),
    nics: options.nics ?? [],
    hotplugPorts: options.hotplugPorts ?? 1,
    ...(cpuModel === undefined ? {} : { cpuModel }),
    ...(options.ec2 === undefined ? {} : { ec2: options.ec2 }),
  });
  const agent = connectAgent(name, qemu.agent);
  const bootMs = (accelerator === 'kvm' ? 20_000 : 60_000) * (own ? 1 : 5);
  const bootTimeoutMs = options.bootTimeoutMs ?? bootMs;
  const abort = (): void => void qemu.kill();
  options.signal?.addEventListener('abort', abort);
  try {
    options.signal?.throwIfAborted();
    const booted: Booted = async (after) => {
      const { kernel } = await agent.ready(bootTimeoutMs, after);
      if (!own) await agent.exec(WAIT_FOR_SYSTEMD, { timeoutMs: bootTimeoutMs });
      return kernel;
    };
    return vmOf(qemu, agent, await booted(), booted);
  } catch (error) {
    await qemu.kill();
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestError(`${reason} The end of its console: ${tail(qemu.console())}`);
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Waits for a boot other than `after`; the release of its kernel. */
type Booted = (after?: string) => Promise<string>;

function vmOf(qemu: QemuVm, agent: Agent, kernelVersion: string, booted: Booted): Vm {
  const { name } = qemu;
  const run: Vm['run'] = async (command, options) => {
    const { code, stdout, stderr } = await agent.exec(command, options);
    if (code !== 0)
      throw new GuestError(
        `${name}: '${command}' gave exit code ${code}: ${tail(stderr || stdout)}`,
      );
    return stdout;
  };
  const net = (args: string, timeoutMs: number): Promise<string> =>
    run(`virtfn-net ${args}`, { timeoutMs: timeoutMs + 5_000 });

  return {
    name,
    pid: qemu.pid,
    kernelVersion,
    exec: agent.exec,
    run,
    interfaces: async () => parseInterfaces(await net('list', 5_000)),
    waitForDriver: async (driver, timeoutMs = 20_000) => {
      const found = await net(`wait ${driver} ${Math.ceil(timeoutMs / 1000)}`, timeoutMs);
      return found.trim().split(' ')[0] ?? '';
    },
    dhcp: async (interfaceName, timeoutMs = 15_000) => {
      const lease = await net(`dhcp ${interfaceName} ${Math.ceil(timeoutMs / 1000)}`, timeoutMs);
      return lease.trim().split(' ')[0] ?? '';
    },
    configure: async (interfaceName, address, mtu = 1500) =>
      void (await net(`static ${interfaceName} ${address} ${mtu}`, 5_000)),
    plug: qemu.plug,
    unplug: qemu.unplug,
    reboot: async () => {
      const before = agent.boot();
      agent.exec('reboot -f').catch(() => {}); // its answer is the next boot
      await booted(before);
    },
    powerdown: async (timeoutMs = 20_000) => {
      agent.exec('poweroff -f').catch(() => {});
      await within(qemu.exited, timeoutMs, `${name} did not power off`);
    },
    kill: qemu.kill,
    close: qemu.kill,
    qmp: qemu.qmp,
    cpuSeconds: qemu.cpuSeconds,
    console: qemu.console,
    dmesg: () => run('dmesg'),
    exited: qemu.exited,
  };
}

/** The agent of a disk answers early; what the image still starts would disturb a measurement. */
const WAIT_FOR_SYSTEMD = `command -v systemctl > /dev/null || exit 0
while :; do
  case $(systemctl is-system-running 2> /dev/null) in
    initializing | starting | '') sleep 0.5 ;;
    *) exit 0 ;;
  esac
done`;

/** Shortens the boot: what a guest that lives for a minute on an emulated CPU does not need. */
const COMMAND_LINE = [
  ...['console=ttyS0', 'quiet', 'panic=-1', 'reboot=t'],
  ...['no_timer_check', 'nokaslr', 'mitigations=off', 'cryptomgr.notests', 'random.trust_cpu=on'],
];

/** Distributions that want x86-64-v3 boot on it; without the string copies that TCG is slow at. */
const DISK_TCG_CPU = 'Haswell-noTSX,-erms,+rdrand';

function bootOf({ name, image, commandLine = '' }: VmOptions): BootSpec {
  if ('kernelVersion' in image) {
    const words = [...COMMAND_LINE, `virtfn.name=${name}`, commandLine];
    const { kernel, initramfs } = image;
    return { kind: 'kernel', kernel, initramfs, commandLine: words.join(' ').trim() };
  }
  const { disks, kernel, initramfs } = image;
  if (kernel === undefined) return { kind: 'disk', disks };
  return {
    kind: 'kernel',
    kernel,
    ...(initramfs === undefined ? {} : { initramfs }),
    commandLine: `console=ttyS0 root=/dev/vda1 ${commandLine}`.trim(),
    disks,
  };
}

/** The lines of `virtfn-net list`. */
export function parseInterfaces(text: string): GuestInterface[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(' '))
    .filter((fields) => fields.length === 7)
    .map(([name = '', driver = '', pci = '', mac = '', mtu, state = '', speed]) => {
      return { name, driver, pci, mac, mtu: Number(mtu), state, speedMbps: Number(speed) };
    });
}

async function within<T>(promise: Promise<T>, ms: number, complaint: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new GuestError(`${complaint} within ${ms / 1000} s.`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function tail(text: string): string {
  return text.trim().slice(-1500);
}
