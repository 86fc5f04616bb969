/**
 * A small DHCP client (RFC 2131): discover, request, and the endpoint has its address, prefix and
 * gateway. It asks again with growing pauses until it is answered; it does not renew.
 */
import { nsPerSecond } from '../lib/clock.ts';
import { read32, write16, write32 } from '../net/bytes.ts';
import { writeMac } from '../net/ethernet.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import type { NetEndpoint, UdpHandler } from './endpoint.ts';

const clientPort = 68;
const serverPort = 67;
const everybody = parseIpv4('255.255.255.255');
const magicCookie = 0x6382_5363;
const cookieAt = 236;
const optionsAt = 240;
const option = {
  mask: 1,
  router: 3,
  requested: 50,
  type: 53,
  server: 54,
  parameters: 55,
  end: 255,
};
const message = { discover: 1, offer: 2, request: 3, ack: 5, nak: 6 };
const maxPauseNs = 16 * nsPerSecond;

export class DhcpClient implements UdpHandler {
  readonly #endpoint: NetEndpoint;
  readonly #transaction: number;
  readonly #bytes = new Uint8Array(300);
  #offered = 0;
  #server = 0;
  #askAt = 0;
  #pauseNs = nsPerSecond;
  isBound = false;

  /** Starts to ask with the endpoint's next poll. */
  constructor(endpoint: NetEndpoint, transaction = 0x7669_7274) {
    this.#endpoint = endpoint;
    this.#transaction = transaction | 0;
    this.#askAt = endpoint.clock.now();
    endpoint.listen(clientPort, this);
  }

  tick(): void {
    const now = this.#endpoint.clock.now();
    if (this.isBound || now < this.#askAt) return;
    this.#askAt = now + this.#pauseNs;
    this.#pauseNs = Math.min(2 * this.#pauseNs, maxPauseNs);
    this.#offered = 0;
    this.#send(message.discover);
  }

  datagram(_source: number, port: number, bytes: Uint8Array, at: number, length: number): void {
    const isOurs =
      !this.isBound &&
      port === serverPort &&
      length > optionsAt &&
      bytes[at] === 2 &&
      read32(bytes, at + 4) === this.#transaction &&
      read32(bytes, at + cookieAt) === magicCookie;
    if (!isOurs) return;
    const options = readOptions(bytes, at + optionsAt, at + length);
    const address = read32(bytes, at + 16);
    const type = (options.get(option.type) ?? 0) >>> 24;
    if (type === message.offer && this.#offered === 0) {
      this.#offered = address;
      this.#server = options.get(option.server) ?? 0;
      this.#send(message.request);
    } else if (type === message.ack && this.#offered !== 0) this.#bind(address, options);
    else if (type === message.nak) this.#offered = 0;
  }

  #bind(address: number, options: ReadonlyMap<number, number>): void {
    const mask = options.get(option.mask) ?? -1;
    this.#endpoint.address = address;
    this.#endpoint.prefix = mask === -1 ? 32 : Math.clz32(~mask);
    this.#endpoint.gateway = options.get(option.router) ?? 0;
    this.isBound = true;
    this.#endpoint.close(clientPort);
  }

  #send(type: number): void {
    const bytes = this.#bytes.fill(0);
    bytes.set([1, 1, 6, 0]);
    write32(bytes, 4, this.#transaction);
    write16(bytes, 10, 0x8000); // answer by broadcast: there is no address yet
    writeMac(bytes, 28, this.#endpoint.nic.mac);
    write32(bytes, cookieAt, magicCookie);
    let at = optionsAt;
    const put = (...values: number[]): void => {
      bytes.set(values, at);
      at += values.length;
    };
    put(option.type, 1, type);
    if (type === message.request) {
      put(option.requested, 4, 0, 0, 0, 0);
      write32(bytes, at - 4, this.#offered);
      put(option.server, 4, 0, 0, 0, 0);
      write32(bytes, at - 4, this.#server);
    }
    put(option.parameters, 2, option.mask, option.router, option.end);
    this.#endpoint.sendUdp(everybody, clientPort, serverPort, bytes, bytes.length);
  }
}

/** The first four bytes of each option, as a signed integer; shorter ones are padded with zeros. */
function readOptions(bytes: Uint8Array, start: number, end: number): Map<number, number> {
  const options = new Map<number, number>();
  for (let at = start; at + 1 < end && bytes[at] !== option.end; ) {
    if (bytes[at] === 0) {
      at++;
      continue;
    }
    const length = bytes[at + 1] as number;
    if (at + 2 + length > end) break;
    let value = 0;
    for (let i = 0; i < 4; i++) value = (value << 8) | (i < length ? (bytes[at + 2 + i] ?? 0) : 0);
    options.set(bytes[at] as number, value);
    at += 2 + length;
  }
  return options;
}
