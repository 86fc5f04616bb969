/**
 * A network interface as the router keeps it from one policy to the next: its port, what it has
 * tracked, what it has sent to link-local services.
 */
import { RateLimit } from '../../lib/rate-limit.ts';
import { macHi, macLo } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import type { SwitchPort } from '../port.ts';
import type { Begun } from './begun.ts';
import type { NicTables, SubnetTables } from './policy.ts';

/** To all link-local services together (VPC User Guide, "DNS quotas"), unless told. */
const linkLocalPacketsPerSecond = 1024;
/** As Linux does by default, per host: EC2's figure is not known. */
const errorsPerSecond = 1000;

/** Those who share an allowance of tracked connections: an instance's interfaces. */
export class TrackingAccount {
  /** Connections at most. */
  maximum: number;
  count = 0;
  /** Its connections are a ring by the tracker's links; -1: there is none. */
  first = -1;
  /** When it is full: before this time it is no use to look for connections that are over. */
  searchAt = 0;

  constructor(maximum: number) {
    this.maximum = maximum;
  }
}

export class Nic {
  /** Its number, for as long as it exists; in keys of flows and connections. */
  readonly slot: number;
  tables: NicTables;
  account: TrackingAccount;
  /** Where it is plugged in, or null. */
  port: SwitchPort | null = null;
  /** Where its EFA is plugged in, or null. */
  fabricPort: SwitchPort | null = null;
  macHi = 0;
  macLo = 0;
  /** Its place in the policy's list. */
  index = -1;

  readonly #begun: Begun;

  /** The first 12 bytes of a frame that its subnet's router sends it. */
  #word0 = 0;
  #word1 = 0;
  #word2 = 0;
  #routerHi = 0;
  #routerLo = 0;

  /** Packets to link-local services; made with the first one. */
  #asks: RateLimit | null = null;
  #asksPerSecond = linkLocalPacketsPerSecond;
  /** Errors of the router about this interface's packets. */
  #errors: RateLimit | null = null;

  constructor(
    slot: number,
    tables: NicTables,
    subnet: SubnetTables,
    account: TrackingAccount,
    begun: Begun,
  ) {
    this.slot = slot;
    this.tables = tables;
    this.account = account;
    this.#begun = begun;
    begun.reset(slot);
    this.change(tables, subnet);
  }

  /** Changes with each connection that begins here: who saw none looks again. */
  get begun(): number {
    return this.#begun.words[this.slot] as number;
  }

  connectionBegins(): void {
    const { words } = this.#begun;
    words[this.slot] = ((words[this.slot] as number) + 1) | 0;
  }

  change(tables: NicTables, subnet: SubnetTables): void {
    this.tables = tables;
    this.macHi = macHi(tables.mac);
    this.macLo = macLo(tables.mac);
    this.#routerHi = macHi(subnet.router.mac);
    this.#routerLo = macLo(subnet.router.mac);
    this.#word0 = (this.macHi << 16) | (this.macLo >>> 16);
    this.#word1 = (this.macLo << 16) | this.#routerHi;
    this.#word2 = this.#routerLo;
  }

  /** The first 12 bytes of a frame that its router sends it, as words in network order. */
  macs(into: Int32Array): void {
    into[0] = this.#word0;
    into[1] = this.#word1;
    into[2] = this.#word2;
  }

  /** Puts this interface's MAC as destination, and its router's as source. */
  address(frame: Frame): void {
    const { headView, headers: h } = frame;
    headView.setInt32(0, this.#word0);
    headView.setInt32(4, this.#word1);
    headView.setInt32(8, this.#word2);
    h.dstMacHi = this.macHi;
    h.dstMacLo = this.macLo;
    h.srcMacHi = this.#routerHi;
    h.srcMacLo = this.#routerLo;
  }

  /** Whether the frame's destination MAC is that of this interface's router. */
  isRouterMac(hi: number, lo: number): boolean {
    return lo === this.#routerLo && hi === this.#routerHi;
  }

  /** Whether it may send one more packet to a link-local service. */
  mayAsk(now: number): boolean {
    this.#asks ??= new RateLimit(this.#asksPerSecond, now);
    return this.#asks.take(now);
  }

  /** How many of these a second. */
  limitAsks(perSecond: number): void {
    if (perSecond === this.#asksPerSecond) return;
    this.#asksPerSecond = perSecond;
    this.#asks = null;
  }

  /** Whether it may be told of one more error. */
  mayBeTold(now: number): boolean {
    this.#errors ??= new RateLimit(errorsPerSecond, now);
    return this.#errors.take(now);
  }
}
