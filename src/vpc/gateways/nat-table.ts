/**
 * A NAT gateway's connections (EC2 User Guide, "NAT gateways"): each one has a port of the gateway
 * that no other one to the same destination has, at most 55000 of them, and is forgotten after 350
 * idle seconds. TCP and UDP have ports, ICMP echoes their identifier in place of one.
 */
import { nsPerSecond } from '../../lib/clock.ts';
import type { Prng } from '../../lib/prng.ts';
import { tcpFlag } from '../../net/tcp.ts';
import { SlotTable } from './slot-table.ts';

export const natIdleNs = 350 * nsPerSecond;
/** A connection that both sides have closed, or that was reset, may be repeated that long. */
const closedNs = 60 * nsPerSecond;
const firstPort = 10_536;
const portCount = 55_000;
/** Ports that are tried for a new connection: the work that one packet can make. */
const tries = 256;
/** Connections that are looked at for idle ones when there is a new one. */
const sweeps = 8;

const closing = { out: 1, in: 2, both: 3 } as const;

export type NatTableOptions = {
  /** Connections at most; a power of two, 65536 unless told. */
  readonly connections?: number;
  /** Ports of the gateway; 55000 unless told. */
  readonly ports?: number;
};

export class NatTable {
  /** Source, destination, both ports, protocol. */
  readonly #outward: SlotTable;
  /** Destination, its port and the gateway's, protocol. */
  readonly #inward: SlotTable;
  readonly #outOf: Int32Array;
  readonly #inOf: Int32Array;
  readonly #seenAt: Float64Array;
  readonly #closing: Uint8Array;
  readonly #used: Uint8Array;
  readonly #random: Prng;
  readonly #ports: number;
  #hand = 0;

  constructor(random: Prng, { connections = 65_536, ports = portCount }: NatTableOptions = {}) {
    this.#outward = new SlotTable(4, connections, random);
    this.#inward = new SlotTable(3, connections, random);
    this.#outOf = new Int32Array(connections);
    this.#inOf = new Int32Array(connections);
    this.#seenAt = new Float64Array(connections);
    this.#closing = new Uint8Array(connections);
    this.#used = new Uint8Array(connections);
    this.#random = random;
    this.#ports = ports;
  }

  get count(): number {
    return this.#outward.count;
  }

  /** The connection of a packet from inside, or -1. `flags`: of TCP, else 0. */
  findOutward(
    protocol: number,
    src: number,
    srcPort: number,
    dst: number,
    dstPort: number,
    flags: number,
    now: number,
  ): number {
    const { key } = this.#outward;
    key[0] = src;
    key[1] = dst;
    key[2] = (srcPort << 16) | dstPort;
    key[3] = protocol;
    return this.#touch(this.#outward.find(), flags, closing.out, now);
  }

  /** The connection of a packet from outside, or -1. */
  findInward(
    protocol: number,
    remote: number,
    remotePort: number,
    port: number,
    flags: number,
    now: number,
  ): number {
    const { key } = this.#inward;
    key[0] = remote;
    key[1] = (remotePort << 16) | port;
    key[2] = protocol;
    const found = this.#inward.find();
    return found < 0 ? -1 : this.#touch(this.#outOf[found] as number, flags, closing.in, now);
  }

  /** A new connection for what `findOutward` did not find; -1: no port is left. */
  begin(
    protocol: number,
    src: number,
    srcPort: number,
    dst: number,
    dstPort: number,
    now: number,
  ): number {
    this.#sweep(now);
    if (this.#outward.count === this.#outward.capacity) return -1;
    const { key } = this.#inward;
    key[0] = dst;
    key[2] = protocol;
    let offset = this.#random.below(this.#ports);
    for (let n = Math.min(tries, this.#ports); ; n--) {
      if (n === 0) return -1;
      key[1] = (dstPort << 16) | (firstPort + offset);
      const taken = this.#inward.find();
      if (taken < 0) break;
      const slot = this.#outOf[taken] as number;
      if (this.#isIdle(slot, now)) {
        this.#end(slot);
        break;
      }
      offset = offset + 1 === this.#ports ? 0 : offset + 1;
    }
    const { key: out } = this.#outward;
    out[0] = src;
    out[1] = dst;
    out[2] = (srcPort << 16) | dstPort;
    out[3] = protocol;
    const slot = this.#outward.add();
    const inSlot = this.#inward.add();
    this.#outOf[inSlot] = slot;
    this.#inOf[slot] = inSlot;
    this.#seenAt[slot] = now;
    this.#closing[slot] = 0;
    this.#used[slot] = 1;
    return slot;
  }

  /** Whose connection it is. */
  srcOf(slot: number): number {
    return this.#outward.wordOf(slot, 0);
  }

  srcPortOf(slot: number): number {
    return this.#outward.wordOf(slot, 2) >>> 16;
  }

  /** The gateway's port. */
  portOf(slot: number): number {
    return this.#inward.wordOf(this.#inOf[slot] as number, 1) & 0xffff;
  }

  #touch(slot: number, flags: number, way: number, now: number): number {
    if (slot < 0) return -1;
    if (this.#isIdle(slot, now)) {
      this.#end(slot);
      return -1;
    }
    this.#seenAt[slot] = now;
    if ((flags & tcpFlag.rst) !== 0) this.#closing[slot] = closing.both;
    else if ((flags & tcpFlag.fin) !== 0)
      this.#closing[slot] = (this.#closing[slot] as number) | way;
    else if ((flags & tcpFlag.syn) !== 0) this.#closing[slot] = 0;
    return slot;
  }

  #isIdle(slot: number, now: number): boolean {
    const limit = this.#closing[slot] === closing.both ? closedNs : natIdleNs;
    return now - (this.#seenAt[slot] as number) >= limit;
  }

  #end(slot: number): void {
    this.#inward.remove(this.#inOf[slot] as number);
    this.#outward.remove(slot);
    this.#used[slot] = 0;
  }

  /** Forgets idle ones among the next few, so that all are looked at in time. */
  #sweep(now: number): void {
    const { capacity } = this.#outward;
    for (let n = Math.min(sweeps, capacity); n > 0; n--) {
      const slot = this.#hand;
      this.#hand = slot + 1 === capacity ? 0 : slot + 1;
      if (this.#used[slot] === 1 && this.#isIdle(slot, now)) this.#end(slot);
    }
  }
}
