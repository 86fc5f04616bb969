/**
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed hash that nobody can forge who does not
 * know the key. 64-bit words are pairs of 32-bit ones, the low half first.
 */

/** v0 .. v3 before the key: "somepseudorandomlygeneratedbytes". */
const initial = new TextEncoder().encode('uespemosmodnarodarenegylsetybdet');

export class SipHash {
  readonly #key: Int32Array;
  readonly #v = new Int32Array(8);

  /** `key`: 16 bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16);
    const start = new DataView(initial.buffer);
    this.#key = Int32Array.from({ length: 8 }, (_, i) => {
      return view.getInt32((i % 4) * 4, true) ^ start.getInt32(i * 4, true);
    });
  }

  /** The hash of `bytes`: eight bytes, the lowest first. */
  of(bytes: Uint8Array): Uint8Array {
    const v = this.#v;
    v.set(this.#key);
    const whole = bytes.length & ~7;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < whole; at += 8)
      this.#word(view.getInt32(at, true), view.getInt32(at + 4, true));
    const last = new Uint8Array(8);
    last.set(bytes.subarray(whole));
    last[7] = bytes.length;
    const tail = new DataView(last.buffer);
    this.#word(tail.getInt32(0, true), tail.getInt32(4, true));
    v[4] = (v[4] as number) ^ 0xff;
    for (let i = 0; i < 4; i++) this.#round();
    const result = new DataView(new ArrayBuffer(8));
    for (const half of [0, 1]) {
      const word = [0, 2, 4, 6].reduce((all, i) => all ^ (v[i + half] as number), 0);
      result.setInt32(half * 4, word, true);
    }
    return new Uint8Array(result.buffer);
  }

  #word(low: number, high: number): void {
    const v = this.#v;
    v[6] = (v[6] as number) ^ low;
    v[7] = (v[7] as number) ^ high;
    this.#round();
    this.#round();
    v[0] = (v[0] as number) ^ low;
    v[1] = (v[1] as number) ^ high;
  }

  #round(): void {
    this.#mix(0, 2, 13, true);
    this.#mix(4, 6, 16, false);
    this.#mix(0, 6, 21, false);
    this.#mix(4, 2, 17, true);
  }

  /** v[a] += v[b]; v[b] = rotl(v[b], by) ^ v[a]; then, `swap`: v[a] = rotl(v[a], 32). */
  #mix(a: number, b: number, by: number, swap: boolean): void {
    const v = this.#v;
    const bLow = v[b] as number;
    const bHigh = v[b + 1] as number;
    const sum = ((v[a] as number) >>> 0) + (bLow >>> 0);
    const low = sum | 0;
    const high = ((v[a + 1] as number) + bHigh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
    v[b] = ((bLow << by) | (bHigh >>> (32 - by))) ^ low;
    v[b + 1] = ((bHigh << by) | (bLow >>> (32 - by))) ^ high;
    v[a] = swap ? high : low;
    v[a + 1] = swap ? low : high;
  }
}
