/**
 * One memory of 4 GiB that WebAssembly and JavaScript both see: tables at its start, then files that
 * peers have passed, mapped over the memory's own pages. What is not used costs addresses only.
 *
 *     0 .. 64 KiB    nothing: no address of anything is 0
 *     .. 1 MiB       the module's static data
 *     .. 512 MiB     tables: typed arrays at multiples of 64
 *     .. 4 GiB       mappings
 *
 * As in `memory.ts`, a mapping that is released is overlaid at once. But places are used again: for the
 * same bytes of the same file at once, for others when the views of it have been collected, or else
 * a stale view would show somebody else's memory (docs/decisions/0019-one-linear-memory.md).
 */
import type { Stats } from 'node:fs';
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
  tryMapping,
} from './memory.ts';

const wasmPages = 65_536;
const linearBytes = wasmPages * 65_536;
/** Where tables begin; before that lies what the module was compiled with. */
const firstTable = 2 ** 20;
const firstMapping = 2 ** 29;
const tableAlignment = 64;
const MADV_HUGEPAGE = 14;
/** From `start` on, so many bytes. */
type Extent = { readonly start: number; readonly sizeBytes: number };

/** A part of the memory that is taken: by one mapping, or by all writable ones of one file together. */
type Place = Extent & {
  /** What is mapped in it; nothing: it waits for its views to go. */
  readonly mapped: Extent[];
  /** The views that were made of it and may be around. */
  views: WeakRef<Uint8Array>[];
};

/** From so many views of a place on, those that are gone are looked for. */
const manyViews = 256;
/** As many as two functions' clients may map; from here on those that nobody sees are given back first. */
const manyPlaces = 2048;

export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly #address: number;
  readonly #tables = new Ranges(firstTable, firstMapping);
  readonly #places = new Ranges(firstMapping, linearBytes);
  readonly #taken = new Set<Place>();
  /** By device and inode. */
  readonly #homes = new Map<string, Place>();
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
    const { before, length, alignment, file } = extent;
    const home = spec.writable ? this.#homeOf(file, alignment) : null;
    const inHome = { start: (home?.start ?? 0) + spec.offset - before, sizeBytes: length };
    const others = home?.mapped.filter((other) => overlap(other, inHome)) ?? [];
    if (home !== null && others.some((other) => contains(other, inHome))) {
      // Another function of the same guest: the bytes are there, if this descriptor may write them too.
      tryMapping(spec, extent);
      home.mapped.push(inHome);
      return this.#mapping(home, inHome, before, spec);
    }
    const place = home !== null && others.length === 0 ? home : this.#take(length, alignment);
    if (place === null) return null;
    const at = place === home ? inHome : { start: place.start, sizeBytes: length };
    place.mapped.push(at);
    try {
      mapAt(this.#address + at.start, spec, extent);
    } catch (error) {
      this.#empty(place, at);
      throw error;
    }
    return this.#mapping(place, at, before, spec);
  }

  /** Empty memory of the process's own, in whole pages; null when there is no room. */
  pages(sizeBytes: number): LinearMapping | null {
    const length = Math.ceil(sizeBytes / pageBytes) * pageBytes;
    const place = this.#take(length, pageBytes);
    if (place === null) return null;
    // A view of what was there before may have been stored into since.
    mapNothing(this.#address + place.start, length);
    place.mapped.push(place);
    return this.#mapping(place, place, 0, { sizeBytes, writable: true });
  }

  /** Where there is room in this memory, there; else as `mapFile` does. */
  readonly mapper: Mapper = (spec) => this.map(spec) ?? mapFile(spec);

  #mapping(place: Place, at: Extent, before: number, spec: PieceSpec): LinearMapping {
    const { buffer } = this.memory;
    const linear = at.start + before;
    const pieces = cut(spec, (start, sizeBytes) => ({
      start,
      bytes: new Uint8Array(buffer, linear + start, sizeBytes),
      linear: linear + start,
    }));
    if (place.views.length >= manyViews) place.views = place.views.filter(isAround);
    for (const { bytes } of pieces) place.views.push(new WeakRef(bytes));
    const { sizeBytes, writable } = spec;
    return new LinearMapping({ linear, sizeBytes, writable }, pieces, () => this.#empty(place, at));
  }

  /** Only what others have mapped there stays; and no hole, which somebody else could be given. */
  #empty(place: Place, at: Extent): void {
    place.mapped.splice(place.mapped.indexOf(at), 1);
    for (const { start, sizeBytes } of without(at, place.mapped))
      mapNothing(this.#address + start, sizeBytes);
    if (place.mapped.length === 0 && place.views.length === 0) this.#giveBack(place);
  }

  #giveBack(place: Place): void {
    this.#taken.delete(place);
    this.#places.give(place.start, place.sizeBytes);
    for (const [key, home] of this.#homes) if (home === place) this.#homes.delete(key);
  }

  /**
   * Where a file's writable mappings lie: each byte of it at the same place, however often a client
   * maps it anew. A view that has outlived one mapping sees the same bytes by the next one, or zeros.
   */
  #homeOf({ dev, ino, size }: Stats, alignment: number): Place | null {
    const key = `${dev} ${ino}`;
    const known = this.#homes.get(key) ?? null;
    if (known !== null && known.sizeBytes >= size) return known;
    const home = this.#take(Math.ceil(size / alignment) * alignment, alignment);
    if (home !== null) this.#homes.set(key, home);
    return home;
  }

  /** A free part, or null. Parts that were used wait until somebody needs them. */
  #take(sizeBytes: number, alignment: number): Place | null {
    if (sizeBytes > linearBytes - firstMapping) return null;
    if (this.#taken.size >= manyPlaces && !this.#reclaim()) return null;
    let start = this.#places.take(sizeBytes, alignment, this.#address);
    if (start < 0 && this.#reclaim())
      start = this.#places.take(sizeBytes, alignment, this.#address);
    if (start < 0) return null;
    const place = { start, sizeBytes, mapped: [], views: [] };
    this.#taken.add(place);
    return place;
  }

  /** Gives back the places that nobody sees; not at once again, as that takes milliseconds. */
  #reclaim(): boolean {
    const now = performance.now();
    if (now - this.#collectedAt < this.#collectEveryMs) return false;
    const empty = [...this.#taken].filter(({ mapped }) => mapped.length === 0);
    if (empty.length === 0) return false;
    this.#collectedAt = now;
    collect();
    for (const place of empty) {
      place.views = place.views.filter(isAround);
      if (place.views.length === 0) this.#giveBack(place);
    }
    return true;
  }
}

const overlap = (one: Extent, other: Extent): boolean =>
  one.start < other.start + other.sizeBytes && other.start < one.start + one.sizeBytes;

const contains = (outer: Extent, inner: Extent): boolean =>
  outer.start <= inner.start && inner.start + inner.sizeBytes <= outer.start + outer.sizeBytes;

/** The parts of an extent that no other one has. */
function without(at: Extent, others: readonly Extent[]): Extent[] {
  let parts = [at];
  for (const other of others)
    parts = parts.flatMap((part) => {
      if (!overlap(part, other)) return [part];
      const end = part.start + part.sizeBytes;
      const otherEnd = other.start + other.sizeBytes;
      return [
        { start: part.start, sizeBytes: other.start - part.start },
        { start: otherEnd, sizeBytes: end - otherEnd },
      ].filter(({ sizeBytes }) => sizeBytes > 0);
    });
  return parts;
}

const isAround = (view: WeakRef<Uint8Array>): boolean => view.deref() !== undefined;

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
