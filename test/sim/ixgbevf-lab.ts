/**
 * 82599 VFs on a switch, each driven by the reference driver, all in this process under a virtual
 * clock; beside ENA functions, if a test wants them.
 */
import {
  IxgbevfFunction,
  type IxgbevfOptions,
} from '../../src/devices/ixgbevf/ixgbevf-function.ts';
import { type IxgbevfProfile, ixgbevfProfiles } from '../../src/devices/ixgbevf/profile.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { type DriverSettings, IxgbevfDriver } from '../../src/drivers/ixgbevf/driver.ts';
import type { TxOptions } from '../../src/drivers/ixgbevf/tx-queue.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { macBytes } from '../../src/net/ethernet.ts';
import type { PortOptions, SwitchPort } from '../../src/switch/port.ts';
import { mapped, SimLab } from './ena-lab.ts';
import { receiveAll } from './received.ts';

export type VfOptions = {
  readonly memoryBytes?: number;
  readonly profile?: 'ec2' | 'datasheet';
  readonly device?: Partial<IxgbevfOptions>;
  readonly port?: Partial<PortOptions>;
  readonly driver?: DriverSettings;
};

export class VfGuest {
  readonly mac: number;
  readonly arena: DmaArena;
  readonly port: SwitchPort;
  readonly device: IxgbevfFunction;
  readonly driver: IxgbevfDriver;
  /** How often each vector was raised. */
  readonly interrupts: number[] = [0, 0, 0];
  /** Rules that the driver broke, with details. */
  readonly refusals: string[] = [];
  readonly traces: string[] = [];

  constructor(lab: SimLab, number: number, options: VfOptions = {}) {
    this.mac = 0x0200_0000_0000 + number;
    this.arena = new DmaArena(options.memoryBytes ?? 16 << 20, number * 2 ** 33);
    this.port = lab.switch.addPort({
      ...{ name: `vf${number}`, mac: this.mac, mtu: 9710 },
      ...options.port,
    });
    const host = {
      memory: this.arena.memory,
      interrupts: {
        raise: (vector: number) => {
          this.interrupts[vector] = (this.interrupts[vector] ?? 0) + 1;
        },
      },
      clock: lab.clock,
      deviceMemory: (sizeBytes: number) => ({ fd: -1, bytes: new Uint8Array(sizeBytes) }),
      diagnostics: new Diagnostics(({ rule, detail }) => {
        this.refusals.push(`${rule.id}: ${detail}`);
      }),
      trace: (line: () => string) => {
        this.traces.push(line());
      },
    };
    const device = {
      ...{ mac: macBytes(this.mac), linkMbps: 10_000 },
      profile: profileNamed(options.profile ?? 'ec2'),
      ...options.device,
    };
    this.device = new IxgbevfFunction(device, host, this.port);
    const seen = device.access === 'polled' ? mapped(this.device) : this.device;
    this.driver = new IxgbevfDriver(seen, this.arena, options.driver);
  }

  /** Sends and tells the device; false when the queue has no room. */
  send(frame: Uint8Array, options: TxOptions = {}, queue = 0): boolean {
    const tx = this.driver.tx[queue];
    const sent = tx?.send(frame, 0, frame.length, options) ?? false;
    tx?.kick();
    return sent;
  }

  /** What all receive queues hold, as copies, in queue order. */
  receive(): Uint8Array[] {
    return receiveAll(this.driver);
  }

  /** What the switch counted for this port, by name; only what is not zero. */
  counters(): Record<string, number> {
    return this.port.counters.snapshot() as Record<string, number>;
  }
}

export function profileNamed(name: string): IxgbevfProfile {
  const found = ixgbevfProfiles.find((profile) => profile.name === name);
  if (found === undefined) throw new Error(`there is no profile ${name}`);
  return found;
}

/** Two functions that are up: 1 and 2. */
export function vfPair(options: VfOptions = {}): [SimLab, VfGuest, VfGuest] {
  const lab = new SimLab();
  const a = new VfGuest(lab, 1, options);
  const b = new VfGuest(lab, 2, options);
  for (const guest of [a, b]) guest.driver.start();
  return [lab, a, b];
}
