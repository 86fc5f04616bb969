/**
 * The memory of an in-process driver: one buffer, reachable by DMA at consecutive addresses, and
 * a bump allocator over it. Nothing is freed one by one: a driver takes a `mark`, allocates, and
 * `release`s back to the mark when the device has been reset.
 */
import { GuestMemory } from '../pci/guest-memory.ts';

export class DmaArena {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** What a function is given as its host's memory. */
  readonly memory: GuestMemory;
  /** The DMA address of `bytes[0]`. */
  readonly base: number;
  #next = 0;

  /**
   * Over `memory`, or so many bytes of its own; sizes, places and `base` are whole pages. `linear`: as
   * in `DmaWindow`.
   */
  constructor(memory: number | Uint8Array, base = 0, linear = -1) {
    const bytes = typeof memory === 'number' ? new Uint8Array(memory) : memory;
    if (bytes.length % 4096 !== 0 || bytes.byteOffset % 4096 !== 0 || base % 4096 !== 0)
      throw new RangeError(`an arena of ${bytes.length} bytes at ${base} is not made of pages`);
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    this.memory = GuestMemory.over(this.bytes, base, linear);
    this.base = base;
  }

  /** The DMA address of `sizeBytes` zeroed bytes. Throws a RangeError when the arena is full. */
  alloc(sizeBytes: number, align = 4096): number {
    const start = Math.ceil(this.#next / align) * align;
    if (start + sizeBytes > this.bytes.length)
      throw new RangeError(`arena: ${sizeBytes} bytes do not fit, ${start} are taken`);
    this.#next = start + sizeBytes;
    this.bytes.fill(0, start, this.#next);
    return this.base + start;
  }

  /** The index in `bytes` of a DMA address. */
  offset(address: number): number {
    return address - this.base;
  }

  /** How many bytes are taken; to be given back to `release`. */
  mark(): number {
    return this.#next;
  }

  /** Frees all that was allocated since `mark`. */
  release(mark: number): void {
    this.#next = mark;
  }
}

/** The two halves in which devices take a DMA address. */
export const addressLo = (address: number): number => address >>> 0;
export const addressHi = (address: number): number => Math.floor(address / 2 ** 32);
