/**
 * The allowance of packets to link-local services: 1024 per second and interface for resolver,
 * metadata and time together, whichever of their addresses is used (Amazon VPC User Guide; Route 53
 * Developer Guide). What is above it is dropped and counted, as `linklocal_allowance_exceeded`.
 *
 * Asked before all other responders: it answers nothing itself.
 */
import type { Clock } from '../../lib/clock.ts';
import { RateLimit } from '../../lib/rate-limit.ts';
import type { Frame } from '../../net/frame.ts';
import type { Ipv6Address } from '../../net/ipv6.ts';
import type { Headers } from '../../net/parse.ts';
import { R } from '../../net/reasons.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import { linkLocalPacketsPerSecond, serviceAddresses } from '../well-known.ts';
import type { DirectorySource } from './directory.ts';

const services4: readonly number[] = [
  serviceAddresses.resolver,
  serviceAddresses.metadata,
  serviceAddresses.time,
];
const services6: readonly Ipv6Address[] = [
  serviceAddresses.resolver6,
  serviceAddresses.metadata6,
  serviceAddresses.time6,
];

export class LinkLocalAllowance implements Responder {
  readonly #source: DirectorySource;
  readonly #clock: Clock;
  /** By interface: a new model does not fill the buckets. */
  #limits = new Map<number, RateLimit>();

  constructor(source: DirectorySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  respond(frame: Frame, _reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (h.ipVersion === 0) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined || !isForService(h, here.subnet.vpc.resolver)) return notMine;
    const now = this.#clock.now();
    let limit = this.#limits.get(here.mac);
    if (limit === undefined) {
      limit = new RateLimit(linkLocalPacketsPerSecond, now);
      this.#limits.set(here.mac, limit);
    }
    return limit.take(now) ? notMine : R.linkLocalExceeded;
  }

  /** Forgets interfaces that are gone. */
  update(): void {
    const all = this.#source.directory.interfaces.map(({ mac }) => mac);
    const limits = new Map<number, RateLimit>();
    for (const mac of all) {
      const limit = this.#limits.get(mac);
      if (limit !== undefined) limits.set(mac, limit);
    }
    this.#limits = limits;
  }
}

function isForService(h: Headers, resolver: number): boolean {
  if (h.ipVersion === 4) return h.dst === resolver || services4.includes(h.dst);
  // All three differ in their last word only.
  const first = services6[0] as Ipv6Address;
  if (h.dst0 !== first[0] || h.dst1 !== first[1] || h.dst2 !== first[2]) return false;
  return services6.some((address) => address[3] === h.dst);
}
