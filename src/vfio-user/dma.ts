/**
 * The client's memory: DMA_MAP and DMA_UNMAP become windows of the function's `GuestMemory`.
 * Handlers return an errno, 0 when done.
 */
import { type GuestMemory, maxDmaAddress, type RemoteDma } from '../pci/guest-memory.ts';
import { EEXIST, EINVAL, ENOENT, ENOSPC, ENOTSUP, EPERM, SysError } from '../sys/errno.ts';
import { F_SEAL_SHRINK, sealsOf } from '../sys/fd.ts';
import type { Mapper, Mapping } from '../sys/memory.ts';
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
  /** What maps the files that clients pass. */
  readonly mapper: Mapper;
};

/** One range as the client mapped it; nothing is mapped here when it passed no descriptor. */
type DmaMap = { readonly sizeBytes: number; readonly mapping: Mapping | null };

export class DmaMaps {
  readonly #memory: GuestMemory;
  readonly #remote: RemoteDma;
  readonly #options: DmaOptions;
  /** By first DMA address. */
  readonly #maps = new Map<number, DmaMap>();
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
    const fd = x.fds[0];
    if (fd === undefined) {
      this.#addRemote(iova, size, readable, writable);
      this.#maps.set(iova, { sizeBytes: size, mapping: null });
      return 0;
    }
    if (this.#options.requireSealedMemory && (sealsOf(fd) & F_SEAL_SHRINK) === 0) return EPERM;
    try {
      const spec = { fd, offset, sizeBytes: size, writable, pieceBytes, overlapBytes };
      const mapping = this.#options.mapper(spec);
      for (const { start, bytes, linear } of mapping.pieces)
        this.#memory.add({ iova: iova + start, memory: bytes, readable, writable, linear });
      this.#maps.set(iova, { sizeBytes: size, mapping });
      return 0;
    } catch (error) {
      if (error instanceof SysError) return error.errno;
      throw error;
    }
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
    for (const [start, { sizeBytes }] of this.#maps) {
      if (iova < start + sizeBytes && start < iova + size) return EEXIST;
      total += sizeBytes;
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
    else {
      const found = this.#maps.get(iova);
      if (found?.sizeBytes !== size) return ENOENT;
      this.#maps.delete(iova);
      this.#memory.remove(iova, size);
      found.mapping?.release();
    }
    x.append(p.vfio_user_dma_unmap, u);
    return 0;
  }

  /** All windows go; what still holds a part of one, holds nothing of the client's any more. */
  clear(): void {
    this.#memory.clear();
    for (const { mapping } of this.#maps.values()) mapping?.release();
    this.#maps.clear();
  }
}
