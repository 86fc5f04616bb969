/**
 * What the networks of a region answer by themselves, put together. One object per switch; a new
 * model takes effect with the next frame, and loses nothing that is under way.
 */
import type { Clock } from '../../lib/clock.ts';
import type { Responder } from '../../switch/responder.ts';
import { DhcpResponder } from '../dhcp.ts';
import type { VpcModel } from '../model.ts';
import { Dhcp6Server } from './dhcp6.ts';
import { Directory, type DirectorySource } from './directory.ts';
import { VpcLeases } from './leases.ts';
import { LinkLocalAllowance } from './link-local.ts';
import { Neighbors, type Sender } from './neighbors.ts';
import { ProxyArp } from './proxy-arp.ts';
import { Resolver } from './resolver.ts';
import { type DnsUpstream, ResolverOverUdp } from './resolver-udp.ts';
import { RouterEcho } from './router-echo.ts';
import { TimeService } from './time.ts';

export type ServicesOptions = {
  readonly clock: Clock;
  readonly model: VpcModel;
  /** Whom to ask about names outside; nobody unless told. */
  readonly upstream?: DnsUpstream;
};

/** What services need of a switch. */
export type ServedSwitch = Sender & { addResponder(responder: Responder): void };

export class NetworkServices implements DirectorySource {
  directory: Directory;
  readonly dhcp: DhcpResponder;
  readonly dhcp6: Dhcp6Server;
  readonly resolver: Resolver;
  readonly #allowance: LinkLocalAllowance;
  readonly #neighbors: Neighbors;

  constructor(to: ServedSwitch, { clock, model, upstream }: ServicesOptions) {
    this.directory = new Directory(model);
    this.dhcp = new DhcpResponder(new VpcLeases(this));
    this.dhcp6 = new Dhcp6Server(this);
    this.resolver = new Resolver(this, upstream !== undefined);
    this.#allowance = new LinkLocalAllowance(this, clock);
    this.#neighbors = new Neighbors(this, to, clock);
    to.addResponder(this.#allowance);
    to.addResponder(new ProxyArp(this));
    to.addResponder(this.#neighbors);
    to.addResponder(this.dhcp);
    to.addResponder(this.dhcp6);
    to.addResponder(new ResolverOverUdp(this, this.resolver, upstream ?? null, to, clock));
    to.addResponder(new TimeService(this, clock));
    to.addResponder(new RouterEcho(this));
  }

  update(model: VpcModel): void {
    this.directory = new Directory(model);
    this.#allowance.update();
  }

  /** Nothing is sent unasked any more. */
  close(): void {
    this.#neighbors.close();
  }
}
