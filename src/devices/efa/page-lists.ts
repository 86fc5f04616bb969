/**
 * The pages of a region as its driver lists them: up to four in the command itself, a list in one piece
 * of guest memory, or a list in pages which chained chunks name (`efa_verbs.c`: chunks of 4096 bytes
 * hold 510 addresses, then length and address of the next chunk).
 */
import type { GuestMemory } from '../../pci/guest-memory.ts';

export type PageList =
  | {
      readonly kind: 'inline';
      readonly count: number;
      readonly words: Int32Array;
      readonly at: number;
    }
  | {
      readonly kind: 'direct' | 'indirect';
      readonly count: number;
      readonly address: number;
      readonly length: number;
    };

const pow32 = 2 ** 32;
const maxInline = 4;
const entryBytes = 8;
const chunkBytes = 4096;
const pointersPerChunk = 510;
const pointerBytes = 12;
const entriesPerPage = 4096 / entryBytes;

export class PageLists {
  readonly #memory: GuestMemory;
  readonly #chunk = new Uint8Array(chunkBytes);
  readonly #chunkView = new DataView(this.#chunk.buffer);
  readonly #page = new Uint8Array(chunkBytes);
  readonly #pageView = new DataView(this.#page.buffer);

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** The addresses, each of them aligned and in guest memory; or the rule that the list breaks. */
  read(list: PageList, pageBytes: number): Float64Array | 'mr-page-list' | 'mr-pages' {
    const pages = new Float64Array(list.count);
    if (!this.#fill(list, pages)) return 'mr-page-list';
    for (let i = 0; i < pages.length; i++) {
      const page = pages[i] as number;
      if (page % pageBytes !== 0 || !this.#isMapped(page, pageBytes)) return 'mr-pages';
    }
    return pages;
  }

  /** A huge page may lie in several windows of memory: its first and last bytes must be there. */
  #isMapped(page: number, pageBytes: number): boolean {
    if (this.#memory.locate(page, Math.min(pageBytes, 4096)) === null) return false;
    return pageBytes <= 4096 || this.#memory.locate(page + pageBytes - 4096, 4096) !== null;
  }

  #fill(list: PageList, pages: Float64Array): boolean {
    if (list.kind === 'inline') {
      if (list.count > maxInline) return false;
      for (let i = 0; i < list.count; i++) {
        const low = (list.words[list.at + 2 * i] as number) >>> 0;
        pages[i] = low + ((list.words[list.at + 2 * i + 1] as number) >>> 0) * pow32;
      }
      return true;
    }
    if (list.kind === 'direct') {
      if (list.length < list.count * entryBytes) return false;
      for (let i = 0; i < list.count; i += entriesPerPage)
        if (!this.#take(list.address + i * entryBytes, pages, i)) return false;
      return true;
    }
    return this.#fillIndirect(list.address, list.length, pages);
  }

  #fillIndirect(first: number, firstLength: number, pages: Float64Array): boolean {
    let address = first;
    let length = firstLength;
    let at = 0;
    while (at < pages.length) {
      const wanted = Math.ceil((pages.length - at) / entriesPerPage);
      const pointers = Math.min(pointersPerChunk, wanted);
      const isLast = wanted <= pointersPerChunk;
      const bytes = isLast ? pointers * entryBytes : chunkBytes - 4;
      if (length < bytes || !this.#memory.read(address, bytes, this.#chunk, 0)) return false;
      for (let i = 0; i < pointers; i++, at += entriesPerPage)
        if (!this.#take(this.#pointer(i * entryBytes), pages, at)) return false;
      if (isLast) return true;
      const next = pointersPerChunk * entryBytes;
      length = this.#chunkView.getUint32(next, true);
      address = this.#pointer(next + pointerBytes - entryBytes);
    }
    return true;
  }

  #pointer(at: number): number {
    return this.#chunkView.getUint32(at, true) + this.#chunkView.getUint32(at + 4, true) * pow32;
  }

  /** One page of entries, from `iova`, to `pages[at ..]`. */
  #take(iova: number, pages: Float64Array, at: number): boolean {
    const count = Math.min(entriesPerPage, pages.length - at);
    if (!this.#memory.read(iova, count * entryBytes, this.#page, 0)) return false;
    for (let i = 0; i < count; i++) {
      const low = this.#pageView.getUint32(i * entryBytes, true);
      pages[at + i] = low + this.#pageView.getUint32(i * entryBytes + 4, true) * pow32;
    }
    return true;
  }
}
