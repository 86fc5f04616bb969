/**
 * Copies and word access between byte arrays at any alignment, at the speed that Node 20 allows.
 *
 * Measured for 64 B: a loop over bytes 52 ns, `set(subarray())` 29 ns, 32-bit words through a kept
 * `DataView` 15 ns; from 192 B on `set` wins, though each of its sub-arrays is 96 bytes of garbage.
 * Views are made once per byte array: the memories that frames lie in are few and live long.
 */

const views = new WeakMap<Uint8Array, DataView>();
const none = new Uint8Array(0);
const noView = new DataView(none.buffer);

/**
 * Views of the byte arrays that were asked for last. A frame's way touches a head and two memories
 * or, with traffic both ways, twice that.
 */
class RecentViews {
  readonly #bytes: Uint8Array[] = [none, none, none, none];
  readonly #views: DataView[] = [noView, noView, noView, noView];
  #next = 0;

  of(bytes: Uint8Array): DataView {
    const known = this.#bytes;
    if (known[0] === bytes) return this.#views[0] as DataView;
    if (known[1] === bytes) return this.#views[1] as DataView;
    if (known[2] === bytes) return this.#views[2] as DataView;
    if (known[3] === bytes) return this.#views[3] as DataView;
    return this.#find(bytes);
  }

  forget(): void {
    this.#bytes.fill(none);
    this.#views.fill(noView);
  }

  #find(bytes: Uint8Array): DataView {
    let view = views.get(bytes);
    if (view === undefined) {
      view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      views.set(bytes, view);
    }
    this.#bytes[this.#next] = bytes;
    this.#views[this.#next] = view;
    this.#next = (this.#next + 1) & 3;
    return view;
  }
}

const recent = new RecentViews();

/** All of `bytes`, as numbers at any alignment. */
export const viewOf = (bytes: Uint8Array): DataView => recent.of(bytes);

/** Lets go of the memories that were used last, so that they can be unmapped. */
export const forgetViews = (): void => recent.forget();

/** From here on a copy by the engine itself is faster than one word by word. */
export const shortBytes = 192;

/** Copies `length` bytes of `from[start ..]` to `to[at ..]`; both must have them, and not overlap. */
export function copyBytes(
  from: Uint8Array,
  start: number,
  to: Uint8Array,
  at: number,
  length: number,
): void {
  if (length < shortBytes) copyWords(viewOf(from), start, viewOf(to), at, length);
  else to.set(from.subarray(start, start + length), at);
}

/** The same between views, word by word: for fewer than `shortBytes` bytes. */
export function copyWords(
  from: DataView,
  start: number,
  to: DataView,
  at: number,
  length: number,
): void {
  // Small integers for sure: positions that come from DMA addresses are floating-point numbers to
  // the engine, and each access would convert its own.
  let f = start | 0;
  let t = at | 0;
  const end = (f + length) | 0;
  for (; f + 16 <= end; f += 16, t += 16) {
    const a = from.getInt32(f, true);
    const b = from.getInt32(f + 4, true);
    const c = from.getInt32(f + 8, true);
    const d = from.getInt32(f + 12, true);
    to.setInt32(t, a, true);
    to.setInt32(t + 4, b, true);
    to.setInt32(t + 8, c, true);
    to.setInt32(t + 12, d, true);
  }
  for (; f + 4 <= end; f += 4, t += 4) to.setInt32(t, from.getInt32(f, true), true);
  for (; f < end; f++, t++) to.setUint8(t, from.getUint8(f));
}
