/**
 * Copies and word access between byte arrays at any alignment, at the speed that Node 20 allows.
 *
 * Measured for 64 B: a loop over bytes 52 ns, `set(subarray())` 29 ns, 32-bit words through a kept
 * `DataView` 15 ns; from about 128 B on `set` wins. Views are made once per byte array: the
 * memories that frames lie in are few and live long.
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

const shortBytes = 128;

/** Copies `length` bytes of `from[start ..]` to `to[at ..]`; both must have them, and not overlap. */
export function copyBytes(
  from: Uint8Array,
  start: number,
  to: Uint8Array,
  at: number,
  length: number,
): void {
  if (length >= shortBytes) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  const f = viewOf(from);
  const t = viewOf(to);
  let i = 0;
  for (; i + 16 <= length; i += 16) {
    const a = f.getInt32(start + i, true);
    const b = f.getInt32(start + i + 4, true);
    const c = f.getInt32(start + i + 8, true);
    const d = f.getInt32(start + i + 12, true);
    t.setInt32(at + i, a, true);
    t.setInt32(at + i + 4, b, true);
    t.setInt32(at + i + 8, c, true);
    t.setInt32(at + i + 12, d, true);
  }
  for (; i + 4 <= length; i += 4) t.setInt32(at + i, f.getInt32(start + i, true), true);
  for (; i < length; i++) t.setUint8(at + i, f.getUint8(start + i));
}
