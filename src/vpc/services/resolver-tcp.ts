/**
 * The resolver over TCP (RFC 7766), for answers that do not fit into a datagram: one query and its
 * answer per connection, each behind its length.
 */
import type { Clock } from '../../lib/clock.ts';
import { Prng } from '../../lib/prng.ts';
import { read16, write16 } from '../../net/bytes.ts';
import { dns, dnsSize } from '../../net/dns.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { R } from '../../net/reasons.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine, type Responder } from '../../switch/responder.ts';
import type { TcpConnection } from '../tcp/connection.ts';
import { TcpServer, type TcpService } from '../tcp/server.ts';
import type { DirectorySource } from './directory.ts';
import type { Sender } from './neighbors.ts';
import { askUpstream, noAnswer, type Resolver } from './resolver.ts';
import { isForResolver } from './resolver-udp.ts';
import type { UpstreamQueries } from './upstream.ts';

const lengthBytes = 2;

export class ResolverOverTcp implements Responder, TcpService {
  readonly port = dns.port;
  readonly #source: DirectorySource;
  readonly #resolver: Resolver;
  readonly #upstream: UpstreamQueries;
  readonly #sender: Sender;
  readonly #server: TcpServer;
  readonly #out = new Uint8Array(dnsSize.ours);
  /** Connections whose query is with the upstream: what else they say is let go. */
  readonly #waiting = new WeakSet<TcpConnection>();

  constructor(
    source: DirectorySource,
    resolver: Resolver,
    upstream: UpstreamQueries,
    sender: Sender,
    clock: Clock,
    seed: number,
  ) {
    this.#source = source;
    this.#resolver = resolver;
    this.#upstream = upstream;
    this.#sender = sender;
    this.#server = new TcpServer(clock, new Prng(seed), sender, this);
  }

  /** Connections go on, of interfaces that there still are. */
  update(): void {
    this.#server.forgetIf((port) => this.#source.directory.at(port) === undefined);
  }

  respond(frame: Frame, _reply: Frame, from: SwitchPort): number {
    const h = frame.headers;
    if (h.l4Protocol !== ipProtocol.tcp || h.vlan >= 0) return notMine;
    const here = this.#source.directory.at(from);
    if (here === undefined || !isForResolver(h, here)) return notMine;
    if (!here.subnet.vpc.dnsSupport) return R.badRequest;
    return this.#server.take(from, frame);
  }

  received(connection: TcpConnection): void {
    if (this.#waiting.has(connection)) return;
    const { input, inputLength, peerDone, port } = connection;
    const end = inputLength < lengthBytes ? Infinity : lengthBytes + read16(input, 0);
    if (end > inputLength) {
      // It will never be whole: the peer has said all, or more than is kept.
      if (peerDone || inputLength === input.length) connection.abort();
      return;
    }
    const here = this.#source.directory.at(port);
    if (here === undefined) {
      connection.abort();
      return;
    }
    const { vpc } = here.subnet;
    let length = this.#resolver.answer(vpc, input, lengthBytes, end, this.#out, 0, true);
    if (length === askUpstream) {
      const query = input.slice(lengthBytes, end);
      const done = (answer: Uint8Array | null): void => this.#finish(connection, answer, query);
      if (this.#upstream.ask(here.mac, query, done, true)) {
        this.#waiting.add(connection);
        return;
      }
      length = this.#resolver.failure(query, 0, query.length, this.#out, 0);
    }
    if (length === noAnswer) connection.abort();
    else connection.answer(behindLength(this.#out.subarray(0, length)));
  }

  #finish(connection: TcpConnection, answer: Uint8Array | null, query: Uint8Array): void {
    this.#waiting.delete(connection);
    const { port } = connection;
    // Whoever asked may be gone, or be no interface any more.
    const isHere = this.#source.directory.at(port) !== undefined;
    if (!isHere || this.#sender.ports[port.index] !== port) return;
    const length =
      answer === null ? this.#resolver.failure(query, 0, query.length, this.#out, 0) : 0;
    connection.answerLate(behindLength(answer ?? this.#out.subarray(0, length)));
    this.#sender.flush();
  }
}

function behindLength(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(lengthBytes + message.length);
  write16(bytes, 0, message.length);
  bytes.set(message, lengthBytes);
  return bytes;
}
