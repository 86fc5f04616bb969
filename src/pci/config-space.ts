/**
 * The configuration space of a type 0 PCI function, run from a declaration: three byte arrays say
 * what each byte holds, which bits may be written and which are cleared by writing 1. Follows PCI
 * Local Bus 3.0 chapter 6 and PCI Express Base 3.0 chapter 7; names as in Linux's `pci_regs.h`.
 */

import type { Bar } from './bar.ts';
import { type Capability, type ConfigRegister, PCI_CAP_ID_MSIX } from './capabilities.ts';

export const PCI_COMMAND = 0x04;
export const PCI_STATUS = 0x06;
export const PCI_BASE_ADDRESS_0 = 0x10;
export const PCI_CAPABILITY_LIST = 0x34;
export const PCI_COMMAND_MEMORY = 0x2;
export const PCI_COMMAND_MASTER = 0x4;
const PCI_STATUS_CAP_LIST = 0x10;
const firstCapability = 0x40;
const conventionalBytes = 256;

export type ConfigSpaceSpec = {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revision: number;
  /** Base class, subclass and programming interface: 0x020000 is an Ethernet controller. */
  readonly classCode: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
  readonly bars: readonly Bar[];
  /** In list order. */
  readonly capabilities: readonly Capability[];
  /** 256 (the default) or, for PCI Express's extended space, 4096. */
  readonly sizeBytes?: 256 | 4096;
};

/** What a function wants to hear of. Each runs after the write has taken effect. */
export type ConfigHooks = {
  /** The command register changed. */
  readonly onCommand?: (value: number, previous: number) => void;
  /** The MSI-X control word changed. */
  readonly onMsixControl?: (value: number, previous: number) => void;
  /** Software asked for a function level reset; the function resets itself and this space. */
  readonly onFunctionReset?: () => void;
};

export class ConfigSpace {
  readonly sizeBytes: number;
  readonly bars: readonly Bar[];
  readonly #bytes: Uint8Array;
  readonly #initial: Uint8Array;
  readonly #writable: Uint8Array;
  readonly #clears: Uint8Array;
  readonly #hooks: ConfigHooks;
  readonly #capabilities = new Map<number, number>();
  /** The byte and bit that ask for a function level reset; -1 when there is none. */
  #resetByte = -1;
  #resetMask = 0;
  #msixFlags = -1;

  /** Throws when the declaration contradicts itself: two BARs or capabilities at one place. */
  constructor(spec: ConfigSpaceSpec, hooks: ConfigHooks = {}) {
    this.sizeBytes = spec.sizeBytes ?? conventionalBytes;
    this.bars = spec.bars;
    this.#initial = new Uint8Array(this.sizeBytes);
    this.#writable = new Uint8Array(this.sizeBytes);
    this.#clears = new Uint8Array(this.sizeBytes);
    this.#hooks = hooks;
    for (const register of header(spec)) this.#declare(0, register);
    for (const bar of spec.bars) for (const r of barRegisters(bar)) this.#declare(0, r);
    this.#link(spec.capabilities);
    this.#bytes = this.#initial.slice();
  }

  /** `size` bytes (1..4, little-endian, unsigned) at any offset; past the end reads as ones. */
  read(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[offset + i] ?? 0xff);
    return value;
  }

  /** Applies the bits that may be written, then runs the hooks whose registers changed. */
  write(offset: number, size: number, value: number): void {
    const command = this.command;
    const control = this.msixControl;
    let wantsReset = false;
    for (let i = 0; i < size; i++) {
      const at = offset + i;
      if (at >= this.sizeBytes) break;
      const byte = (value >>> (8 * i)) & 0xff;
      const mask = this.#writable[at] as number;
      const merged = ((this.#bytes[at] as number) & ~mask) | (byte & mask);
      this.#bytes[at] = merged & ~(byte & (this.#clears[at] as number));
      if (at === this.#resetByte && (byte & this.#resetMask) !== 0) wantsReset = true;
    }
    if (this.command !== command) this.#hooks.onCommand?.(this.command, command);
    if (this.msixControl !== control) this.#hooks.onMsixControl?.(this.msixControl, control);
    if (wantsReset) this.#hooks.onFunctionReset?.();
  }

  /** Every register takes its power-on value; no hook runs. */
  reset(): void {
    this.#bytes.set(this.#initial);
  }

  get command(): number {
    return this.read(PCI_COMMAND, 2);
  }

  /** Whether the function may reach memory. */
  get busMaster(): boolean {
    return ((this.#bytes[PCI_COMMAND] as number) & PCI_COMMAND_MASTER) !== 0;
  }

  /** Whether the function answers at its BARs. */
  get memoryEnabled(): boolean {
    return ((this.#bytes[PCI_COMMAND] as number) & PCI_COMMAND_MEMORY) !== 0;
  }

  /** The MSI-X control word; 0 when there is no such capability. */
  get msixControl(): number {
    return this.#msixFlags < 0 ? 0 : this.read(this.#msixFlags, 2);
  }

  /** Where the capability starts, or -1. */
  capabilityAt(id: number): number {
    return this.#capabilities.get(id) ?? -1;
  }

  /** The address that software gave a BAR. */
  barAddress(index: number): number {
    const at = PCI_BASE_ADDRESS_0 + 4 * index;
    const low = this.read(at, 4);
    const base = low - (low & 0xf);
    return (low & 0x4) === 0 ? base : base + this.read(at + 4, 4) * 2 ** 32;
  }

  /** The function's own side: no mask applies, no hook runs. Lasts until the next reset. */
  poke(offset: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size; i++) this.#bytes[offset + i] = value >>> (8 * i);
  }

  #declare(base: number, register: ConfigRegister): void {
    const { at, size, value, writable = 0, writeOneToClear = 0 } = register;
    for (let i = 0; i < size; i++) {
      this.#initial[base + at + i] = value >>> (8 * i);
      this.#writable[base + at + i] = writable >>> (8 * i);
      this.#clears[base + at + i] = writeOneToClear >>> (8 * i);
    }
  }

  /** Lays the capabilities out and chains them. */
  #link(capabilities: readonly Capability[]): void {
    const taken = new Uint8Array(conventionalBytes);
    let free = firstCapability;
    let pointer = PCI_CAPABILITY_LIST;
    for (const capability of capabilities) {
      const at = capability.at ?? free;
      const end = at + capability.sizeBytes;
      const clash = taken.subarray(at, end).some((used) => used !== 0);
      if (at % 4 !== 0 || at < firstCapability || end > conventionalBytes || clash)
        throw new Error(`capability ${capability.name} does not fit at 0x${at.toString(16)}`);
      taken.fill(1, at, end);
      free = (end + 3) & ~3;
      this.#initial[pointer] = at;
      this.#initial[at] = capability.id;
      pointer = at + 1;
      for (const register of capability.registers) this.#declare(at, register);
      this.#capabilities.set(capability.id, at);
      if (capability.id === PCI_CAP_ID_MSIX) this.#msixFlags = at + 2;
      if (capability.resetBit === undefined) continue;
      this.#resetByte = at + capability.resetBit.byte;
      this.#resetMask = capability.resetBit.mask;
    }
    if (capabilities.length > 0) this.#initial[PCI_STATUS] = PCI_STATUS_CAP_LIST;
  }
}

function header(spec: ConfigSpaceSpec): ConfigRegister[] {
  return [
    { name: 'VENDOR_ID', at: 0x00, size: 2, value: spec.vendorId },
    { name: 'DEVICE_ID', at: 0x02, size: 2, value: spec.deviceId },
    // Memory, bus master, parity, SERR and "INTx off"; there is no I/O space.
    { name: 'COMMAND', at: PCI_COMMAND, size: 2, value: 0, writable: 0x0546 },
    { name: 'STATUS', at: PCI_STATUS, size: 2, value: 0, writeOneToClear: 0xf900 },
    { name: 'CLASS_REVISION', at: 0x08, size: 4, value: (spec.classCode << 8) | spec.revision },
    { name: 'CACHE_LINE_SIZE', at: 0x0c, size: 1, value: 0, writable: 0xff },
    { name: 'SUBSYSTEM_VENDOR_ID', at: 0x2c, size: 2, value: spec.subsystemVendorId },
    { name: 'SUBSYSTEM_ID', at: 0x2e, size: 2, value: spec.subsystemId },
    { name: 'INTERRUPT_LINE', at: 0x3c, size: 1, value: 0, writable: 0xff },
  ];
}

/** A memory BAR: its size is what software finds by writing ones. */
function barRegisters(bar: Bar): ConfigRegister[] {
  const { index, sizeBytes, is64Bit, prefetchable } = bar;
  const last = is64Bit ? 4 : 5;
  if (index < 0 || index > last) throw new Error(`BAR ${index} does not exist`);
  if (sizeBytes < 4096 || !Number.isInteger(Math.log2(sizeBytes)))
    throw new Error(`BAR ${index}: ${sizeBytes} bytes are no power of two of at least 4096`);
  if (!is64Bit && sizeBytes > 2 ** 31) throw new Error(`BAR ${index}: too large for 32 bits`);
  const at = PCI_BASE_ADDRESS_0 + 4 * index;
  const value = (is64Bit ? 0x4 : 0) | (prefetchable ? 0x8 : 0);
  const low = sizeBytes >= 2 ** 32 ? 0 : -sizeBytes >>> 0;
  const high = sizeBytes <= 2 ** 32 ? 0xffff_ffff : -(sizeBytes / 2 ** 32) >>> 0;
  const registers: ConfigRegister[] = [
    { name: `BASE_ADDRESS_${index}`, at, size: 4, value, writable: low },
  ];
  if (is64Bit)
    registers.push({
      name: `BASE_ADDRESS_${index + 1}`,
      at: at + 4,
      size: 4,
      value: 0,
      writable: high,
    });
  return registers;
}
