/**
 * One memory of 4 GiB that WebAssembly and JavaScript both see: tables at its start, then files that
 * peers have passed, mapped over the memory's own pages. What is not used costs addresses only.
 *
 *     0 .. 64 KiB    nothing: no address of anything is 0
 *     .. 1 MiB       the module's static data
 *     .. 256 MiB     tables: typed arrays at multiples of 64
 *     .. 4 GiB       mappings
 *
 * As in `memory.ts`, a mapping that is released is overlaid at once. But its place is reused: so it
 * waits until the views that were made of it have been collected, or else a stale view would show
 * somebody else's memory (docs/decisions/0019-one-linear-memory.md).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Ranges } from '../lib/ranges.ts';
import { ENOMEM, SysError } from './errno.ts';
import { addressOf, madvise } from './libc.ts';
import {
  cut,
  extentOf,
  type Mapper,
  type Mapping,
  type MapSpec,
  mapAt,
  mapFile,
  mapNothing,
  type Piece,
  pageBytes,
} from './memory.ts';

const wasmPages = 65_536;
export const linearBytes = wasmPages * 65_536;
/** Where tables begin; before that lies what the module was compiled with. */
export const firstTable = 2 ** 20;
const firstMapping = 2 ** 28;
const tableAlignment = 64;
const MADV_HUGEPAGE = 14;
/** A part of the memory that was a mapping, with the views of it that may be still around. */
type Retired = {
  readonly start: number;
  readonly sizeBytes: number;
  readonly views: readonly WeakRef<Uint8Array>[];
};

export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly #address: number;
  readonly #tables = new Ranges(firstTable, firstMapping);
  readonly #places = new Ranges(firstMapping, linearBytes);
  #retired: Retired[] = [];
  readonly #collectEveryMs: number;
  #collectedAt = -Infinity;

  /** Throws a SysError when the process may not have so many addresses. */
  constructor({ collectEveryMs = 1000 } = {}) {
    this.#collectEveryMs = collectEveryMs;
    try {
      this.memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages });
    } catch (error) {
      throw new SysError('WebAssembly.Memory', ENOMEM, (error as Error).message);
    }
    this.#address = addressOf(new Uint8Array(this.memory.buffer, 0, 0));
    // Tables are looked up at random: fewer, larger pages are found faster. Refused, it costs nothing.
    madvise(this.#address + firstTable, firstMapping - firstTable, MADV_HUGEPAGE);
  }

  /** Zeroed words that a module can address by their `byteOffset`. Throws a RangeError when full. */
  int32(count: number): Int32Array {
    return new Int32Array(this.memory.buffer, this.#table(count * 4), count);
  }

  float64(count: number): Float64Array {
    return new Float64Array(this.memory.buffer, this.#table(count * 8), count);
  }

  #table(sizeBytes: number): number {
    const start = this.#tables.take(tableBytes(sizeBytes), tableAlignment);
    if (start < 0) throw new RangeError(`no room for a table of ${sizeBytes} bytes`);
    return start;
  }

  /** Gives a table back; nobody uses it any more. */
  free(table: Int32Array | Float64Array): void {
    const { byteOffset, byteLength } = table;
    new Uint8Array(this.memory.buffer, byteOffset, byteLength).fill(0);
    this.#tables.give(byteOffset, tableBytes(byteLength));
  }

  /** Maps a file as `mapFile` does, and throws what that throws; null when there is no room. */
  map(spec: MapSpec): LinearMapping | null {
    const extent = extentOf(spec);
    const start = this.#take(extent.length, extent.alignment);
    if (start < 0) return null;
    const address = this.#address + start;
    try {
      mapAt(address, spec, extent);
    } catch (error) {
      // What was there may be gone by now, and others must not be given addresses in our midst.
      mapNothing(address, extent.length);
      this.#places.give(start, extent.length);
      throw error;
    }
    return this.#mapping(start, extent.length, extent.before, spec);
  }

  /** Empty memory of the process's own, in whole pages; null when there is no room. */
  pages(sizeBytes: number): LinearMapping | null {
    const length = Math.ceil(sizeBytes / pageBytes) * pageBytes;
    const start = this.#take(length, pageBytes);
    if (start < 0) return null;
    return this.#mapping(start, length, 0, { sizeBytes, writable: true });
  }

  /** Where there is room in this memory, there; else as `mapFile` does. */
  readonly mapper: Mapper = (spec) => this.map(spec) ?? mapFile(spec);

  #mapping(start: number, length: number, before: number, spec: PieceSpec): LinearMapping {
    const { buffer } = this.memory;
    const linear = start + before;
    const pieces = cut(spec, (at, sizeBytes) => ({
      start: at,
      bytes: new Uint8Array(buffer, linear + at, sizeBytes),
      linear: linear + at,
    }));
    const views = pieces.map(({ bytes }) => new WeakRef(bytes));
    const { sizeBytes, writable } = spec;
    return new LinearMapping({ linear, sizeBytes, writable }, pieces, () => {
      mapNothing(this.#address + start, length);
      this.#retired.push({ start, sizeBytes: length, views });
    });
  }

  /**
   * The start of a free part, or -1. Parts that were used wait until somebody needs them: then garbage
   * is collected, which takes milliseconds, so that no client may have it done with each mapping.
   */
  #take(sizeBytes: number, alignment: number): number {
    const start = this.#places.take(sizeBytes, alignment, this.#address);
    if (start >= 0 || this.#retired.length === 0) return start;
    const now = performance.now();
    if (now - this.#collectedAt < this.#collectEveryMs) return -1;
    this.#collectedAt = now;
    collect();
    this.#retired = this.#retired.filter((retired) => {
      if (retired.views.some((view) => view.deref() !== undefined)) return true;
      this.#places.give(retired.start, retired.sizeBytes);
      return false;
    });
    return this.#places.take(sizeBytes, alignment, this.#address);
  }
}

type PieceSpec = Pick<MapSpec, 'sizeBytes' | 'writable' | 'pieceBytes' | 'overlapBytes'>;

const tableBytes = (sizeBytes: number): number =>
  Math.ceil(sizeBytes / tableAlignment) * tableAlignment;

/** A mapping that a module can address. One that is not writable must not be stored into. */
export class LinearMapping implements Mapping {
  /** Where its first byte is in the memory. */
  readonly linear: number;
  readonly sizeBytes: number;
  readonly writable: boolean;
  readonly pieces: readonly Piece[];
  readonly #release: () => void;
  #released = false;

  constructor(
    place: { readonly linear: number; readonly sizeBytes: number; readonly writable: boolean },
    pieces: readonly Piece[],
    release: () => void,
  ) {
    this.linear = place.linear;
    this.sizeBytes = place.sizeBytes;
    this.writable = place.writable;
    this.pieces = pieces;
    this.#release = release;
  }

  /** The first piece: all of it, unless it was cut. */
  get bytes(): Uint8Array {
    return (this.pieces[0] as Piece).bytes;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#release();
  }
}

let collector: (() => void) | null = null;

/** Collects garbage now. */
function collect(): void {
  if (collector === null) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as () => void;
  }
  collector();
}
