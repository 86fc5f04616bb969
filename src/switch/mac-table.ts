/**
 * Which port a MAC address is behind: owners (what ports were given, exact) and a learned table
 * (IEEE 802.1D's filtering database: bounded, aging).
 *
 * Both are open arrays of integers. The learned table has sets of four ways: a full set gives up
 * its oldest entry, so a sender of random addresses costs nobody more than a flooded frame.
 */

const ways = 4;
/** An empty place's port. */
const nobody = -1;

const spread = (hi: number, lo: number): number => {
  const mixed = Math.imul(lo ^ Math.imul(hi, 0x9e37_79b1), 0x85eb_ca6b);
  return mixed ^ (mixed >>> 15);
};

/** The MACs that ports own. Changes are rare and rebuild the table; look-ups are hot. */
export class OwnerTable {
  #hi = new Int32Array(8);
  #lo = new Int32Array(8);
  #port = new Int32Array(8).fill(nobody);
  #mask = 7;
  readonly #owners = new Map<number, number>();

  /** The owner's port number, or -1. */
  lookup(hi: number, lo: number): number {
    for (let i = spread(hi, lo) & this.#mask; ; i = (i + 1) & this.#mask) {
      const port = this.#port[i] as number;
      if (port === nobody || (this.#lo[i] === lo && this.#hi[i] === hi)) return port;
    }
  }

  /** False when somebody else owns `mac`. */
  add(mac: number, port: number): boolean {
    const owner = this.#owners.get(mac);
    if (owner !== undefined) return owner === port;
    this.#owners.set(mac, port);
    this.#rebuild();
    return true;
  }

  /** What another port owns stays. */
  remove(mac: number, port: number): void {
    if (this.#owners.get(mac) !== port) return;
    this.#owners.delete(mac);
    this.#rebuild();
  }

  removePort(port: number): void {
    for (const [mac, owner] of this.#owners) if (owner === port) this.#owners.delete(mac);
    this.#rebuild();
  }

  #rebuild(): void {
    let size = 8;
    while (size < this.#owners.size * 4) size *= 2;
    this.#hi = new Int32Array(size);
    this.#lo = new Int32Array(size);
    this.#port = new Int32Array(size).fill(nobody);
    this.#mask = size - 1;
    for (const [mac, port] of this.#owners) {
      const hi = Math.floor(mac / 2 ** 32);
      const lo = mac | 0;
      let i = spread(hi, lo) & this.#mask;
      while (this.#port[i] !== nobody) i = (i + 1) & this.#mask;
      this.#hi[i] = hi;
      this.#lo[i] = lo;
      this.#port[i] = port;
    }
  }
}

export class LearnedTable {
  readonly #hi: Int32Array;
  readonly #lo: Int32Array;
  readonly #port: Int32Array;
  readonly #seenAt: Float64Array;
  readonly #mask: number;
  readonly #agingNs: number;

  /** `entries`: a power of two, at least 4. */
  constructor(entries: number, agingNs: number) {
    this.#hi = new Int32Array(entries);
    this.#lo = new Int32Array(entries);
    this.#port = new Int32Array(entries).fill(nobody);
    this.#seenAt = new Float64Array(entries);
    this.#mask = entries / ways - 1;
    this.#agingNs = agingNs;
  }

  /** The port that was last seen to send from this MAC, or -1 when that is too long ago. */
  lookup(hi: number, lo: number, nowNs: number): number {
    const first = (spread(hi, lo) & this.#mask) * ways;
    for (let i = first; i < first + ways; i++) {
      if (this.#lo[i] !== lo || this.#hi[i] !== hi || this.#port[i] === nobody) continue;
      const fresh = nowNs - (this.#seenAt[i] as number) <= this.#agingNs;
      return fresh ? (this.#port[i] as number) : nobody;
    }
    return nobody;
  }

  learn(hi: number, lo: number, port: number, nowNs: number): void {
    const first = (spread(hi, lo) & this.#mask) * ways;
    let place = first;
    for (let i = first; i < first + ways; i++) {
      const known = this.#port[i] !== nobody;
      if (known && this.#lo[i] === lo && this.#hi[i] === hi) {
        place = i;
        break;
      }
      if (this.#age(i) < this.#age(place)) place = i;
    }
    this.#hi[place] = hi;
    this.#lo[place] = lo;
    this.#port[place] = port;
    this.#seenAt[place] = nowNs;
  }

  removePort(port: number): void {
    for (let i = 0; i < this.#port.length; i++) if (this.#port[i] === port) this.#port[i] = nobody;
  }

  #age(i: number): number {
    return this.#port[i] === nobody ? -Infinity : (this.#seenAt[i] as number);
  }
}
