/**
 * UDP load and its counterpart. Datagrams carry a sequence number, so that the sink can tell lost
 * ones from late ones; the frame is made once and only the number changes.
 */
import { read32, write32 } from '../net/bytes.ts';
import { type NetEndpoint, type UdpHandler, udpPayloadAt } from './endpoint.ts';

export const minLoadPayloadBytes = 4;

export class UdpBlaster {
  readonly #endpoint: NetEndpoint;
  readonly #to: number;
  readonly #port: number;
  readonly #payloadBytes: number;
  readonly #frame: Uint8Array;
  #frameBytes = 0;
  sent = 0;

  /** `frameBytes` counts the Ethernet header, not the FCS. Throws when nothing would fit in it. */
  constructor(endpoint: NetEndpoint, to: number, port: number, frameBytes: number) {
    this.#payloadBytes = frameBytes - udpPayloadAt;
    if (this.#payloadBytes < minLoadPayloadBytes || this.#payloadBytes > endpoint.maxPayloadBytes)
      throw new RangeError(`frames of ${frameBytes} bytes carry no load`);
    this.#endpoint = endpoint;
    this.#to = to;
    this.#port = port;
    this.#frame = new Uint8Array(frameBytes).fill(0x5a);
  }

  /** Sends up to `count` frames; returns how many, 0 while the receiver's address is unknown. */
  burst(count: number): number {
    const { nic } = this.#endpoint;
    if (this.#frameBytes === 0 && !this.#prepare()) return 0;
    let done = 0;
    while (done < count) {
      write32(this.#frame, udpPayloadAt, this.sent);
      if (!nic.send(this.#frame, 0, this.#frameBytes)) break;
      this.sent++;
      done++;
    }
    nic.flush();
    return done;
  }

  #prepare(): boolean {
    const mac = this.#endpoint.resolve(this.#to);
    if (mac < 0) {
      this.#endpoint.nic.flush();
      return false;
    }
    const { writeUdpHeaders } = this.#endpoint;
    this.#frameBytes = writeUdpHeaders.call(
      this.#endpoint,
      this.#frame,
      mac,
      this.#to,
      this.#port,
      this.#port,
      this.#payloadBytes,
    );
    return true;
  }
}

export class UdpSink implements UdpHandler {
  received = 0;
  bytes = 0;
  /** Numbers that were passed over and have not come since. */
  missing = 0;
  late = 0;
  #next = 0;

  datagram(_source: number, _port: number, bytes: Uint8Array, at: number, length: number): void {
    this.received++;
    this.bytes += length;
    if (length < minLoadPayloadBytes) return;
    const number = read32(bytes, at) >>> 0;
    if (number < this.#next) {
      this.late++;
      this.missing--;
      return;
    }
    this.missing += number - this.#next;
    this.#next = number + 1;
  }
}
