/**
 * Decisions by flow: the whole way of a packet through the VPC, remembered under what it was decided
 * by. One look-up stands for all gates and routes together.
 *
 * Sets of four records in one array of integers, and two sets that a flow may be in. When both are
 * full of what counts, a record that has room in its other set goes there; else one after the other is
 * given up. So a look-up compares eight records at most, whoever sends what, and a flood of new flows
 * costs others a longer way, no more. As long as half of the records are free nobody loses one; with a
 * tenth of them free one flow in a hundred does.
 */
import { type Arena, ordinaryArena } from '../../lib/arena.ts';
import type { Prng } from '../../lib/prng.ts';
import { fragment, type Headers } from '../../net/parse.ts';
import { tcpFlag } from '../../net/tcp.ts';
import type { Decision } from './decision.ts';
import { spreadBits } from './hash.ts';

export const ways = 4;

/** A flow's second set is where this, times the hash, leads. */
export const secondFactor = 0x9e37_79b1;

/** Where things stand in a record; the key of IPv6 goes on behind them. */
export const field = {
  source: 0,
  destination: 1,
  ports: 2,
  dstMacLo: 3,
  dstMacHi: 4,
  /** The sender's slot and the protocol. */
  from: 5,
  /** The router's count of changes when this was decided; 0: the record is free. */
  epoch: 6,
  reason: 7,
  /** `place`, plus `routedFlag`. */
  place: 8,
  to: 9,
  slotA: 10,
  markA: 11,
  slotB: 12,
  markB: 13,
  source0: 16,
  destination0: 19,
} as const;

/** Words of the key, at the start of a record, and of the rest of it for IPv6. */
const keyWords = 6;
const restWords = 6;

export const routedFlag = 4;

/** Whether a frame is one that flow tables know: whole, with ports or none, opening nothing. */
export const isOrdinary = (h: Headers): boolean =>
  h.l4Offset >= 0 &&
  h.fragment === fragment.none &&
  (h.tcpFlags & (tcpFlag.syn | tcpFlag.ack)) !== tcpFlag.syn &&
  h.icmpType < 0 &&
  h.vlan < 0 &&
  !h.malformed;

/** What it takes to find a record in the words of a table, as `find` does. */
export type FlowTableLayout = {
  /** From these words on records of `1 << strideLog` words. */
  readonly words: Int32Array;
  readonly strideLog: number;
  /**
   * The hash, shifted right by so many bits, is the number of a set of `ways` records; times
   * `secondFactor` that of the other one.
   */
  readonly shift: number;
  /** Secret odd numbers, for source, destination, ports, MAC and sender; then for the rest of an IPv6 key. */
  readonly seeds: Int32Array;
};

export class FlowTable {
  readonly words: Int32Array;
  /** By record. */
  readonly rules: (string | null)[];
  readonly #isV6: boolean;
  readonly #stride: number;
  readonly #strideLog: number;
  readonly #shift: number;
  /** Secret odd numbers, one per word of the key; see `hash.ts`. */
  readonly #seeds: Int32Array;
  readonly #s0: number;
  readonly #s1: number;
  readonly #s2: number;
  readonly #s3: number;
  readonly #s4: number;
  readonly #s5: number;
  /** Which record of a full set is next to go. */
  #victim = 0;

  /** `entries`: a power of two, at least 8. */
  constructor(version: 4 | 6, entries: number, random: Prng, arena: Arena = ordinaryArena) {
    this.#isV6 = version === 6;
    this.#strideLog = version === 6 ? 5 : 4;
    this.#stride = 1 << this.#strideLog;
    this.words = arena.int32(entries * this.#stride);
    this.rules = new Array<string | null>(entries).fill(null);
    this.#shift = Math.clz32(entries / ways) + 1;
    this.#seeds = Int32Array.from({ length: 12 }, () => random.next() | 1);
    const [s0 = 1, s1 = 1, s2 = 1, s3 = 1, s4 = 1, s5 = 1] = this.#seeds;
    this.#s0 = s0;
    this.#s1 = s1;
    this.#s2 = s2;
    this.#s3 = s3;
    this.#s4 = s4;
    this.#s5 = s5;
  }

  describe(): FlowTableLayout {
    const { words } = this;
    return { words, strideLog: this.#strideLog, shift: this.#shift, seeds: this.#seeds };
  }

  /** Where the record of a frame's flow begins, decided at `epoch`; or -1. */
  find(slot: number, h: Headers, epoch: number): number {
    const ports = (h.srcPort << 16) | h.dstPort;
    const from = (slot << 8) | h.l4Protocol;
    const hash = this.#hash(h, ports, from);
    let at = this.#findIn(this.#setOf(hash), h, ports, from);
    if (at < 0) at = this.#findIn(this.#setOf(Math.imul(hash, secondFactor)), h, ports, from);
    return at >= 0 && this.words[at + field.epoch] === epoch ? at : -1;
  }

  /** The same in the set that begins at `first`, of whatever epoch. */
  #findIn(first: number, h: Headers, ports: number, from: number): number {
    const { words } = this;
    const stride = this.#stride;
    const end = first + ways * stride;
    for (let at = first; at < end; at += stride) {
      if (words[at + field.ports] !== ports || words[at] !== h.src) continue;
      if (words[at + field.destination] !== h.dst || words[at + field.from] !== from) continue;
      if (words[at + field.dstMacLo] !== h.dstMacLo) continue;
      if (words[at + field.dstMacHi] !== h.dstMacHi) continue;
      if (this.#isV6 && !this.#isSame6(at, h)) continue;
      return at;
    }
    return -1;
  }

  /** Remembers a decision. */
  keep(slot: number, h: Headers, epoch: number, decision: Decision): void {
    const { words } = this;
    const ports = (h.srcPort << 16) | h.dstPort;
    const from = (slot << 8) | h.l4Protocol;
    const at = this.#placeFor(h, ports, from, epoch);
    words[at] = h.src;
    words[at + field.destination] = h.dst;
    words[at + field.ports] = ports;
    words[at + field.dstMacLo] = h.dstMacLo;
    words[at + field.dstMacHi] = h.dstMacHi;
    words[at + field.from] = from;
    words[at + field.epoch] = epoch;
    words[at + field.reason] = decision.reason;
    words[at + field.place] = decision.place | (decision.routed ? routedFlag : 0);
    words[at + field.to] = decision.to;
    words[at + field.slotA] = decision.slotA;
    words[at + field.markA] = decision.markA;
    words[at + field.slotB] = decision.slotB;
    words[at + field.markB] = decision.markB;
    if (this.#isV6) {
      words[at + field.source0] = h.src0;
      words[at + field.source0 + 1] = h.src1;
      words[at + field.source0 + 2] = h.src2;
      words[at + field.destination0] = h.dst0;
      words[at + field.destination0 + 1] = h.dst1;
      words[at + field.destination0 + 2] = h.dst2;
    }
    this.rules[at >>> this.#strideLog] = decision.rule;
  }

  ruleAt(at: number): string | null {
    return this.rules[at >>> this.#strideLog] as string | null;
  }

  /** The flow's own record, else a free one or one of an old policy, else one that is given up. */
  #placeFor(h: Headers, ports: number, from: number, epoch: number): number {
    const hash = this.#hash(h, ports, from);
    const first = this.#setOf(hash);
    const second = this.#setOf(Math.imul(hash, secondFactor));
    let place = this.#findIn(first, h, ports, from);
    if (place < 0) place = this.#findIn(second, h, ports, from);
    if (place < 0) place = this.#freeIn(first, epoch);
    if (place < 0) place = this.#freeIn(second, epoch);
    if (place < 0) place = this.#makeRoomIn(first, epoch);
    if (place < 0) place = this.#makeRoomIn(second, epoch);
    if (place >= 0) return place;
    this.#victim = (this.#victim + 1) % ways;
    return first + this.#victim * this.#stride;
  }

  /** A record of a set that is of no use at `epoch`, or -1. */
  #freeIn(first: number, epoch: number): number {
    const stride = this.#stride;
    const end = first + ways * stride;
    for (let at = first; at < end; at += stride)
      if (this.words[at + field.epoch] !== epoch) return at;
    return -1;
  }

  /** Moves one record of a set to its other set, if that has room for one: where it was; or -1. */
  #makeRoomIn(first: number, epoch: number): number {
    const { words, rules } = this;
    const stride = this.#stride;
    const end = first + ways * stride;
    for (let at = first; at < end; at += stride) {
      const hash = this.#hashOfRecord(at);
      const one = this.#setOf(hash);
      const to = this.#freeIn(
        one === first ? this.#setOf(Math.imul(hash, secondFactor)) : one,
        epoch,
      );
      if (to < 0) continue;
      words.copyWithin(to, at, at + stride);
      rules[to >>> this.#strideLog] = rules[at >>> this.#strideLog] as string | null;
      return at;
    }
    return -1;
  }

  /** Where the set begins that a hash leads to. */
  #setOf(hash: number): number {
    return (hash >>> this.#shift) * ways * this.#stride;
  }

  #hash(h: Headers, ports: number, from: number): number {
    let sum =
      Math.imul(h.src, this.#s0) +
      Math.imul(h.dst, this.#s1) +
      (Math.imul(ports, this.#s2) + Math.imul(h.dstMacLo, this.#s3)) +
      (Math.imul(h.dstMacHi, this.#s4) + Math.imul(from, this.#s5));
    if (this.#isV6) sum += this.#sum6(h);
    return spreadBits(sum | 0);
  }

  /** The same of what a record is found by. */
  #hashOfRecord(at: number): number {
    const { words } = this;
    const seeds = this.#seeds;
    let sum = 0;
    for (let i = 0; i < keyWords; i++)
      sum += Math.imul(words[at + i] as number, seeds[i] as number);
    if (this.#isV6)
      for (let i = 0; i < restWords; i++)
        sum += Math.imul(words[at + field.source0 + i] as number, seeds[keyWords + i] as number);
    return spreadBits(sum | 0);
  }

  #sum6(h: Headers): number {
    const seeds = this.#seeds;
    return (
      Math.imul(h.src0, seeds[6] as number) +
      Math.imul(h.src1, seeds[7] as number) +
      Math.imul(h.src2, seeds[8] as number) +
      (Math.imul(h.dst0, seeds[9] as number) +
        Math.imul(h.dst1, seeds[10] as number) +
        Math.imul(h.dst2, seeds[11] as number))
    );
  }

  #isSame6(at: number, h: Headers): boolean {
    const { words } = this;
    return (
      words[at + field.source0 + 2] === h.src2 &&
      words[at + field.destination0 + 2] === h.dst2 &&
      words[at + field.source0 + 1] === h.src1 &&
      words[at + field.destination0 + 1] === h.dst1 &&
      words[at + field.source0] === h.src0 &&
      words[at + field.destination0] === h.dst0
    );
  }
}
