/**
 * A running QEMU: spawn, control through QMP, hot-plug of NICs, its end. It leaves no process,
 * socket or file behind, whatever way it or this process ends: its channels are socket pairs.
 */

import type { Duplex } from 'node:stream';
import {
  deviceOf,
  type MachineSpec,
  machineArguments,
  type NicSpec,
  netdevOf,
  nicId,
  portId,
} from './args.ts';
import type { QemuBinary } from './binary.ts';
import { cpuSeconds, spawnChild } from './process.ts';
import { connectQmp, type QmpClient } from './qmp.ts';

export type QemuSpec = Omit<MachineSpec, 'qmpFd' | 'agentFd' | 'console'>;

export interface QemuVm {
  name: string;
  pid: number;
  qmp: QmpClient;
  /** The host's end of the agent's virtio-serial port. */
  agent: Duplex;
  /** The last part of what the serial console printed and of what QEMU complained about. */
  console(): string;
  /** CPU time which the process used so far, in seconds. */
  cpuSeconds(): number;
  /** Plugs a NIC into a free port and returns its id. @throws when there is none or QEMU refuses */
  plug(nic: NicSpec, id?: string): Promise<string>;
  /** Unplugs a NIC and waits until the guest has let go of it. */
  unplug(id: string, timeoutMs?: number): Promise<void>;
  /** Presses the reset button. */
  reset(): Promise<void>;
  /** Presses the power button: an operating system that listens shuts down. */
  powerButton(): Promise<void>;
  /** Ends it at once, as a power failure does; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when the process has ended: how, in words. */
  exited: Promise<string>;
}

const CONSOLE_BYTES = 256 * 1024;
const CHANNELS = { qmpFd: 3, agentFd: 4, console: { kind: 'fd', fd: 5 } } as const;

/** Starts QEMU; resolves when it answers on QMP. @throws Error with QEMU's complaint */
export async function startQemu(qemu: QemuBinary, spec: QemuSpec): Promise<QemuVm> {
  const args = machineArguments({ ...spec, ...CHANNELS });
  const child = await spawnChild(qemu.command, [...qemu.prefix, ...args], 3);
  const [qmpStream, agent, serial] = child.channels;
  if (qmpStream === undefined || agent === undefined || serial === undefined)
    throw new Error('unreachable: three channels were asked for');
  const log = boundedLog(CONSOLE_BYTES);
  for (const stream of [serial, child.stdout, child.stderr]) stream.on('data', log.append);

  let qmp: QmpClient;
  try {
    qmp = await connectQmp(qmpStream);
  } catch {
    child.kill();
    const how = await child.exited;
    throw new Error(`QEMU ${qemu.version} for ${spec.name} did not start (${how}): ${log.text()}`);
  }
  const nics = new Map<string, { port: string; nic: NicSpec }>();
  for (const [index, nic] of spec.nics.entries())
    nics.set(nicId(index), { port: portId(index), nic });

  const plug = async (nic: NicSpec, wanted?: string): Promise<string> => {
    const taken = new Set([...nics.values()].map(({ port }) => port));
    const ports = Array.from({ length: spec.nics.length + spec.hotplugPorts }, (_, i) => i);
    const free = ports.find((index) => !taken.has(portId(index)));
    if (free === undefined)
      throw new Error(
        `${spec.name} has no free slot: ask for more hotplugPorts, or unplug one first.`,
      );
    const id = wanted ?? nicId(free);
    const netdev = netdevOf(nic, id);
    if (netdev !== undefined) await qmp.execute('netdev_add', netdev);
    try {
      await qmp.execute('device_add', deviceOf(nic, id, portId(free)));
    } catch (error) {
      if (netdev !== undefined) await qmp.execute('netdev_del', { id: netdev['id'] });
      throw error;
    }
    nics.set(id, { port: portId(free), nic });
    return id;
  };

  const unplug = async (id: string, timeoutMs = 20_000): Promise<void> => {
    const entry = nics.get(id);
    if (entry === undefined) throw new Error(`${spec.name} has no NIC ${id}: see plug().`);
    const deleted = qmp.waitEvent(
      ({ event, data }) => event === 'DEVICE_DELETED' && data['device'] === id,
      timeoutMs,
    );
    await Promise.all([deleted, qmp.execute('device_del', { id })]);
    const netdev = netdevOf(entry.nic, id);
    if (netdev !== undefined) await qmp.execute('netdev_del', { id: netdev['id'] });
    nics.delete(id);
  };

  return {
    name: spec.name,
    pid: child.pid,
    qmp,
    agent,
    console: log.text,
    cpuSeconds: () => cpuSeconds(child.pid),
    plug,
    unplug,
    reset: async () => void (await qmp.execute('system_reset')),
    powerButton: async () => void (await qmp.execute('system_powerdown')),
    kill: async () => {
      child.kill();
      await child.exited;
    },
    exited: child.exited,
  };
}

/** Keeps the last `limit` bytes. */
function boundedLog(limit: number): { append: (data: Buffer) => void; text: () => string } {
  let kept = Buffer.alloc(0);
  return {
    append: (data) => {
      kept = Buffer.concat([kept, data]);
      if (kept.length > limit) kept = Buffer.from(kept.subarray(kept.length - limit / 2));
    },
    text: () => kept.toString(),
  };
}
