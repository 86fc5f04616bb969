/** The resolver over UDP, at the VPC's base + 2, 169.254.169.253 and fd00:ec2::253. */
import { read16, write16 } from '../../net/bytes.ts';
import { DnsQuery, dns, dnsFlag, dnsSize } from '../../net/dns.ts';
import { Frame } from '../../net/frame.ts';
import type { Headers } from '../../net/parse.ts';
import { R } from '../../net/reasons.ts';
import { udpPayloadAt } from '../../net/udp.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import { serviceAddresses } from '../well-known.ts';
import {
  Datagrams,
  hasDestination6,
  isUdpTo,
  payloadAt,
  type ReturnWay,
  returnWay,
  sendBack,
} from './datagrams.ts';
import type { DirectorySource, InterfaceEntry } from './directory.ts';
import type { Sender } from './neighbors.ts';
import { askUpstream, noAnswer, type Resolver } from './resolver.ts';
import type { UpstreamQueries } from './upstream.ts';

export class ResolverOverUdp implements Responder {
  readonly #source: DirectorySource;
  readonly #resolver: Resolver;
  readonly #upstream: UpstreamQueries;
  readonly #sender: Sender;
  readonly #datagrams = new Datagrams();
  readonly #out = new Uint8Array(udpPayloadAt[6] + dnsSize.ours);
  readonly #frame = new Frame();

  constructor(
    source: DirectorySource,
    resolver: Resolver,
    upstream: UpstreamQueries,
    sender: Sender,
  ) {
    this.#source = source;
    this.#resolver = resolver;
    this.#upstream = upstream;
    this.#sender = sender;
  }

  respond(frame: Frame, reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (!isUdpTo(h, dns.port)) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined || !isForResolver(h, here)) return notMine;
    // Without DNS support nobody is there (Amazon VPC User Guide, DNS attributes).
    if (!here.subnet.vpc.dnsSupport || !this.#datagrams.take(frame)) return R.badRequest;
    const { bytes, at, end } = this.#datagrams;
    const way = returnWay(h, here);
    const to = payloadAt(way);
    const { vpc } = here.subnet;
    let answered = this.#resolver.answer(vpc, bytes, at, end, this.#out, to, false);
    if (answered === askUpstream) {
      const query = bytes.slice(at, end);
      const done = (answer: Uint8Array | null): void => this.#send(answer, query, way, from);
      if (this.#upstream.ask(here.mac, query, done, false)) return R.answered;
      answered = this.#resolver.failure(bytes, at, end, this.#out, to);
    }
    if (answered === noAnswer) return R.badRequest;
    sendBack(this.#out, answered, way, reply);
    return R.answered;
  }

  #send(answer: Uint8Array | null, query: Uint8Array, way: ReturnWay, to: SwitchPort): void {
    // The guest may have gone meanwhile, and another one may have its place.
    if (this.#sender.ports[to.index] !== to) return;
    const at = payloadAt(way);
    const end =
      answer === null
        ? this.#resolver.failure(query, 0, query.length, this.#out, at)
        : this.#relay(answer, query, at);
    sendBack(this.#out, end, way, this.#frame);
    this.#sender.send(to, this.#frame);
    this.#sender.flush();
  }

  /** The answer as it is, or as much of it as says that the client should ask by TCP. */
  #relay(answer: Uint8Array, query: Uint8Array, at: number): number {
    const asked = new DnsQuery();
    asked.read(query, 0, query.length);
    const fits = answer.length <= asked.maxBytes;
    const kept = fits ? answer.length : asked.questionEnd;
    const out = this.#out;
    out.set(answer.subarray(0, kept), at);
    if (!fits) {
      write16(out, at + dns.flags, read16(out, at + dns.flags) | dnsFlag.truncated);
      out.fill(0, at + dns.answers, at + dns.bytes);
    }
    return at + kept;
  }
}

/** Whether a packet is for the resolver of an interface's VPC. */
export function isForResolver(h: Headers, { subnet }: InterfaceEntry): boolean {
  if (h.ipVersion === 6) return hasDestination6(h, serviceAddresses.resolver6);
  return h.dst === subnet.vpc.resolver || h.dst === serviceAddresses.resolver;
}
