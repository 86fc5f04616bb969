/**
 * Tracked connections: which packets an interface has let through, so that the other direction's
 * may pass too. Each interface tracks for itself, as in EC2 ("Security group connection tracking").
 *
 * A bounded table of integers. Records are found by a seeded hash and chains of bounded length; the
 * records of one account form a ring, along which each new connection looks for old ones that are
 * over. So the work per packet is bounded, and a full table refuses new connections only.
 */
import { type Arena, ordinaryArena } from '../../lib/arena.ts';
import { nsPerMs } from '../../lib/clock.ts';
import type { Prng } from '../../lib/prng.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { tcpFlag } from '../../net/tcp.ts';
import { hashWords } from './hash.ts';
import type { Nic, TrackingAccount } from './nic.ts';
import { keyWords, kind, type Packet } from './packet.ts';
import { timeoutNs } from './timeouts.ts';

/** A chain as long as this has no room: only a sender who knows the seeds could make one. */
const maxChain = 64;
/** Records of the account that a new connection looks at: when there is room, and when not. */
const sweepNow = 2;
const sweepWhenFull = 128;
/** Then who needs room is refused for a while, so that a flood costs no search per packet. */
const searchPauseNs = nsPerMs;

/** What each packet needs of a record, in words; in one cache line. */
export const hot = {
  words: 8,
  /** As 64-bit numbers: when the connection will have been idle for too long, and how long that is. */
  idleEnd: 0,
  idleLength: 2,
  generation: 4,
  state: 5,
} as const;
const hotWords = hot.words;
const hotDoubles = hotWords / 2;
/** Words of what finds it. */
const coldWords = 16;
const cold = { chain: keyWords, next: keyWords + 1, previous: keyWords + 2 } as const;

/** Bits of a record's state. */
export const bit = {
  /** A packet that says nothing new prolongs it, no more. */
  settled: 1,
  /** The interface itself began it. */
  begunHere: 2,
  /** The last packet that could change anything was sent by the interface. */
  lastOutward: 4,
  tcp: 8,
  udp: 16,
  closing: 32,
  finFromHere: 64,
  finFromThere: 128,
  /** UDP: a response has followed a request. */
  answered: 256,
  /** The record is in use. */
  alive: 512,
} as const;

const finRst = tcpFlag.fin | tcpFlag.rst;

export class Tracker {
  readonly capacity: number;
  /** What identifies the connection that is looked for. */
  readonly key = new Int32Array(keyWords);
  /** The rule that let each connection begin. */
  readonly rules: (string | null)[] = [];
  count = 0;

  /** The time now, in an array: as an argument it would be an object of its own for each packet. */
  readonly #clock: Float64Array;
  readonly #nics: readonly (Nic | null)[];
  readonly #hot: Int32Array;
  readonly #times: Float64Array;
  readonly #cold: Int32Array;
  /** First record of each chain, plus one; 0: none. */
  readonly #heads: Int32Array;
  readonly #shift: number;
  readonly #seeds = new Int32Array(keyWords);
  /** Records that were used and are free, linked by `chain`; -1: none. */
  #free = -1;
  /** Records from here on were never used. */
  #fresh = 0;
  /** Where the search for records that are over goes on when the whole table is full, and when. */
  #hand = 0;
  #searchAt = 0;

  /** `capacity`: a power of two. `nics`: by slot. `clock`: where the time stands. */
  constructor(
    capacity: number,
    nics: readonly (Nic | null)[],
    random: Prng,
    clock: Float64Array,
    arena: Arena = ordinaryArena,
  ) {
    this.#clock = clock;
    this.capacity = capacity;
    this.#nics = nics;
    this.#hot = arena.int32(capacity * hotWords);
    const { buffer, byteOffset } = this.#hot;
    this.#times = new Float64Array(buffer, byteOffset, capacity * hotDoubles);
    this.#cold = new Int32Array(capacity * coldWords);
    this.#heads = new Int32Array(capacity);
    this.#shift = Math.clz32(capacity) + 1;
    for (let i = 0; i < keyWords; i++) this.#seeds[i] = random.next() | 1;
  }

  /** All records, as `hot` says. */
  get records(): Int32Array {
    return this.#hot;
  }

  /** A record's generation: another one when it is used for another connection. */
  generation(slot: number): number {
    return this.#hot[slot * hotWords + hot.generation] as number;
  }

  isClosing(slot: number): boolean {
    return ((this.#hot[slot * hotWords + hot.state] as number) & bit.closing) !== 0;
  }

  /** The connection of `key` that is alive, or -1. */
  find(): number {
    const slot = this.#search();
    if (slot < 0 || !this.#isOver(slot)) return slot;
    this.end(slot);
    return -1;
  }

  #isOver(slot: number): boolean {
    return !((this.#times[slot * hotDoubles] as number) > (this.#clock[0] as number));
  }

  /**
   * A packet of the connection: it lives on. False when the record is over, or another connection's
   * by now.
   */
  touch(slot: number, generation: number, outward: boolean, tcpFlags: number): boolean {
    const at = slot * hotWords;
    if (this.#hot[at + hot.generation] !== generation || this.#isOver(slot)) return false;
    const state = this.#hot[at + hot.state] as number;
    const turned = outward !== ((state & bit.lastOutward) !== 0);
    if ((turned && (state & bit.settled) === 0) || (tcpFlags & finRst) !== 0)
      this.#advance(slot, outward, tcpFlags);
    const time = slot * hotDoubles;
    this.#times[time] = (this.#clock[0] as number) + (this.#times[time + 1] as number);
    return true;
  }

  /** A new connection of `key`, which is not in the table; its slot, or -1 when there is no room. */
  begin(nic: Nic, packet: Packet, outward: boolean, rule: string | null): number {
    if (!this.#makeRoom(nic.account)) return -1;
    const bucket = this.#bucketOf(this.key, 0);
    if (this.#chainLength(bucket) >= maxChain) return -1;
    const slot = this.#take();
    const at = slot * coldWords;
    for (let i = 0; i < keyWords; i++) this.#cold[at + i] = this.key[i] as number;
    this.#cold[at + cold.chain] = this.#heads[bucket] as number;
    this.#heads[bucket] = slot + 1;
    this.#join(nic.account, slot);
    nic.connectionBegins();
    this.rules[slot] = rule;
    this.#start(slot, nic, packet, outward);
    return slot;
  }

  /** Ends a connection. */
  end(slot: number): void {
    const nic = this.#nics[this.#cold[slot * coldWords] as number] as Nic;
    this.#unchain(slot);
    this.#leave(nic.account, slot);
    const at = slot * hotWords;
    this.#hot[at + hot.generation] = ((this.#hot[at + hot.generation] as number) + 1) | 0;
    this.#hot[at + hot.state] = 0;
    this.rules[slot] = null;
    this.#cold[slot * coldWords + cold.chain] = this.#free;
    this.#free = slot;
  }

  /** Ends all connections of an interface that is gone. */
  endAll(nic: Nic): void {
    let slot = nic.account.first;
    for (let left = nic.account.count; left > 0; left--) {
      const next = this.#cold[slot * coldWords + cold.next] as number;
      if (this.#cold[slot * coldWords] === nic.slot) this.end(slot);
      slot = next;
    }
  }

  // A connection's life.

  #start(slot: number, nic: Nic, packet: Packet, outward: boolean): void {
    const { timeouts } = nic.tables;
    let state: number = outward ? bit.alive | bit.begunHere | bit.lastOutward : bit.alive;
    let idleNs = timeoutNs('other');
    if (packet.protocol === ipProtocol.tcp) {
      state |= bit.tcp;
      idleNs = timeoutNs('tcpOpening');
      if ((packet.tcpFlags & tcpFlag.rst) !== 0) {
        state |= bit.closing;
        idleNs = timeoutNs('tcpClosing');
      } else if ((packet.tcpFlags & tcpFlag.fin) !== 0)
        state |= outward ? bit.finFromHere : bit.finFromThere;
    } else if (packet.protocol === ipProtocol.udp) {
      state |= bit.udp;
      idleNs = timeouts.udpNs;
    } else {
      state |= bit.settled;
      if (packet.kind === kind.query) idleNs = timeoutNs('icmp');
    }
    this.#hot[slot * hotWords + hot.state] = state;
    const end = (this.#clock[0] as number) + idleNs;
    this.#times[slot * hotDoubles] = end;
    nic.account.searchAt = Math.min(nic.account.searchAt, end);
    this.#times[slot * hotDoubles + 1] = idleNs;
  }

  /** A packet that may change what is known of the connection. */
  #advance(slot: number, outward: boolean, tcpFlags: number): void {
    const at = slot * hotWords + hot.state;
    let state = this.#hot[at] as number;
    const isAnswer = outward !== ((state & bit.begunHere) !== 0);
    const nic = this.#nics[this.#cold[slot * coldWords] as number] as Nic;
    // Another time-out may end it sooner than whoever looked for room last has seen.
    nic.account.searchAt = 0;
    if ((state & bit.tcp) !== 0) state = this.#advanceTcp(slot, state, nic, outward, tcpFlags);
    else if ((state & bit.udp) !== 0) {
      const turned = outward !== ((state & bit.lastOutward) !== 0);
      if (isAnswer && turned) {
        if ((state & bit.answered) === 0) state |= bit.answered;
        else {
          // More than one request and response: a stream.
          state |= bit.settled;
          this.#times[slot * hotDoubles + 1] = nic.tables.timeouts.udpStreamNs;
        }
      }
    }
    state = outward ? state | bit.lastOutward : state & ~bit.lastOutward;
    this.#hot[at] = state;
  }

  #advanceTcp(slot: number, was: number, nic: Nic, outward: boolean, tcpFlags: number): number {
    let state = was;
    if ((tcpFlags & tcpFlag.fin) !== 0) state |= outward ? bit.finFromHere : bit.finFromThere;
    const bothEnded = (state & bit.finFromHere) !== 0 && (state & bit.finFromThere) !== 0;
    if (bothEnded || (tcpFlags & tcpFlag.rst) !== 0) {
      this.#times[slot * hotDoubles + 1] = timeoutNs('tcpClosing');
      return (state | bit.closing) & ~bit.settled;
    }
    const isAnswer = outward !== ((state & bit.begunHere) !== 0);
    if ((state & bit.closing) === 0 && isAnswer && (state & bit.settled) === 0) {
      state |= bit.settled;
      this.#times[slot * hotDoubles + 1] = nic.tables.timeouts.tcpEstablishedNs;
    }
    return state;
  }

  // Finding.

  #bucketOf(words: Int32Array, at: number): number {
    return hashWords(words, at, this.#seeds) >>> this.#shift;
  }

  #search(): number {
    const { key } = this;
    const words = this.#cold;
    for (let slot = (this.#heads[this.#bucketOf(key, 0)] as number) - 1; slot >= 0; ) {
      const at = slot * coldWords;
      let i = 0;
      while (i < keyWords && words[at + i] === key[i]) i++;
      if (i === keyWords) return slot;
      slot = (words[at + cold.chain] as number) - 1;
    }
    return -1;
  }

  #chainLength(bucket: number): number {
    let length = 0;
    let slot = (this.#heads[bucket] as number) - 1;
    for (; slot >= 0; length++) slot = (this.#cold[slot * coldWords + cold.chain] as number) - 1;
    return length;
  }

  #unchain(slot: number): void {
    const bucket = this.#bucketOf(this.#cold, slot * coldWords);
    const follower = this.#cold[slot * coldWords + cold.chain] as number;
    let before = (this.#heads[bucket] as number) - 1;
    if (before === slot) {
      this.#heads[bucket] = follower;
      return;
    }
    for (;;) {
      const link = before * coldWords + cold.chain;
      const next = (this.#cold[link] as number) - 1;
      if (next === slot) {
        this.#cold[link] = follower;
        return;
      }
      before = next;
    }
  }

  // Room.

  #makeRoom(account: TrackingAccount): boolean {
    const now = this.#clock[0] as number;
    if (account.count >= account.maximum) {
      if (now < account.searchAt) return false;
      const isWhole = account.count <= sweepWhenFull;
      const earliest = this.#sweep(account, sweepWhenFull);
      account.searchAt = isWhole ? earliest : now + searchPauseNs;
      if (account.count >= account.maximum) return false;
    } else this.#sweep(account, sweepNow);
    if (this.count < this.capacity) return true;
    if (now < this.#searchAt) return false;
    this.#sweepAll();
    if (this.capacity > sweepWhenFull) this.#searchAt = now + searchPauseNs;
    return this.count < this.capacity;
  }

  #take(): number {
    if (this.#free < 0) return this.#fresh++;
    const slot = this.#free;
    this.#free = this.#cold[slot * coldWords + cold.chain] as number;
    return slot;
  }

  /**
   * Looks at some records of the account, and ends those that are over. Returns when the first of
   * the others will be.
   */
  #sweep(account: TrackingAccount, most: number): number {
    let earliest = Infinity;
    for (let left = Math.min(most, account.count); left > 0; left--) {
      const slot = account.first;
      account.first = this.#cold[slot * coldWords + cold.next] as number;
      if (this.#isOver(slot)) this.end(slot);
      else earliest = Math.min(earliest, this.#times[slot * hotDoubles] as number);
    }
    return earliest;
  }

  /** The same, of anybody's records. */
  #sweepAll(): void {
    for (let left = sweepWhenFull; left > 0; left--) {
      this.#hand = this.#hand + 1 < this.#fresh ? this.#hand + 1 : 0;
      const isAlive = (this.#hot[this.#hand * hotWords + hot.state] as number) !== 0;
      if (isAlive && this.#isOver(this.#hand)) this.end(this.#hand);
    }
  }

  #join(account: TrackingAccount, slot: number): void {
    const at = slot * coldWords;
    const first = account.first;
    const next = first < 0 ? slot : first;
    const previous = first < 0 ? slot : (this.#cold[first * coldWords + cold.previous] as number);
    this.#cold[at + cold.next] = next;
    this.#cold[at + cold.previous] = previous;
    this.#cold[next * coldWords + cold.previous] = slot;
    this.#cold[previous * coldWords + cold.next] = slot;
    if (first < 0) account.first = slot;
    account.count++;
    this.count++;
  }

  #leave(account: TrackingAccount, slot: number): void {
    const at = slot * coldWords;
    const next = this.#cold[at + cold.next] as number;
    const previous = this.#cold[at + cold.previous] as number;
    this.#cold[next * coldWords + cold.previous] = previous;
    this.#cold[previous * coldWords + cold.next] = next;
    if (account.first === slot) account.first = next === slot ? -1 : next;
    account.count--;
    this.count--;
  }
}
