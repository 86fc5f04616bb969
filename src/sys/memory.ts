/**
 * Shared memory: memfds of our own, and mappings of descriptors that a peer has passed.
 *
 * Two things would kill the process, not throw: touching a mapping beyond the end of its file, and
 * touching a view after its memory was unmapped. So a mapping larger than its file is refused, and
 * `release()` puts empty memory in the place of the file: stale views see zeros, what they store
 * reaches nobody, and the file's memory is free. The addresses are unmapped when the last view has
 * been collected, in some turn of the thread's event loop.
 */
import { fstatSync, type Stats } from 'node:fs';
import { EINVAL, ENOMEM, SysError } from './errno.ts';
import { closeFd, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK } from './fd.ts';
import {
  checked,
  F_ADD_SEALS,
  fcntl,
  ftruncate,
  madvise,
  memfd_create,
  mmap,
  munmap,
  viewAt,
} from './libc.ts';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MADV_DONTDUMP = 16;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;

export const pageBytes = 4096;
/** The engine aborts on buffers of more than 4 GiB, and indexes up to 1 GiB fastest. */
const maxPieceBytes = 2 ** 30;

/** An address range to unmap once `views` of it have been collected. */
type Range = { readonly address: number; readonly sizeBytes: number; views: number };

let mappedBytes = 0;
const collected = new FinalizationRegistry<Range>((range) => {
  range.views--;
  if (range.views > 0) return;
  munmap(range.address, range.sizeBytes);
  mappedBytes -= range.sizeBytes;
});

/** Bytes of addresses that this thread has mapped and not yet unmapped. */
export const mappedNow = (): number => mappedBytes;

export type MapSpec = {
  readonly fd: number;
  /** Where in the file; a multiple of 4096. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly writable: boolean;
  /** Cuts the mapping into views of at most this many bytes (1 GiB unless told)... */
  readonly pieceBytes?: number;
  /** ...each of which repeats the last so many bytes of the one before. */
  readonly overlapBytes?: number;
};

/** A view of part of a mapping; `start` counts from the mapping's first byte. */
export type Piece = {
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Where it begins in a `LinearMemory`, or -1: it lies elsewhere. */
  readonly linear: number;
};

export interface Mapping {
  readonly pieces: readonly Piece[];
  /** Lets go of the file, now; views that are still around hold nothing any more. */
  release(): void;
}

/** Maps part of a file as `mapFile` does. */
export type Mapper = (spec: MapSpec) => Mapping;

class FileMapping implements Mapping {
  readonly pieces: readonly Piece[];
  readonly #range: Range;
  #released = false;

  constructor(range: Range, pieces: readonly Piece[]) {
    this.#range = range;
    this.pieces = pieces;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { address, sizeBytes } = this.#range;
    mapNothing(address, sizeBytes);
  }
}

/** Puts empty, private memory in the place of whatever is mapped there. */
export function mapNothing(address: number, sizeBytes: number): void {
  const flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
  checked('mmap', mmap(address, sizeBytes, PROT_READ | PROT_WRITE, flags, -1, 0));
}

/**
 * Maps part of a file that others have open too. Throws a SysError: EINVAL when the file is
 * shorter than that, else what mmap says. The descriptor may be closed afterwards.
 *
 * A mapping that is not writable must not be stored into: that kills the process. Whoever keeps
 * the pieces keeps that fact beside them.
 */
export function mapFile(spec: MapSpec): Mapping {
  const extent = extentOf(spec);
  const { before, length } = extent;
  const address = mapAt(0, spec, extent);
  const range: Range = { address, sizeBytes: length, views: 0 };
  mappedBytes += length;
  return new FileMapping(
    range,
    cut(spec, (start, sizeBytes) => {
      const buffer = viewAt(address + before + start, sizeBytes);
      range.views++;
      collected.register(buffer, range);
      return { start, bytes: new Uint8Array(buffer), linear: -1 };
    }),
  );
}

/** What of a file has to be mapped, so that what was asked for begins `before` bytes into it. */
export type Extent = {
  readonly before: number;
  readonly length: number;
  readonly alignment: number;
  readonly file: Stats;
};

/** Throws as `mapFile` does. Files of huge pages are mapped in whole ones; only what was asked for is ever seen. */
export function extentOf({ fd, offset, sizeBytes }: MapSpec): Extent {
  if (sizeBytes <= 0 || offset < 0) throw new SysError('mmap', EINVAL, 'empty');
  const file = fstatSync(fd);
  if (offset + sizeBytes > file.size)
    throw new SysError('mmap', EINVAL, `${sizeBytes} bytes at ${offset} end after the file`);
  if (offset % pageBytes !== 0) throw new SysError('mmap', EINVAL, `offset ${offset}`);
  const alignment = Math.max(pageBytes, file.blksize);
  const before = offset % alignment;
  const length = Math.ceil((before + sizeBytes) / alignment) * alignment;
  return { before, length, alignment, file };
}

/** Maps a file's extent, over whatever is at `at`, or anywhere if that is 0; returns where. */
export function mapAt(at: number, spec: MapSpec, { before, length }: Extent): number {
  const protection = PROT_READ | (spec.writable ? PROT_WRITE : 0);
  const flags = MAP_SHARED | (at === 0 ? 0 : MAP_FIXED);
  const place = mmap(at, length, protection, flags, spec.fd, spec.offset - before);
  const address = checked('mmap', place);
  madvise(address, length, MADV_DONTDUMP);
  return address;
}

/** Maps the first page of an extent for a moment; throws if that may not be. */
export function tryMapping(spec: MapSpec, extent: Extent): void {
  munmap(mapAt(0, spec, { ...extent, length: extent.alignment }), extent.alignment);
}

type CutSpec = Pick<MapSpec, 'sizeBytes' | 'pieceBytes' | 'overlapBytes'>;

/** Cuts what was asked for into pieces, of which `piece` makes views. */
export function cut(
  { sizeBytes, pieceBytes = maxPieceBytes, overlapBytes = 0 }: CutSpec,
  piece: (start: number, sizeBytes: number) => Piece,
): Piece[] {
  const pieces: Piece[] = [];
  for (let start = 0; ; start += pieceBytes - overlapBytes) {
    const length = Math.min(pieceBytes, sizeBytes - start);
    pieces.push(piece(start, length));
    if (start + length === sizeBytes) return pieces;
  }
}

/** Memory that can be passed to another process by its descriptor. */
export type SharedMemory = { readonly fd: number; readonly bytes: Uint8Array };

/**
 * A zeroed memfd, mapped. It is sealed: nobody who gets the descriptor can shrink it under us.
 * `sizeBytes` is a multiple of 4096, at most 1 GiB. The caller closes the descriptor.
 */
export function createSharedMemory(name: string, sizeBytes: number): SharedMemory {
  if (sizeBytes > maxPieceBytes) throw new SysError('memfd_create', EINVAL, `${sizeBytes} bytes`);
  const fd = checked('memfd_create', memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  try {
    checked('ftruncate', ftruncate(fd, sizeBytes));
    checked('fcntl', fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
    const [piece] = mapFile({ fd, offset: 0, sizeBytes, writable: true }).pieces;
    if (piece === undefined) throw new SysError('mmap', ENOMEM);
    return { fd, bytes: piece.bytes };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}
