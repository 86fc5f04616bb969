/**
 * An ENA function's rings as plain data, so that a thread which shares nothing but memory can go on
 * where the driver that has set them up stopped: where they lie, how far they are, and which words
 * of the mapped BAR are their doorbells.
 */
import { addressHi } from '../../drivers/dma-arena.ts';
import type { EnaDriver } from '../../drivers/ena/driver.ts';
import { mapFile } from '../../sys/memory.ts';

/** A file, and how much of it there is: each thread maps it for itself. */
export type SharedFile = { readonly fd: number; readonly sizeBytes: number };

/** Words count from the start of the memory; doorbells are words of the BAR. */
export type FunctionRings = {
  readonly memory: SharedFile;
  readonly bar: SharedFile;
  /** The upper half of the DMA address of the memory's first byte; the lower one is 0. */
  readonly baseHi: number;
  readonly tx: {
    readonly depth: number;
    readonly sqWord: number;
    readonly cqWord: number;
    readonly doorbellWord: number;
    readonly maxHeaderBytes: number;
  };
  readonly rx: {
    readonly depth: number;
    readonly sqWord: number;
    readonly cqWord: number;
    readonly doorbellWord: number;
    /** Descriptors that were posted so far. */
    readonly tail: number;
    /** The byte at which the first of `depth` buffers begins. */
    readonly buffersAt: number;
    readonly bufferBytes: number;
  };
};

/** Memory of a guest, and the BAR of its function, as this thread has mapped them. */
export type Guest = {
  readonly rings: FunctionRings;
  readonly memory: Uint8Array;
  readonly bar: Uint8Array;
};

/** Maps what a guest has, in whichever thread. */
export const mappedGuest = (rings: FunctionRings): Guest => ({
  ...{ rings, memory: mapped(rings.memory), bar: mapped(rings.bar) },
});

function mapped({ fd, sizeBytes }: SharedFile): Uint8Array {
  const [piece] = mapFile({ fd, offset: 0, sizeBytes, writable: true }).pieces;
  if (piece === undefined) throw new Error('unreachable: a mapping has a piece');
  return piece.bytes;
}

/** @param driver one that has started and has carried no frame */
export function ringsOf(
  { arena, tx: [tx], rx: [rx] }: EnaDriver,
  memory: SharedFile,
  bar: SharedFile,
): FunctionRings {
  if (tx === undefined || rx === undefined) throw new Error('the driver has no queues');
  const word = (address: number): number => arena.offset(address) >>> 2;
  return {
    ...{ memory, bar, baseHi: addressHi(arena.base) },
    tx: {
      depth: tx.spec.depth,
      sqWord: word(tx.sqAddress),
      cqWord: word(tx.cqAddress),
      doorbellWord: tx.doorbellOffset >>> 2,
      maxHeaderBytes: Math.min(tx.spec.maxHeaderBytes, 255),
    },
    rx: {
      depth: rx.spec.depth,
      sqWord: word(rx.sqAddress),
      cqWord: word(rx.cqAddress),
      doorbellWord: rx.doorbellOffset >>> 2,
      tail: rx.tail,
      buffersAt: arena.offset(rx.bufferAddress),
      bufferBytes: rx.spec.bufferBytes,
    },
  };
}
