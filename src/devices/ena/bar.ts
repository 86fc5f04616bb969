/**
 * The function's BARs. BAR 0: where its registers, MSI-X tables, doorbells and interrupt registers are.
 *
 * Each submission queue's doorbell has a cache line of its own, and all of them share one page that
 * holds nothing else, so that the page may be mapped and polled. Interrupt registers carry a
 * request each and must be trapped: they are on another page.
 */
import type { Bar, DeviceMemory } from '../../pci/function.ts';

export const bar0: Bar = { index: 0, sizeBytes: 0x8000, is64Bit: false, prefetchable: false };

/** BAR 0 with its page of doorbells mapped into the guest. */
export const withMappedDoorbells = (memory: DeviceMemory): Bar => ({
  ...bar0,
  memory: { ...memory, areas: [{ offset: doorbells, sizeBytes: pageBytes }] },
});

export const msixTableOffset = 0x2000;
export const msixPbaOffset = 0x3000;
const doorbells = 0x4000;
const interruptRegisters = 0x5000;
export const doorbellStride = 64;
const interruptStride = 16;
const pageBytes = 0x1000;

export const maxQueuePairs = 32;

/** BAR 2: memory of the device that low-latency queues lie in, a slice per submission queue. */
export const memoryBarIndex = 2;
/** 1024 entries of 256 bytes. */
export const llqSliceBytes = 0x4_0000;

export const sqDoorbellOffset = (index: number): number => doorbells + index * doorbellStride;
export const interruptOffset = (vector: number): number =>
  interruptRegisters + vector * interruptStride;

/** The submission queue whose doorbell is at `offset`, or -1. */
export const doorbellAt = (offset: number): number => slot(offset - doorbells, doorbellStride);

/** The vector whose interrupt register is at `offset`, or -1. */
export const interruptAt = (offset: number): number =>
  slot(offset - interruptRegisters, interruptStride);

const slot = (at: number, stride: number): number =>
  at >= 0 && at < pageBytes && at % stride === 0 ? at / stride : -1;
