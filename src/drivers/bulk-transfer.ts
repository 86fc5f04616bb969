/**
 * A reliable transfer of made-up bytes over UDP, to measure and to verify: go-back-N with
 * cumulative acknowledgements, and a running checksum over all bytes that both ends must agree on.
 *
 * Each datagram begins with four words: kind, segment number, value, and the transfer's id.
 * DATA: the segment's number. END: how many segments there were; the value is the sum over them.
 * ACK: the next number wanted; the value is the verdict, once END has been seen.
 */
import { nsPerMs } from '../lib/clock.ts';
import { read32, write32 } from '../net/bytes.ts';
import type { NetEndpoint, UdpHandler } from './endpoint.ts';

const kind = { data: 1, end: 2, ack: 3 } as const;
const headerBytes = 16;
const verdict = { none: 0, right: 1, wrong: 2 } as const;
const windowSegments = 256;
const timeoutNs = 20 * nsPerMs;
const duplicateAcks = 3;

const mix = (sum: number, word: number): number => Math.imul(sum ^ word, 0x0100_0193);

type Header = { kind: number; number: number; value: number; id: number };

function writeHeader(bytes: Uint8Array, header: Header): void {
  write32(bytes, 0, header.kind);
  write32(bytes, 4, header.number);
  write32(bytes, 8, header.value);
  write32(bytes, 12, header.id);
}

export class BulkSender implements UdpHandler {
  readonly #endpoint: NetEndpoint;
  readonly #to: number;
  readonly #port: number;
  readonly #id: number;
  readonly #buffer: Uint8Array;
  readonly #segmentBytes: number;
  readonly #segments: number;
  /** Oldest segment that is not acknowledged, next to send, and how many were ever sent. */
  #base = 0;
  #next = 0;
  #reached = 0;
  #sum = 0;
  #duplicates = 0;
  #lastProgress: number;
  #result: number = verdict.none;
  retransmissions = 0;

  /** Listens on `port` of its own endpoint, too. `bytes` is rounded up to whole segments. */
  constructor(endpoint: NetEndpoint, to: number, port: number, bytes: number, id = 1) {
    this.#endpoint = endpoint;
    this.#to = to;
    this.#port = port;
    this.#id = id;
    this.#segmentBytes = (endpoint.maxPayloadBytes - headerBytes) & ~3;
    this.#segments = Math.ceil(bytes / this.#segmentBytes);
    this.#buffer = new Uint8Array(headerBytes + this.#segmentBytes);
    this.#lastProgress = endpoint.clock.now();
    endpoint.listen(port, this);
  }

  get totalBytes(): number {
    return this.#segments * this.#segmentBytes;
  }

  /** Null while it goes on; then whether the receiver got exactly what was sent. */
  get verified(): boolean | null {
    return this.#result === verdict.none ? null : this.#result === verdict.right;
  }

  datagram(_source: number, _port: number, bytes: Uint8Array, at: number, length: number): void {
    if (length < headerBytes || read32(bytes, at) !== kind.ack) return;
    if (read32(bytes, at + 12) !== this.#id) return;
    const wanted = read32(bytes, at + 4);
    this.#result = read32(bytes, at + 8);
    if (wanted > this.#base && wanted <= this.#reached) {
      this.#base = wanted;
      this.#next = Math.max(this.#next, wanted);
      this.#duplicates = 0;
      this.#lastProgress = this.#endpoint.clock.now();
    } else if (wanted === this.#base && ++this.#duplicates === duplicateAcks) this.#goBack();
  }

  /** Sends what the window allows. */
  tick(): void {
    if (this.#result !== verdict.none) return;
    const now = this.#endpoint.clock.now();
    if (now - this.#lastProgress > timeoutNs) {
      this.#goBack();
      this.#lastProgress = now;
    }
    const end = Math.min(this.#segments, this.#base + windowSegments);
    while (this.#next < end && this.#sendSegment(this.#next)) this.#next++;
    if (this.#base === this.#segments) this.#sendEnd();
  }

  #goBack(): void {
    this.retransmissions += this.#next - this.#base;
    this.#next = this.#base;
    this.#duplicates = 0;
  }

  #sendSegment(number: number): boolean {
    const bytes = this.#buffer;
    const isNew = number === this.#reached;
    writeHeader(bytes, { kind: kind.data, number, value: 0, id: this.#id });
    let sum = this.#sum;
    let word = Math.imul(number + 1, 0x9e37_79b1) ^ this.#id;
    for (let at = headerBytes; at < bytes.length; at += 4) {
      word = (Math.imul(word, 0x0019_660d) + 0x3c6e_f35f) | 0;
      write32(bytes, at, word);
      sum = mix(sum, word);
    }
    const port = this.#port;
    if (!this.#endpoint.sendUdp(this.#to, port, port, bytes, bytes.length)) return false;
    if (isNew) {
      this.#sum = sum;
      this.#reached++;
    }
    return true;
  }

  /** Again and again, until the receiver has said what it thinks. */
  #sendEnd(): void {
    const header = { kind: kind.end, number: this.#segments, value: this.#sum, id: this.#id };
    writeHeader(this.#buffer, header);
    this.#endpoint.sendUdp(this.#to, this.#port, this.#port, this.#buffer, headerBytes);
  }
}

export class BulkReceiver implements UdpHandler {
  readonly #endpoint: NetEndpoint;
  readonly #port: number;
  readonly #ack = new Uint8Array(headerBytes);
  #from = 0;
  #id = 0;
  #wanted = 0;
  #sum = 0;
  #verdict: number = verdict.none;
  #owesAck = false;
  /** Payload that was accepted in order. */
  receivedBytes = 0;

  constructor(endpoint: NetEndpoint, port: number) {
    this.#endpoint = endpoint;
    this.#port = port;
    endpoint.listen(port, this);
  }

  get verified(): boolean | null {
    return this.#verdict === verdict.none ? null : this.#verdict === verdict.right;
  }

  datagram(source: number, _port: number, bytes: Uint8Array, at: number, length: number): void {
    if (length < headerBytes) return;
    const what = read32(bytes, at);
    const number = read32(bytes, at + 4);
    const id = read32(bytes, at + 12);
    if (what === kind.data && number === 0 && id !== this.#id) this.#begin(source, id);
    if (id !== this.#id) return;
    this.#owesAck = true;
    if (what === kind.data && number === this.#wanted) this.#accept(bytes, at, length);
    if (what === kind.end && number === this.#wanted) {
      const isRight = read32(bytes, at + 8) === this.#sum;
      this.#verdict = isRight ? verdict.right : verdict.wrong;
    }
  }

  /** One acknowledgement per burst. */
  tick(): void {
    if (!this.#owesAck) return;
    const header = { kind: kind.ack, number: this.#wanted, value: this.#verdict, id: this.#id };
    writeHeader(this.#ack, header);
    const port = this.#port;
    if (this.#endpoint.sendUdp(this.#from, port, port, this.#ack, headerBytes))
      this.#owesAck = false;
  }

  #begin(source: number, id: number): void {
    this.#from = source;
    this.#id = id;
    this.#wanted = 0;
    this.#sum = 0;
    this.#verdict = verdict.none;
  }

  #accept(bytes: Uint8Array, at: number, length: number): void {
    let sum = this.#sum;
    for (let i = headerBytes; i < length; i += 4) sum = mix(sum, read32(bytes, at + i));
    this.#sum = sum;
    this.#wanted++;
    this.receivedBytes += length - headerBytes;
  }
}
