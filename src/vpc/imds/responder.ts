/**
 * The metadata service on the network: at 169.254.169.254 for every interface of an instance, and at
 * fd00:ec2::254 where the instance's metadata options say so.
 */
import type { Clock } from '../../lib/clock.ts';
import { nsPerMs, nsPerSecond } from '../../lib/clock.ts';
import { Prng } from '../../lib/prng.ts';
import { parseMac } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { ipProtocol } from '../../net/ipv4.ts';
import { R } from '../../net/reasons.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { notMine } from '../../switch/responder.ts';
import type { VpcModel } from '../model.ts';
import type { VpcService } from '../region.ts';
import type { TcpConnection } from '../tcp/connection.ts';
import type { TcpCounts } from '../tcp/limits.ts';
import { type TcpOutlet, TcpServer, type TcpService } from '../tcp/server.ts';
import { serviceAddresses } from '../well-known.ts';
import { type HttpRequest, parseRequest } from './request.ts';
import { errorPage, type HttpResponse, writeResponse } from './response.ts';
import { carriesToken, MetadataService } from './service.ts';
import { Tokens } from './tokens.ts';

export type MetadataOptions = {
  readonly clock: Clock;
  readonly outlet: TcpOutlet;
  /** 32 bytes that no guest can know, which tokens are made with; others each time unless told. */
  readonly secret?: Uint8Array;
  /** Of sequence numbers and tokens' nonces; another one each time unless told. */
  readonly seed?: number;
};

/** An interface's instance, as the responder needs it. */
type Client = { readonly instance: string; readonly ipv6: boolean; readonly hopLimit: number };

export class MetadataResponder implements VpcService, TcpService {
  readonly port = 80;
  /** Requests by the status of their answer, for people. */
  readonly answers = new Map<number, number>();
  readonly #clock: Clock;
  readonly #epochMs: number;
  readonly #server: TcpServer;
  readonly #service: MetadataService;
  #clients: ReadonlyMap<number, Client>;
  #changedMs: number;

  constructor(model: VpcModel, { clock, outlet, ...options }: MetadataOptions) {
    const { secret = crypto.getRandomValues(new Uint8Array(32)), seed = randomSeed() } = options;
    const random = new Prng(seed);
    this.#clock = clock;
    this.#epochMs = Number(clock.epochNs / 1_000_000n);
    this.#changedMs = this.#nowMs();
    this.#server = new TcpServer(clock, random, outlet, this);
    const launchTime = new Date(this.#changedMs).toISOString().replace(/\.\d+/, '');
    this.#service = new MetadataService(model, new Tokens(secret, random), launchTime);
    this.#clients = clientsOf(model);
  }

  get counts(): TcpCounts {
    return this.#server.counts;
  }

  /** Connections go on, of interfaces that still belong to an instance. */
  update(model: VpcModel): void {
    this.#service.update(model);
    this.#clients = clientsOf(model);
    this.#changedMs = this.#nowMs();
    this.#server.forgetIf((port) => this.#clientAt(port) === undefined);
  }

  respond(request: Frame, _reply: Frame, from: SwitchPort): number {
    const h = request.headers;
    if (h.ipVersion === 4 ? h.dst !== serviceAddresses.metadata : !isMetadata6(request))
      return notMine;
    const client = this.#clientAt(from);
    if (client === undefined || (h.ipVersion === 6 && !client.ipv6)) return notMine;
    if (h.l4Protocol !== ipProtocol.tcp) return notMine;
    return h.vlan >= 0 ? R.badRequest : this.#server.take(from, request);
  }

  received(connection: TcpConnection): void {
    const { input, inputLength, peerDone, port } = connection;
    const client = this.#clientAt(port);
    if (client === undefined) {
      connection.abort();
      return;
    }
    const request = parseRequest(input, inputLength, peerDone);
    if (request === null) return;
    if (typeof request === 'number') {
      this.#send(connection, errorPage(request), true);
      return;
    }
    const response = this.#answer(request, client);
    if (carriesToken(request, response)) connection.path.hopLimit = client.hopLimit;
    this.#send(connection, response, request.method !== 'HEAD');
  }

  #answer(request: HttpRequest, client: Client): HttpResponse {
    return this.#service.answer(request, client.instance, this.#clock.now() / nsPerSecond);
  }

  #send(connection: TcpConnection, response: HttpResponse, withBody: boolean): void {
    const { status } = response;
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    const times = { nowMs: this.#nowMs(), changedMs: this.#changedMs };
    connection.answer(writeResponse(response, times, withBody));
  }

  #clientAt(port: SwitchPort): Client | undefined {
    return port.mac === null ? undefined : this.#clients.get(port.mac);
  }

  #nowMs(): number {
    return this.#epochMs + this.#clock.now() / nsPerMs;
  }
}

const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;

function clientsOf(model: VpcModel): Map<number, Client> {
  const instances = new Map(model.instances.map((instance) => [instance.id, instance]));
  const clients = new Map<number, Client>();
  for (const { mac, instance: id = '' } of model.interfaces) {
    const options = instances.get(id)?.metadata;
    if (!instances.has(id)) continue;
    const { ipv6 = false, hopLimit = 1 } = options ?? {};
    clients.set(parseMac(mac), { instance: id, ipv6, hopLimit });
  }
  return clients;
}

function isMetadata6(frame: Frame): boolean {
  const h = frame.headers;
  const [a, b, c, d] = serviceAddresses.metadata6;
  return h.ipVersion === 6 && h.dst === d && h.dst0 === a && h.dst1 === b && h.dst2 === c;
}
