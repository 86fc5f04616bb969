/**
 * A function for tests: an Ethernet controller's config space, a BAR that remembers what was done
 * to it, and a BAR with a page that the guest may map.
 */
import { msix, pciExpress, powerManagement } from '../pci/capabilities.ts';
import { ConfigSpace } from '../pci/config-space.ts';
import type { AccessSize, Bar, PciFunction, ResetCause } from '../pci/function.ts';
import { MsixTable } from '../pci/msix.ts';
import { createSharedMemory, type SharedMemory } from '../sys/memory.ts';

export const testLayout = {
  vectors: 8,
  tableBar: 1,
  tableOffset: 0,
  pbaBar: 1,
  pbaOffset: 0x800,
};
const registerBytes = 0x4000;
const mappedBytes = 0x4000;

/** The page of BAR 2 that may be mapped. */
export const mappedArea = { offset: 0x1000, sizeBytes: 0x1000 };

export type TestFunctionOptions = {
  /** With BAR 2, whose second page may be mapped. */
  readonly mappedBar?: boolean;
};

export class TestFunction implements PciFunction {
  readonly model = 'test';
  readonly bars: readonly Bar[];
  readonly config: ConfigSpace;
  readonly vectors = testLayout.vectors;
  readonly shared: SharedMemory | null;
  /** What BAR 0 holds: reads return it, writes change it. */
  readonly registers = new Uint8Array(registerBytes);
  readonly #msix = new MsixTable(testLayout);
  /** Trapped accesses to BARs 0 and 2, as `write bar offset size value`, and resets. */
  readonly log: string[] = [];
  /** Runs inside a trapped write of BAR 0. */
  onWrite: (offset: number, size: AccessSize, value: number) => void = () => {};

  constructor(options: TestFunctionOptions = {}) {
    this.shared = options.mappedBar ? createSharedMemory('test-bar2', mappedBytes) : null;
    const bar = (index: number, sizeBytes: number): Bar => ({
      index,
      sizeBytes,
      is64Bit: false,
      prefetchable: false,
    });
    const bar2 = this.shared && {
      ...bar(2, mappedBytes),
      memory: { ...this.shared, areas: [mappedArea] },
    };
    this.bars = [bar(0, registerBytes), bar(1, 0x1000), ...(bar2 === null ? [] : [bar2])];
    this.config = new ConfigSpace(
      {
        vendorId: 0x1d0f,
        deviceId: 0xec20,
        revision: 0,
        classCode: 0x020000,
        subsystemVendorId: 0x1d0f,
        subsystemId: 0xec20,
        bars: this.bars,
        capabilities: [
          powerManagement(),
          pciExpress({ linkSpeed: 3, lanes: 8, functionLevelReset: true }),
          msix(testLayout),
        ],
      },
      { onFunctionReset: () => this.reset('function') },
    );
  }

  /** What the seam promises to every function. */
  #check(bar: number, offset: number, size: AccessSize): void {
    const sizeBytes = this.bars.find(({ index }) => index === bar)?.sizeBytes ?? 0;
    if (offset % size !== 0 || offset + size > sizeBytes)
      throw new Error(`BAR ${bar}: ${size} bytes at ${offset} were let through`);
  }

  read(bar: number, offset: number, size: AccessSize): number {
    this.#check(bar, offset, size);
    if (bar === 1) return this.#msix.covers(1, offset) ? this.#msix.read(1, offset, size) : 0;
    this.log.push(`read ${bar} 0x${offset.toString(16)} ${size}`);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.registers[offset + i] ?? 0);
    return value;
  }

  write(bar: number, offset: number, size: AccessSize, value: number): void {
    this.#check(bar, offset, size);
    if (bar === 1) {
      if (this.#msix.covers(1, offset)) this.#msix.write(1, offset, size, value);
      return;
    }
    this.log.push(`write ${bar} 0x${offset.toString(16)} ${size} 0x${value.toString(16)}`);
    if (bar === 0) for (let i = 0; i < size; i++) this.registers[offset + i] = value >>> (8 * i);
    if (bar === 0) this.onWrite(offset, size, value);
  }

  reset(cause: ResetCause): void {
    this.log.push(`reset ${cause}`);
    this.registers.fill(0);
    this.#msix.reset();
    this.config.reset();
  }
}
