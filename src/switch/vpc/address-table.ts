/**
 * Who has an address in a VPC: an open-addressing table of integers, made once and never changed.
 * An IPv4 address is the last of the four words, the others are 0.
 */

/** Values that are not the number of an interface. */
export const owner = {
  nobody: -1,
  /** A subnet's router. */
  router: -2,
  /** The VPC's resolver. */
  resolver: -3,
} as const;

export type OwnedAddress = {
  readonly version: 4 | 6;
  readonly words: readonly [number, number, number, number];
  /** The interface's number, or one of `owner`. */
  readonly value: number;
};

/** Version, address, value. */
const stride = 6;

export class AddressTable {
  readonly #words: Int32Array;
  readonly #mask: number;

  /** Of two that are the same address, the first one counts. */
  constructor(addresses: readonly OwnedAddress[]) {
    let size = 8;
    while (size < addresses.length * 2) size *= 2;
    this.#words = new Int32Array(size * stride);
    this.#mask = size - 1;
    for (const { version, words, value } of addresses) {
      const [a0, a1, a2, a3] = words;
      const at = this.#place(version, a0, a1, a2, a3);
      if (this.#words[at] === 0) this.#words.set([version, a0, a1, a2, a3, value], at);
    }
  }

  /** Whose address it is: the number of an interface, or one of `owner`. */
  find(version: number, a0: number, a1: number, a2: number, a3: number): number {
    const at = this.#place(version, a0, a1, a2, a3);
    return this.#words[at] === 0 ? owner.nobody : (this.#words[at + 5] as number);
  }

  /** Where the address stands, or the free place where it would. */
  #place(version: number, a0: number, a1: number, a2: number, a3: number): number {
    const words = this.#words;
    let i = Math.imul(a0 ^ Math.imul(a1, 0x9e37_79b1), 0x85eb_ca6b) ^ a2;
    i = Math.imul(Math.imul(i, 0xc2b2_ae35) ^ a3, 0x9e37_79b1);
    i ^= i >>> 15;
    for (; ; i++) {
      const at = (i & this.#mask) * stride;
      if (words[at] === 0) return at;
      if (
        words[at + 4] === a3 &&
        words[at] === version &&
        words[at + 3] === a2 &&
        words[at + 2] === a1 &&
        words[at + 1] === a0
      )
        return at;
    }
  }
}
