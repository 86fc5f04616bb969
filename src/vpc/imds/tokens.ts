/**
 * Session tokens of the metadata service's version 2: good for one instance and for as long as was
 * asked. Nothing is kept of them: a token carries when it ends, under a keyed hash, so that any
 * number of them may be asked for.
 *
 *     0: kind | 4: nonce | 16: end, in seconds of the clock, as a float | 24: hash, 16 bytes
 */
import type { Prng } from '../../lib/prng.ts';
import { SipHash } from '../../lib/siphash.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const bodyBytes = 24;
const tokenBytes = 40;
/** As long as EC2's. */
const tokenLength = 56;

export class Tokens {
  readonly #first: SipHash;
  readonly #second: SipHash;
  readonly #random: Prng;

  /** `secret`: 32 bytes that no guest can know. `random` makes tokens differ. */
  constructor(secret: Uint8Array, random: Prng) {
    this.#first = new SipHash(secret.subarray(0, 16));
    this.#second = new SipHash(secret.subarray(16, 32));
    this.#random = random;
  }

  issue(instance: string, nowSeconds: number, seconds: number): string {
    const bytes = new Uint8Array(tokenBytes);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, 1);
    for (let at = 4; at < 16; at += 4) view.setUint32(at, this.#random.next());
    view.setFloat64(16, nowSeconds + seconds);
    bytes.set(this.#hash(instance, bytes), bodyBytes);
    return toText(bytes);
  }

  /** The seconds, rounded up, that a token is still good for; 0: it is not. */
  remaining(token: string, instance: string, nowSeconds: number): number {
    const bytes = fromText(token);
    if (bytes === null) return 0;
    const expected = this.#hash(instance, bytes);
    if (expected.some((byte, i) => byte !== bytes[bodyBytes + i])) return 0;
    const end = new DataView(bytes.buffer).getFloat64(16);
    return Math.max(0, Math.ceil(end - nowSeconds));
  }

  #hash(instance: string, bytes: Uint8Array): Uint8Array {
    const name = new TextEncoder().encode(instance);
    const input = new Uint8Array(bodyBytes + name.length);
    input.set(bytes.subarray(0, bodyBytes));
    input.set(name, bodyBytes);
    const hash = new Uint8Array(16);
    hash.set(this.#first.of(input));
    hash.set(this.#second.of(input), 8);
    return hash;
  }
}

/** Base64 with the URL's alphabet (RFC 4648, section 5): 40 bytes are 54 characters and `==`. */
function toText(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const word = (a << 16) | (b << 8) | c;
    for (let i = 18; i >= 0; i -= 6) text += alphabet[(word >>> i) & 63];
  }
  return `${text.slice(0, tokenLength - 2)}==`;
}

function fromText(text: string): Uint8Array | null {
  if (text.length !== tokenLength || !/^[\w-]{54}==$/.test(text)) return null;
  const bytes = new Uint8Array(tokenBytes + 2);
  for (let i = 0; i < tokenLength; i += 4) {
    let word = 0;
    for (let n = 0; n < 4; n++)
      word = (word << 6) | Math.max(0, alphabet.indexOf(text[i + n] as string));
    bytes.set([word >>> 16, word >>> 8, word], (i / 4) * 3);
  }
  return bytes.slice(0, tokenBytes);
}
