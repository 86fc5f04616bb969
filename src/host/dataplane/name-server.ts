/**
 * A name server of the host's network, for names that a VPC does not know: what came by UDP is
 * asked by UDP, what came by TCP by TCP. Each query has a number and a socket's port that nobody
 * can know who does not see it; the answer gets the client's own number back.
 *
 * The data-plane thread turns Node's event loop every 200 ms, which is how long an answer may take
 * to be noticed.
 */
import { createSocket, type Socket } from 'node:dgram';
import { connect, isIP, isIPv6 } from 'node:net';
import { read16, write16 } from '../../net/bytes.ts';
import type { DnsUpstream } from '../../vpc/services/upstream.ts';

type Done = (answer: Uint8Array | null) => void;
type Waiting = { readonly id: number; readonly done: Done };

/** More than ever wait: the oldest have been given up by whoever asked. */
const maxWaiting = 4096;
const patienceMs = 5000;
const lengthBytes = 2;

export class NameServer implements DnsUpstream {
  readonly #address: string;
  readonly #port: number;
  readonly #socket: Socket;
  /** By the number that the server sees, the oldest first. */
  readonly #waiting = new Map<number, Waiting>();

  /** Throws when `address` is none. */
  constructor(address: string, port = 53) {
    if (isIP(address) === 0) throw new Error(`'${address}' is not the address of a name server`);
    this.#address = address;
    this.#port = port;
    this.#socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    // What cannot be sent is not answered, which is what the client hears in time.
    this.#socket.on('error', () => {});
    this.#socket.on('message', (message, from) => {
      if (from.address === address && from.port === port) this.#take(message);
    });
    this.#socket.unref();
  }

  ask(query: Uint8Array, done: Done, isStream: boolean): void {
    if (isStream) this.#askByTcp(query, done);
    else this.#askByUdp(query, done);
  }

  close(): void {
    this.#socket.close();
    this.#waiting.clear();
  }

  #askByUdp(query: Uint8Array, done: Done): void {
    const number = this.#freeNumber();
    this.#waiting.set(number, { id: read16(query, 0), done });
    const message = query.slice();
    write16(message, 0, number);
    this.#socket.send(message, this.#port, this.#address, () => {});
  }

  #take(message: Uint8Array): void {
    const number = message.length < lengthBytes ? -1 : read16(message, 0);
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    this.#waiting.delete(number);
    const answer = Uint8Array.from(message);
    write16(answer, 0, waiting.id);
    waiting.done(answer);
  }

  #freeNumber(): number {
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= maxWaiting && oldest !== undefined) this.#waiting.delete(oldest);
    for (;;) {
      const [number = 0] = crypto.getRandomValues(new Uint16Array(1));
      if (!this.#waiting.has(number)) return number;
    }
  }

  #askByTcp(query: Uint8Array, done: Done): void {
    const socket = connect(this.#port, this.#address);
    const parts: Uint8Array[] = [];
    const finish = (answer: Uint8Array | null): void => {
      socket.destroy();
      done(answer);
    };
    socket.unref();
    socket.setTimeout(patienceMs, () => finish(null));
    socket.on('error', () => finish(null));
    socket.on('end', () => finish(null));
    socket.on('data', (part) => {
      parts.push(part);
      const bytes = Buffer.concat(parts);
      const end = bytes.length < lengthBytes ? Infinity : lengthBytes + read16(bytes, 0);
      if (bytes.length >= end) finish(Uint8Array.from(bytes.subarray(lengthBytes, end)));
    });
    const framed = new Uint8Array(lengthBytes + query.length);
    write16(framed, 0, query.length);
    framed.set(query, lengthBytes);
    socket.write(framed);
  }
}
