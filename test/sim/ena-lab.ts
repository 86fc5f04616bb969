/**
 * Two or more ENA functions on one switch, each driven by a reference driver, all in this process
 * under a virtual clock. Memory of each guest begins at a DMA address of its own above 4 GiB, so
 * that an address that lost its upper half goes nowhere.
 */
import { EnaFunction, type EnaOptions } from '../../src/devices/ena/ena-function.ts';
import { DmaArena } from '../../src/drivers/dma-arena.ts';
import { EnaDriver, type EnaDriverOptions } from '../../src/drivers/ena/driver.ts';
import { VirtualClock } from '../../src/lib/clock.ts';
import { Diagnostics } from '../../src/lib/diagnostics.ts';
import { writeMac } from '../../src/net/ethernet.ts';
import { reasonNames } from '../../src/net/reasons.ts';
import type { PciFunction } from '../../src/pci/function.ts';
import type { PortOptions, SwitchPort } from '../../src/switch/port.ts';
import { Switch } from '../../src/switch/switch.ts';
import { receiveAll } from './received.ts';

export type GuestOptions = {
  readonly memoryBytes?: number;
  /** Where its memory lies; its own if absent. */
  readonly memory?: { readonly bytes: Uint8Array; readonly linear: number };
  readonly mac?: number;
  readonly device?: Partial<EnaOptions>;
  readonly port?: Partial<PortOptions>;
  readonly driver?: Partial<EnaDriverOptions>;
  /** Hears what the device tells of itself. */
  readonly trace?: (line: string) => void;
};

export class SimGuest {
  readonly mac: number;
  readonly arena: DmaArena;
  readonly port: SwitchPort;
  readonly device: EnaFunction;
  readonly driver: EnaDriver;
  /** How often each vector was raised. */
  readonly interrupts: number[] = [];
  /** Rules that the driver broke, with details. */
  readonly refusals: string[] = [];

  constructor(lab: SimLab, index: number, options: GuestOptions) {
    this.mac = options.mac ?? 0x0200_0000_0000 + index + 1;
    const mac = new Uint8Array(6);
    writeMac(mac, 0, this.mac);
    const memory = options.memory?.bytes ?? options.memoryBytes ?? 8 << 20;
    this.arena = new DmaArena(memory, (index + 1) * 2 ** 33, options.memory?.linear);
    const name = String.fromCharCode(97 + index);
    this.port = lab.switch.addPort({ name, mac: this.mac, ...options.port });
    const { trace } = options;
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
      ...(trace !== undefined && { trace: (line: () => string) => trace(line()) }),
    };
    // Low-latency queues are there; the driver's options say whether it uses them.
    const device = { mac, linkMbps: 10_000, access: 'llq', ...options.device } as const;
    this.device = new EnaFunction(device, host, this.port);
    const seen = device.access === 'polled' ? mapped(this.device) : this.device;
    this.driver = new EnaDriver(seen, this.arena, { clock: lab.clock, ...options.driver });
  }

  /** Sends and tells the device; false when the queue has no room. */
  send(frame: Uint8Array, queue = 0): boolean {
    const tx = this.driver.tx[queue];
    const sent = tx?.send(frame, 0, frame.length) ?? false;
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

/** The function as a guest sees it that has mapped what may be mapped: stores there are no traps. */
export function mapped(fn: PciFunction): PciFunction {
  const write: PciFunction['write'] = (bar, offset, size, value) => {
    const memory = fn.bars.find(({ index }) => index === bar)?.memory;
    const isMapped = memory?.areas.some(
      (area) => offset >= area.offset && offset < area.offset + area.sizeBytes,
    );
    if (memory === undefined || !isMapped) return fn.write(bar, offset, size, value);
    const { buffer, byteOffset, byteLength } = memory.bytes;
    new DataView(buffer, byteOffset, byteLength).setUint32(offset, value, true);
  };
  const { model, config, bars, vectors } = fn;
  const read: PciFunction['read'] = (bar, offset, size) => fn.read(bar, offset, size);
  return { model, config, bars, vectors, read, write, reset: (cause) => fn.reset(cause) };
}

export class SimLab {
  readonly clock: VirtualClock;
  readonly switch: Switch;
  readonly guests: SimGuest[] = [];

  /** `network`: an Ethernet unless told. */
  constructor(clock = new VirtualClock(), network = new Switch({ clock })) {
    this.clock = clock;
    this.switch = network;
  }

  add(options: GuestOptions = {}): SimGuest {
    const guest = new SimGuest(this, this.guests.length, options);
    this.guests.push(guest);
    return guest;
  }
}

/** Two guests that are up. */
export function pair(options: GuestOptions = {}): [SimLab, SimGuest, SimGuest] {
  const lab = new SimLab();
  const a = lab.add(options);
  const b = lab.add(options);
  for (const guest of [a, b]) guest.driver.start();
  return [lab, a, b];
}

export const reasonName = (code: number): string => reasonNames[code] ?? String(code);
