/**
 * What the networks of a region answer by themselves, put together: one service of the region. A
 * new model takes effect with the next frame, and loses nothing that is under way. Metadata are a
 * service of their own (`imds`).
 */
import type { Clock } from '../../lib/clock.ts';
import type { Frame } from '../../net/frame.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import { DhcpResponder } from '../dhcp.ts';
import type { VpcModel } from '../model.ts';
import { Dhcp6Server } from './dhcp6.ts';
import { Directory, type DirectorySource } from './directory.ts';
import { VpcLeases } from './leases.ts';
import { Neighbors, type Sender } from './neighbors.ts';
import { ProxyArp } from './proxy-arp.ts';
import { Resolver } from './resolver.ts';
import { ResolverOverTcp } from './resolver-tcp.ts';
import { ResolverOverUdp } from './resolver-udp.ts';
import { RouterEcho } from './router-echo.ts';
import { TimeService } from './time.ts';
import { type DnsUpstream, UpstreamQueries } from './upstream.ts';

export type ServicesOptions = {
  readonly clock: Clock;
  /** The switch, for what is sent without being asked. */
  readonly sender: Sender;
  /** Whom to ask about names outside; nobody unless told. */
  readonly upstream?: DnsUpstream;
  /** Of sequence numbers of TCP; another one each time unless told. */
  readonly seed?: number;
};

export class NetworkServices implements Responder, DirectorySource {
  directory: Directory;
  readonly dhcp: DhcpResponder;
  readonly dhcp6: Dhcp6Server;
  readonly resolver: Resolver;
  readonly #neighbors: Neighbors;
  readonly #overTcp: ResolverOverTcp;
  readonly #all: readonly Responder[];

  constructor(model: VpcModel, options: ServicesOptions) {
    const { clock, sender, upstream = null, seed = randomSeed() } = options;
    this.directory = new Directory(model);
    this.dhcp = new DhcpResponder(new VpcLeases(this));
    this.dhcp6 = new Dhcp6Server(this);
    this.resolver = new Resolver(this, upstream !== null);
    this.#neighbors = new Neighbors(this, sender, clock);
    const queries = new UpstreamQueries(upstream, clock);
    this.#overTcp = new ResolverOverTcp(this, this.resolver, queries, sender, clock, seed);
    this.#all = [
      new ProxyArp(this),
      this.#neighbors,
      new ResolverOverUdp(this, this.resolver, queries, sender),
      this.#overTcp,
      new TimeService(this, clock),
      this.dhcp,
      this.dhcp6,
      new RouterEcho(this),
    ];
  }

  update(model: VpcModel): void {
    this.directory = new Directory(model);
    this.#overTcp.update();
  }

  respond(request: Frame, reply: Frame, from: SwitchPort): number {
    for (let i = 0; i < this.#all.length; i++) {
      const verdict = (this.#all[i] as Responder).respond(request, reply, from);
      if (verdict !== notMine) return verdict;
    }
    return notMine;
  }

  /** Nothing is sent unasked any more. */
  close(): void {
    this.#neighbors.close();
  }
}

const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
