/**
 * A guest's memory as one PCI function may reach it: DMA address -> typed-array views.
 *
 * Memory comes in *windows*: ranges of DMA addresses that are either mapped (a view of the very
 * bytes that the guest uses) or remote (bytes that only the peer can reach, by messages). Nothing
 * outside a window can be named. DMA addresses are plain numbers below 2^52; a window is at most
 * 2 GiB so that every index is a small integer.
 *
 * When a window goes away `generation` changes; whoever keeps a `DmaRange` compares it before each
 * burst and asks again.
 */

/** The peer's side of a remote window: copies that block until the peer has answered. */
export interface RemoteDma {
  /** Fills `into` from `iova`; false when the peer refused. */
  read(iova: number, into: Uint8Array): boolean;
  write(iova: number, from: Uint8Array): boolean;
}

export const maxWindowBytes = 2 ** 31;
export const maxDmaAddress = 2 ** 52;

/** Valid until the next removal of any window. */
export type DmaWindow = {
  /** The first DMA address: `address - iova` indexes the bytes. */
  readonly iova: number;
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** The guest's bytes from `iova` on; null when they may not be read or written, or are remote. */
  readonly toRead: Uint8Array | null;
  readonly toWrite: Uint8Array | null;
  /** The same bytes as numbers at any alignment, and as words; empty when remote. */
  readonly view: DataView;
  readonly words: Int32Array;
  readonly remote: RemoteDma | null;
  /** Where the window begins in the fast path's linear memory, in bytes; -1: it does not lie there. */
  readonly linear: number;
};

export type WindowSpec = {
  /** The first DMA address; a multiple of 4. */
  readonly iova: number;
  /** The whole window, from a 4-byte boundary of its buffer on; or how many remote bytes. */
  readonly memory: Uint8Array | { readonly sizeBytes: number; readonly remote: RemoteDma };
  readonly readable: boolean;
  readonly writable: boolean;
  /** As in `DmaWindow`; -1 if absent. A multiple of 4. */
  readonly linear?: number;
};

/**
 * Whoever keeps other views of a window's bytes keeps the bytes as well: by them the window's owner
 * sees whether anybody still looks at that memory (decision 19).
 */
const bytesOf = new WeakMap<Int32Array | DataView, Uint8Array>();

const noView = new DataView(new ArrayBuffer(0));
const noWords = new Int32Array(0);

export class GuestMemory {
  /** Changes whenever a window was removed. */
  generation = 0;
  /** Changes whenever there are other windows. */
  layout = 0;
  /** By address. */
  #windows: DmaWindow[] = [];
  /** The window of the last hit: most accesses fall into the same one. */
  #last: DmaWindow | null = null;

  /** One mapped, writable window at address 0: for tests and in-process drivers. */
  static over(bytes: Uint8Array, iova = 0, linear = -1): GuestMemory {
    const memory = new GuestMemory();
    memory.add({ iova, memory: bytes, readable: true, writable: true, linear });
    return memory;
  }

  /**
   * Throws a RangeError when the window is empty, too large or misaligned; the caller answers its
   * peer, and has seen to it that windows overlap only where they are the same bytes.
   */
  add(spec: WindowSpec): void {
    const { iova, memory, readable, writable, linear = -1 } = spec;
    const mapped = memory instanceof Uint8Array;
    const size = mapped ? memory.length : memory.sizeBytes;
    if (size <= 0 || size > maxWindowBytes || iova < 0 || iova + size > maxDmaAddress)
      throw new RangeError(`a DMA window of ${size} bytes at 0x${iova.toString(16)} cannot be`);
    if (iova % 4 !== 0) throw new RangeError(`DMA window at 0x${iova.toString(16)}: not aligned`);
    const words = mapped ? new Int32Array(memory.buffer, memory.byteOffset, size >>> 2) : noWords;
    const view = mapped ? new DataView(memory.buffer, memory.byteOffset, size) : noView;
    if (mapped) bytesOf.set(words, memory).set(view, memory);
    this.#windows.push({
      iova,
      end: iova + size,
      readable,
      writable,
      toRead: mapped && readable ? memory : null,
      toWrite: mapped && writable ? memory : null,
      view,
      words,
      remote: mapped ? null : memory.remote,
      linear,
    });
    this.layout++;
    this.#sort();
  }

  /** All windows, by address. */
  get windows(): readonly DmaWindow[] {
    return this.#windows;
  }

  #sort(): void {
    this.#windows.sort((one, two) => one.iova - two.iova || one.end - two.end);
  }

  /** Removes every window that lies inside the range; returns how many there were. */
  remove(iova: number, sizeBytes: number): number {
    const before = this.#windows.length;
    const end = iova + sizeBytes;
    this.#windows = this.#windows.filter((w) => w.iova < iova || w.end > end);
    const removed = before - this.#windows.length;
    if (removed > 0) this.#invalidate();
    return removed;
  }

  clear(): void {
    this.#windows = [];
    this.#invalidate();
  }

  #invalidate(): void {
    this.#last = null;
    this.generation++;
    this.layout++;
  }

  /** The window that holds all of `iova` .. `iova + length`, or null. */
  locate(iova: number, length: number): DmaWindow | null {
    // Short, so that the engine inlines it: an address that is passed to a call is an object.
    const last = this.#last;
    if (last !== null && iova >= last.iova && iova + length <= last.end) return last;
    return this.#search(iova, length);
  }

  #search(iova: number, length: number): DmaWindow | null {
    // The last window that starts at or before `iova`: of overlapping ones it reaches furthest.
    const windows = this.#windows;
    let low = 0;
    let high = windows.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((windows[middle] as DmaWindow).iova <= iova) low = middle + 1;
      else high = middle;
    }
    const found = windows[low - 1];
    if (found === undefined || iova + length > found.end) return null;
    this.#last = found;
    return found;
  }

  /** Copies `length` bytes at `iova` to `into[at..]`; false when they cannot be read. */
  read(iova: number, length: number, into: Uint8Array, at: number): boolean {
    const window = this.locate(iova, length);
    if (window === null || !window.readable) return false;
    if (window.remote !== null) return window.remote.read(iova, into.subarray(at, at + length));
    const bytes = window.toRead as Uint8Array;
    const start = iova - window.iova;
    if (length <= 64) for (let i = 0; i < length; i++) into[at + i] = bytes[start + i] as number;
    else into.set(bytes.subarray(start, start + length), at);
    return true;
  }

  /** Copies `length` bytes from `from[at..]` to `iova`; false when they cannot be written. */
  write(iova: number, from: Uint8Array, at: number, length: number): boolean {
    const window = this.locate(iova, length);
    if (window === null || !window.writable) return false;
    if (window.remote !== null) return window.remote.write(iova, from.subarray(at, at + length));
    const bytes = window.toWrite as Uint8Array;
    const start = iova - window.iova;
    if (length <= 64) for (let i = 0; i < length; i++) bytes[start + i] = from[at + i] as number;
    else bytes.set(from.subarray(at, at + length), start);
    return true;
  }

  /**
   * A range that will be used again and again (a ring, a shared page): null when `iova` is not a
   * multiple of 4 or any byte of the range cannot be reached that way.
   */
  range(iova: number, sizeBytes: number, use: 'read' | 'write' | 'both'): DmaRange | null {
    if (iova % 4 !== 0 || sizeBytes % 4 !== 0 || sizeBytes <= 0) return null;
    const window = this.locate(iova, sizeBytes);
    if (window === null) return null;
    if ((use !== 'write' && !window.readable) || (use !== 'read' && !window.writable)) return null;
    const { remote, linear, words } = window;
    const linearAt = linear < 0 ? -1 : (linear + iova - window.iova) / 4;
    if (remote === null)
      return new DmaRange(this.generation, words, (iova - window.iova) >>> 2, null, iova, linearAt);
    const copy = new Int32Array(sizeBytes >>> 2);
    return new DmaRange(this.generation, copy, 0, remote, iova, -1);
  }
}

/**
 * Words of guest memory: `words[base + i]`. A mapped range is the guest's memory itself; a remote
 * one is a copy, so `pull` before reading and `push` after writing (both are free when mapped).
 */
export class DmaRange {
  readonly generation: number;
  readonly words: Int32Array;
  readonly base: number;
  /** Where the range begins in linear memory, in words; -1: it does not lie there. */
  readonly linearAt: number;
  readonly #remote: RemoteDma | null;
  readonly #iova: number;

  constructor(
    generation: number,
    words: Int32Array,
    base: number,
    remote: RemoteDma | null,
    iova: number,
    linearAt: number,
  ) {
    this.linearAt = linearAt;
    this.generation = generation;
    this.words = words;
    this.base = base;
    this.#remote = remote;
    this.#iova = iova;
  }

  /** Refreshes `count` words from word `at` of the range on. */
  pull(at: number, count: number): void {
    if (this.#remote !== null) this.#remote.read(this.#iova + at * 4, this.#bytes(at, count));
  }

  /** Sends `count` words from word `at` of the range on to the guest. */
  push(at: number, count: number): void {
    if (this.#remote !== null) this.#remote.write(this.#iova + at * 4, this.#bytes(at, count));
  }

  #bytes(at: number, count: number): Uint8Array {
    const { buffer, byteOffset } = this.words;
    return new Uint8Array(buffer, byteOffset + (this.base + at) * 4, count * 4);
  }
}
