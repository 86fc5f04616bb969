/**
 * Memory keys that tell nothing of each other: the counter mode of Speck64/128 (Beaulieu and others,
 * 2013) over a secret. Who knows some keys of a function cannot compute another one.
 */
const rounds = 27;
const counterConstant = 0x9e37_79b9;

export class KeyStream {
  readonly #schedule = new Uint32Array(rounds);
  #counter = 0;

  /** `secret`: four words that nobody else knows. */
  constructor(secret: Uint32Array) {
    const [a = 0, b = 0, c = 0, d = 0] = secret;
    const l = [b, c, d];
    let key = a;
    for (let i = 0; i < rounds; i++) {
      this.#schedule[i] = key;
      const next = ((key + rotateRight(l[i % 3] as number, 8)) ^ i) >>> 0;
      l[i % 3] = next;
      key = (rotateLeft(key, 3) ^ next) >>> 0;
    }
  }

  /** 32 bits that never came before in this order. */
  next(): number {
    let x = this.#counter++ >>> 0;
    let y = counterConstant;
    for (const key of this.#schedule) {
      x = ((rotateRight(x, 8) + y) ^ key) >>> 0;
      y = (rotateLeft(y, 3) ^ x) >>> 0;
    }
    return x;
  }
}

const rotateRight = (x: number, n: number): number => ((x >>> n) | (x << (32 - n))) >>> 0;
const rotateLeft = (x: number, n: number): number => ((x << n) | (x >>> (32 - n))) >>> 0;
