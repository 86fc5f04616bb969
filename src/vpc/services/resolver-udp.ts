/**
 * The resolver over UDP, at the VPC's base + 2, 169.254.169.253 and fd00:ec2::253. What it does not
 * know goes to an upstream, if the host provides one; a bounded number of queries wait there, and
 * each for five seconds at most.
 */
import { type Clock, nsPerSecond } from '../../lib/clock.ts';
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

/** Somebody who resolves the names of the world. */
export interface DnsUpstream {
  /**
   * Asks with a whole message. `done` is called later, with the answer to it or null, from the
   * thread that asked and outside of any burst.
   */
  ask(query: Uint8Array, done: (answer: Uint8Array | null) => void): void;
}

/** Queries that wait for the upstream: of one interface, and of all. */
const maxWaiting = { each: 64, all: 1024 } as const;
const patienceNs = 5 * nsPerSecond;

export class ResolverOverUdp implements Responder {
  readonly #source: DirectorySource;
  readonly #resolver: Resolver;
  readonly #upstream: DnsUpstream | null;
  readonly #sender: Sender;
  readonly #clock: Clock;
  readonly #datagrams = new Datagrams();
  readonly #out = new Uint8Array(udpPayloadAt[6] + dnsSize.ours);
  readonly #frame = new Frame();
  /** By MAC. */
  readonly #waiting = new Map<number, number>();
  #allWaiting = 0;

  constructor(
    source: DirectorySource,
    resolver: Resolver,
    upstream: DnsUpstream | null,
    sender: Sender,
    clock: Clock,
  ) {
    this.#source = source;
    this.#resolver = resolver;
    this.#upstream = upstream;
    this.#sender = sender;
    this.#clock = clock;
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
      if (this.#ask(bytes.slice(at, end), way, here, from)) return R.answered;
      answered = this.#resolver.failure(bytes, at, end, this.#out, to);
    }
    if (answered === noAnswer) return R.badRequest;
    sendBack(this.#out, answered, way, reply);
    return R.answered;
  }

  /** False: too many wait already. */
  #ask(query: Uint8Array, way: ReturnWay, { mac }: InterfaceEntry, from: SwitchPort): boolean {
    const waiting = this.#waiting.get(mac) ?? 0;
    if (this.#upstream === null || waiting >= maxWaiting.each || this.#allWaiting >= maxWaiting.all)
      return false;
    this.#waiting.set(mac, waiting + 1);
    this.#allWaiting++;
    let isOver = false;
    const finish = (answer: Uint8Array | null): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      this.#leave(mac);
      // The guest may have gone meanwhile, and another one may have its place.
      if (this.#sender.ports[from.index] === from) this.#send(answer, query, way, from);
    };
    const timer = this.#clock.after(patienceNs, () => finish(null));
    this.#upstream.ask(query.slice(), finish);
    return true;
  }

  #leave(mac: number): void {
    const waiting = (this.#waiting.get(mac) ?? 1) - 1;
    if (waiting === 0) this.#waiting.delete(mac);
    else this.#waiting.set(mac, waiting);
    this.#allWaiting--;
  }

  #send(answer: Uint8Array | null, query: Uint8Array, way: ReturnWay, to: SwitchPort): void {
    const at = payloadAt(way);
    const end =
      answer !== null && isAnswerTo(answer, query)
        ? this.#relay(answer, query, at)
        : this.#resolver.failure(query, 0, query.length, this.#out, at);
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

/** Whether it is a response with the same id and question. */
function isAnswerTo(answer: Uint8Array, query: Uint8Array): boolean {
  const asked = new DnsQuery();
  asked.read(query, 0, query.length);
  if (answer.length < asked.questionEnd || read16(answer, dns.id) !== asked.id) return false;
  if ((read16(answer, dns.flags) & dnsFlag.response) === 0) return false;
  if (read16(answer, dns.questions) !== 1) return false;
  for (let i = dns.bytes; i < asked.questionEnd; i++) if (answer[i] !== query[i]) return false;
  return true;
}

function isForResolver(h: Headers, { subnet }: InterfaceEntry): boolean {
  if (h.ipVersion === 6) return hasDestination6(h, serviceAddresses.resolver6);
  return h.dst === subnet.vpc.resolver || h.dst === serviceAddresses.resolver;
}
