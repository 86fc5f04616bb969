/**
 * The function's BARs. BAR 0: registers and MSI-X tables. BAR 2: the send queues, a slice each. BAR 4:
 * doorbells, a page for each queue pair and each completion queue, because Linux maps whole pages
 * into processes and two of those must not share one.
 *
 * Doorbells of send and receive queues hold an index that only ever moves on: their pages may be
 * mapped and polled. Doorbells of completion queues carry a request, to be told of the next
 * completion, which the next store would overwrite: they are always trapped.
 */
import type { Bar } from '../../pci/function.ts';

export const registerBar: Bar = {
  index: 0,
  sizeBytes: 0x4000,
  is64Bit: false,
  prefetchable: false,
};
export const msixTableOffset = 0x2000;
export const msixPbaOffset = 0x3000;
/** Vector 0 for the driver, the rest for event queues. */
export const vectors = 9;

export const maxQps = 256;
export const maxCqs = 256;
const pageBytes = 4096;

export const memoryBarIndex = 2;
/** 1024 requests of 64 bytes. */
export const sqSliceBytes = 0x1_0000;
export const memoryBarBytes = maxQps * sqSliceBytes;

export const doorbellBarIndex = 4;
const cqPages = maxQps * pageBytes;
export const doorbellBarBytes = (maxQps + maxCqs) * pageBytes;
/** The part of the doorbell BAR that may be mapped. */
export const mappedDoorbells = { offset: 0, sizeBytes: cqPages };
const rqOffset = 8;

export const sqDoorbell = (qp: number): number => qp * pageBytes;
export const rqDoorbell = (qp: number): number => qp * pageBytes + rqOffset;
export const cqDoorbell = (cq: number): number => cqPages + cq * pageBytes;

/** The queue pair whose send queue's doorbell is at `offset`, or -1; and so on. */
export const sqAt = (offset: number): number => slot(offset, 0, maxQps);
export const rqAt = (offset: number): number => slot(offset - rqOffset, 0, maxQps);
export const cqAt = (offset: number): number => slot(offset, cqPages, maxCqs);

const slot = (offset: number, first: number, count: number): number => {
  const at = offset - first;
  return at >= 0 && at % pageBytes === 0 && at < count * pageBytes ? at / pageBytes : -1;
};
