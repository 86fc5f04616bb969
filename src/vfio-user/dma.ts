/**
 * The client's memory: DMA_MAP and DMA_UNMAP become windows of the function's `GuestMemory`.
 * Handlers return an errno, 0 when done.
 */
import { type GuestMemory, maxDmaAddress, type RemoteDma } from '../pci/guest-memory.ts';
import { EEXIST, EINVAL, ENOENT, ENOSPC, ENOTSUP, EPERM, SysError } from '../sys/errno.ts';
import { F_SEAL_SHRINK, sealsOf } from '../sys/fd.ts';
import { mapFile } from '../sys/memory.ts';
import type { Exchange } from './exchange.ts';
import * as p from './protocol.ts';

/** The most ranges a client may have mapped at a time; told to the client. */
export const maxDmaMaps = 1024;
/** The most memory that they may hold together: every GiB costs a window. */
export const maxDmaBytes = 2 ** 41;
/** The only page size; told to the client. */
export const pageBytes = 4096;
/** One range of any size becomes views that the engine can index, each with a part of the next. */
const pieceBytes = 2 ** 30;
const overlapBytes = 2 ** 20;
/** A remote window is not indexed, but a window is at most 2 GiB. */
const remotePieceBytes = 2 ** 30;

export type DmaOptions = {
  /** Refuse memory whose file the client could still shrink: that would crash this process. */
  readonly requireSealedMemory: boolean;
};

export class DmaMaps {
  readonly #memory: GuestMemory;
  readonly #remote: RemoteDma;
  readonly #options: DmaOptions;
  /** By first DMA address. */
  readonly #maps = new Map<number, number>();
  readonly #map = p.vfio_user_dma_map.create();
  readonly #unmap = p.vfio_user_dma_unmap.create();

  constructor(memory: GuestMemory, remote: RemoteDma, options: DmaOptions) {
    this.#memory = memory;
    this.#remote = remote;
    this.#options = options;
  }

  /** DMA_MAP */
  map(x: Exchange): number {
    const m = this.#map;
    const { sizeBytes } = p.vfio_user_dma_map;
    if (!x.load(p.vfio_user_dma_map, m) || m.argsz < sizeBytes) return EINVAL;
    const iova = p.u64(m.addr_lo, m.addr_hi);
    const size = p.u64(m.size_lo, m.size_hi);
    const offset = p.u64(m.offset_lo, m.offset_hi);
    const readable = (m.flags & p.VFIO_USER_F_DMA_REGION_READ) !== 0;
    const writable = (m.flags & p.VFIO_USER_F_DMA_REGION_WRITE) !== 0;
    const error = this.#refusal(m.flags, iova, size, x.fds.length);
    if (error !== 0) return error;
    if (x.fds.length === 0) this.#addRemote(iova, size, readable, writable);
    else {
      const fd = x.fds[0] as number;
      if (this.#options.requireSealedMemory && (sealsOf(fd) & F_SEAL_SHRINK) === 0) return EPERM;
      const failed = this.#addMapped(fd, offset, iova, size, readable, writable);
      if (failed !== 0) return failed;
    }
    this.#maps.set(iova, size);
    return 0;
  }

  #refusal(flags: number, iova: number, size: number, fds: number): number {
    const access = p.VFIO_USER_F_DMA_REGION_READ | p.VFIO_USER_F_DMA_REGION_WRITE;
    const byFile = p.VFIO_USER_F_DMA_REGION_MMAP | p.VFIO_USER_F_DMA_REGION_FILE_IO;
    if ((flags & access) === 0 || (flags & ~(access | byFile)) !== 0) return EINVAL;
    if (fds > 1 || ((flags & byFile) !== 0 && fds === 0)) return EINVAL;
    if ((flags & p.VFIO_USER_F_DMA_REGION_FILE_IO) !== 0) return ENOTSUP;
    if (size === 0 || size % pageBytes !== 0 || iova % pageBytes !== 0) return EINVAL;
    if (iova + size > maxDmaAddress) return EINVAL;
    let total = size;
    for (const [start, length] of this.#maps) {
      if (iova < start + length && start < iova + size) return EEXIST;
      total += length;
    }
    return this.#maps.size >= maxDmaMaps || total > maxDmaBytes ? ENOSPC : 0;
  }

  #addRemote(iova: number, size: number, readable: boolean, writable: boolean): void {
    for (let start = 0; start < size; start += remotePieceBytes) {
      const sizeBytes = Math.min(remotePieceBytes, size - start);
      const memory = { sizeBytes, remote: this.#remote };
      this.#memory.add({ iova: iova + start, memory, readable, writable });
    }
  }

  #addMapped(
    fd: number,
    offset: number,
    iova: number,
    sizeBytes: number,
    readable: boolean,
    writable: boolean,
  ): number {
    try {
      const pieces = mapFile({ fd, offset, sizeBytes, writable, pieceBytes, overlapBytes });
      for (const { start, bytes } of pieces)
        this.#memory.add({ iova: iova + start, memory: bytes, readable, writable });
      return 0;
    } catch (error) {
      if (error instanceof SysError) return error.errno;
      throw error;
    }
  }

  /** DMA_UNMAP: one range exactly as it was mapped, or all of them. Nothing tracks dirty pages. */
  unmap(x: Exchange): number {
    const u = this.#unmap;
    const { sizeBytes } = p.vfio_user_dma_unmap;
    if (!x.load(p.vfio_user_dma_unmap, u) || u.argsz < sizeBytes) return EINVAL;
    const iova = p.u64(u.addr_lo, u.addr_hi);
    const size = p.u64(u.size_lo, u.size_hi);
    if (u.flags === p.VFIO_DMA_UNMAP_FLAG_ALL) {
      if (iova !== 0 || size !== 0) return EINVAL;
      this.clear();
    } else if (u.flags !== 0) return EINVAL;
    else if (this.#maps.get(iova) !== size) return ENOENT;
    else {
      this.#maps.delete(iova);
      this.#memory.remove(iova, size);
    }
    x.append(p.vfio_user_dma_unmap, u);
    return 0;
  }

  /** All windows go. */
  clear(): void {
    this.#maps.clear();
    this.#memory.clear();
  }
}
