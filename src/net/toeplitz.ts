/**
 * The Toeplitz hash of receive-side scaling (Microsoft's RSS specification), by tables.
 *
 * The hash of an input is the XOR, over its set bits, of the 32 bits of the key that begin at that
 * bit. So each input byte at each position has 256 possible contributions, made once per key.
 */
import { ipProtocol } from './ipv4.ts';
import { fragment, type Headers } from './parse.ts';

export const rssKeyBytes = 40;
/** Two IPv6 addresses and two ports. */
const maxInputBytes = 36;

/** Which packets are hashed with what, a union. Packets whose ports do not count (a fragment,
 * another protocol, a bit that is not set) are hashed by addresses, if those bits are set. */
export const rssInput = { ipv4: 1, tcp4: 2, udp4: 4, ipv6: 8, tcp6: 16, udp6: 32 } as const;

export class Toeplitz {
  /** The contribution of byte value b at position p: `#table[p * 256 + b]`. */
  readonly #table = new Int32Array(maxInputBytes * 256);

  /** `key`: 40 bytes, in the specification's order. */
  constructor(key: Uint8Array) {
    this.setKey(key);
  }

  /** Throws a RangeError when `key` has not 40 bytes. */
  setKey(key: Uint8Array): void {
    if (key.length !== rssKeyBytes)
      throw new RangeError(`an RSS key has ${rssKeyBytes} bytes, not ${key.length}`);
    for (let position = 0; position < maxInputBytes; position++) {
      const row = position * 256;
      for (let value = 1; value < 256; value++) {
        // A value's contribution is that of its lowest bit and of the rest, which is known.
        const lowest = 31 - Math.clz32(value & -value);
        const rest = this.#table[row + (value & (value - 1))] as number;
        this.#table[row + value] = rest ^ keyBits(key, position * 8 + 7 - lowest);
      }
    }
  }

  /** What byte value b at position p contributes: `[p * 256 + b]`. */
  get contributions(): Int32Array {
    return this.#table;
  }

  /** The hash of any input of up to 36 bytes, unsigned. */
  hash(input: Uint8Array): number {
    let hash = 0;
    for (let i = 0; i < input.length; i++)
      hash ^= this.#table[i * 256 + (input[i] as number)] as number;
    return hash >>> 0;
  }

  /** The hash of a parsed packet as a signed integer, by the inputs that are switched on; 0: none. */
  hashPacket(h: Headers, inputs: number): number {
    if (h.ipVersion === 0) return 0;
    const four = h.ipVersion === 4;
    let withPorts = false;
    if (h.fragment === fragment.none && h.l4Offset >= 0) {
      if (h.l4Protocol === ipProtocol.tcp)
        withPorts = (inputs & (four ? rssInput.tcp4 : rssInput.tcp6)) !== 0;
      else if (h.l4Protocol === ipProtocol.udp)
        withPorts = (inputs & (four ? rssInput.udp4 : rssInput.udp6)) !== 0;
    }
    if (!withPorts && (inputs & (four ? rssInput.ipv4 : rssInput.ipv6)) === 0) return 0;
    let hash = 0;
    let at = 0;
    if (four) {
      hash = this.#word(0, h.src) ^ this.#word(4, h.dst);
      at = 8;
    } else {
      hash = this.#word(0, h.src0) ^ this.#word(4, h.src1);
      hash ^= this.#word(8, h.src2) ^ this.#word(12, h.src);
      hash ^= this.#word(16, h.dst0) ^ this.#word(20, h.dst1);
      hash ^= this.#word(24, h.dst2) ^ this.#word(28, h.dst);
      at = 32;
    }
    return withPorts ? hash ^ this.#word(at, (h.srcPort << 16) | h.dstPort) : hash;
  }

  /** The contribution of four bytes at `position`. */
  #word(position: number, value: number): number {
    const table = this.#table;
    const row = position * 256;
    return (
      (table[row + (value >>> 24)] as number) ^
      (table[row + 256 + ((value >>> 16) & 255)] as number) ^
      (table[row + 512 + ((value >>> 8) & 255)] as number) ^
      (table[row + 768 + (value & 255)] as number)
    );
  }
}

/** The 32 bits of `key` from bit `start` on, counted from the first byte's highest. */
function keyBits(key: Uint8Array, start: number): number {
  let bits = 0;
  for (let i = 0; i < 32; i++) {
    const bit = start + i;
    bits = (bits << 1) | (((key[bit >>> 3] as number) >>> (7 - (bit & 7))) & 1);
  }
  return bits;
}
