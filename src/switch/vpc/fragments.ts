/**
 * What was decided about the first fragment of a packet, for those that follow and have no ports.
 * A bounded table: a full set of four gives up one entry after the other; an entry lasts 30 seconds.
 */
import type { Prng } from '../../lib/prng.ts';
import type { Headers } from '../../net/parse.ts';
import { type Decision, place } from './decision.ts';
import { hashWords } from './hash.ts';
import type { Packet } from './packet.ts';
import { timeoutNs } from './timeouts.ts';

const ways = 4;
/** Addresses, sender and protocol, identification, and the MAC that the frame is for: its way. */
const keyWords = 12;
const stride = 16;
const column = { reason: 12, place: 13, to: 14, routed: 15 } as const;
/** In a slot: the packet came to that interface from outside, where MACs mean nothing. */
export const fromOutside = 1 << 18;
const lifeNs = timeoutNs('fragments');

export class FragmentTable {
  readonly #words: Int32Array;
  readonly #ends: Float64Array;
  readonly #rules: (string | null)[];
  readonly #key = new Int32Array(keyWords);
  readonly #seeds = new Int32Array(keyWords);
  readonly #shift: number;
  /** Which entry of a full set is next to go. */
  #victim = 0;

  /** `entries`: a power of two, at least 8. */
  constructor(entries: number, random: Prng) {
    this.#words = new Int32Array(entries * stride);
    this.#ends = new Float64Array(entries);
    this.#rules = new Array<string | null>(entries).fill(null);
    this.#shift = Math.clz32(entries / ways) + 1;
    for (let i = 0; i < keyWords; i++) this.#seeds[i] = random.next() | 1;
  }

  /** Remembers what was decided about a first fragment. */
  keep(slot: number, packet: Packet, h: Headers, now: number, made: Decision): void {
    const entry = this.#placeFor(this.#setOf(slot, packet, h), now);
    const at = entry * stride;
    this.#words.set(this.#key, at);
    this.#words[at + column.reason] = made.reason;
    this.#words[at + column.place] = made.place;
    this.#words[at + column.to] = made.to;
    this.#words[at + column.routed] = made.routed ? 1 : 0;
    this.#ends[entry] = now + lifeNs;
    this.#rules[entry] = made.rule;
  }

  /** Puts into `into` what was decided about the first fragment; false when that is not known. */
  find(slot: number, packet: Packet, h: Headers, now: number, into: Decision): boolean {
    const first = this.#setOf(slot, packet, h);
    for (let i = first; i < first + ways; i++) {
      if (!((this.#ends[i] as number) > now) || !this.#isKey(i)) continue;
      const at = i * stride;
      into.clear();
      into.reason = this.#words[at + column.reason] as number;
      into.place = this.#words[at + column.place] as number;
      into.to = this.#words[at + column.to] as number;
      into.routed = this.#words[at + column.routed] === 1;
      into.rule = this.#rules[i] as string | null;
      return true;
    }
    return false;
  }

  /** Forgets what led to an interface that is gone: its number may become another's. */
  forget(slot: number): void {
    for (let i = 0; i < this.#ends.length; i++) {
      const at = i * stride;
      const leads = this.#words[at + column.place] === place.receiver;
      if (
        (leads && this.#words[at + column.to] === slot) ||
        (this.#words[at + 8] as number) >>> 12 === slot
      )
        this.#ends[i] = 0;
    }
  }

  /** Forgets what led to gateways: their numbers may become others'. */
  forgetGateways(): void {
    for (let i = 0; i < this.#ends.length; i++)
      if (this.#words[i * stride + column.place] === place.gateway) this.#ends[i] = 0;
  }

  /** The packet's own entry, else one that is over, else the next victim. */
  #placeFor(first: number, now: number): number {
    let over = -1;
    for (let i = first; i < first + ways; i++) {
      if (this.#isKey(i)) return i;
      if (!((this.#ends[i] as number) > now)) over = i;
    }
    if (over >= 0) return over;
    this.#victim = (this.#victim + 1) % ways;
    return first + this.#victim;
  }

  /** Writes the key, and says at which entry its set begins. */
  #setOf(slot: number, p: Packet, h: Headers): number {
    const key = this.#key;
    key[0] = p.s0;
    key[1] = p.s1;
    key[2] = p.s2;
    key[3] = p.s3;
    key[4] = p.d0;
    key[5] = p.d1;
    key[6] = p.d2;
    key[7] = p.d3;
    key[8] = (slot << 12) | (p.version << 8) | p.protocol;
    key[9] = h.identification;
    key[10] = slot < fromOutside ? h.dstMacHi : 0;
    key[11] = slot < fromOutside ? h.dstMacLo : 0;
    return (hashWords(key, 0, this.#seeds) >>> this.#shift) * ways;
  }

  #isKey(entry: number): boolean {
    const at = entry * stride;
    for (let i = 0; i < keyWords; i++) if (this.#words[at + i] !== this.#key[i]) return false;
    return true;
  }
}
