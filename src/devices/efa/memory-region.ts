/**
 * A memory region: addresses of an application, the pages of guest memory that they stand for, and what
 * may be done with them. Every access is checked against its bounds here and against the guest's
 * DMA map as it is then.
 */
import type { Frame } from '../../net/frame.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';

export class MemoryRegion {
  readonly pd: number;
  /** The whole keys: with their variable part, which fast registration changes. */
  lkey: number;
  rkey: number;
  permissions = 0;
  /** The first address, and how many bytes. */
  iova = 0;
  length = 0;
  /** Of ALLOC_MR: what it may become; 0: registered for good. */
  readonly maxPages: number;
  /** DMA addresses of the pages; null: addresses are DMA addresses themselves. */
  #pages: Float64Array | null = new Float64Array(0);
  #pageBytes = 4096;
  /** Where in the first page the region begins. */
  #start = 0;

  constructor(pd: number, lkey: number, rkey: number, maxPages: number) {
    this.pd = pd;
    this.lkey = lkey;
    this.rkey = rkey;
    this.maxPages = maxPages;
  }

  get pageCount(): number {
    return Math.max(this.maxPages, this.#pages?.length ?? 0);
  }

  map(iova: number, length: number, pageBytes: number, pages: Float64Array): void {
    this.iova = iova;
    this.length = length;
    this.#pages = pages;
    this.#pageBytes = pageBytes;
    this.#start = iova % pageBytes;
  }

  /** Addresses of this region are DMA addresses. */
  mapPhysical(iova: number, length: number): void {
    this.iova = iova;
    this.length = length;
    this.#pages = null;
    this.#start = 0;
  }

  /** Fast invalidation: it has no bytes until it is registered again. */
  unmap(): void {
    this.length = 0;
    this.permissions = 0;
    this.#pages = new Float64Array(0);
  }

  /** Whether all of `address .. address + length` is the region's, for these uses. */
  allows(address: number, length: number, permissions: number): boolean {
    const offset = address - this.iova;
    if (offset < 0 || length > this.length || offset > this.length - length) return false;
    return (this.permissions & permissions) === permissions;
  }

  /** Adds bytes that `allows` said yes to to a frame; false: the guest's memory has them no more. */
  addTo(frame: Frame, memory: GuestMemory, address: number, length: number, room: Bounce): boolean {
    let at = address;
    let left = length;
    while (left > 0) {
      const iova = this.#dmaAddress(at);
      const part = Math.min(left, this.#contiguous(at, left));
      const window = memory.locate(iova, part);
      if (window === null) return false;
      const bytes = window.toRead;
      if (bytes === null) {
        const start = room.take(part);
        if (start < 0 || !memory.read(iova, part, room.bytes, start)) return false;
        if (!frame.add(room.bytes, start, part)) return false;
      } else if (!frame.add(bytes, iova - window.iova, part)) return false;
      at += part;
      left -= part;
    }
    return true;
  }

  /** Copies bytes `from ..` of a frame to where `allows` said yes to; false as above. */
  take(
    frame: Frame,
    from: number,
    memory: GuestMemory,
    address: number,
    length: number,
    room: Bounce,
  ): boolean {
    let at = address;
    let left = length;
    let source = from;
    while (left > 0) {
      const iova = this.#dmaAddress(at);
      const part = Math.min(left, this.#contiguous(at, left));
      const window = memory.locate(iova, part);
      if (window === null) return false;
      const bytes = window.toWrite;
      if (bytes === null) {
        const start = room.take(part);
        if (start < 0) return false;
        frame.copyPart(source, part, room.bytes, start);
        if (!memory.write(iova, room.bytes, start, part)) return false;
      } else frame.copyPart(source, part, bytes, iova - window.iova);
      at += part;
      left -= part;
      source += part;
    }
    return true;
  }

  #dmaAddress(address: number): number {
    const pages = this.#pages;
    if (pages === null) return address;
    const place = this.#start + (address - this.iova);
    const page = Math.floor(place / this.#pageBytes);
    return (pages[page] as number) + (place - page * this.#pageBytes);
  }

  /** Bytes from `address` on that lie in one piece of DMA addresses, `wanted` at most. */
  #contiguous(address: number, wanted: number): number {
    const pages = this.#pages;
    if (pages === null) return wanted;
    const size = this.#pageBytes;
    const place = this.#start + (address - this.iova);
    let page = Math.floor(place / size);
    let have = (page + 1) * size - place;
    while (have < wanted && pages[page + 1] === (pages[page] as number) + size) {
      have += size;
      page++;
    }
    return have;
  }
}

/** Private memory for bytes that only the client can reach: as much as one packet has. */
export class Bounce {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #sizeBytes: number;
  #used = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  clear(): void {
    this.#used = 0;
  }

  /** Where `length` bytes of room begin, or -1. */
  take(length: number): number {
    if (this.bytes.length === 0) this.bytes = new Uint8Array(this.#sizeBytes);
    if (this.#used + length > this.#sizeBytes) return -1;
    const at = this.#used;
    this.#used += length;
    return at;
  }
}
