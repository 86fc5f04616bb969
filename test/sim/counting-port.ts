import type { Frame } from '../../src/net/frame.ts';
import type { BurstSender } from '../../src/net/loans.ts';
import type { Endpoint, Port } from '../../src/net/port.ts';
import type { Reason } from '../../src/net/reasons.ts';

/** Counts what the device gives the switch, so that one access can be held to its bound. */
export class CountingPort implements Port {
  frames = 0;
  readonly #port: Port;

  constructor(port: Port) {
    this.#port = port;
  }
  transmit(frame: Frame): Reason {
    this.frames++;
    return this.#port.transmit(frame);
  }
  burst(sender: BurstSender, most: number): number {
    const sent = this.#port.burst(sender, most);
    this.frames += sent;
    return sent;
  }
  flush(): void {
    this.#port.flush();
  }
  drain(lane: number): void {
    this.#port.drain(lane);
  }
  get overruns(): number {
    return this.#port.overruns;
  }
  get linkLocalExceeded(): number {
    return this.#port.linkLocalExceeded;
  }
  get trackingExceeded(): number {
    return this.#port.trackingExceeded;
  }
  get trackingAvailable(): number {
    return this.#port.trackingAvailable;
  }
  get bandwidthInExceeded(): number {
    return this.#port.bandwidthInExceeded;
  }
  get bandwidthOutExceeded(): number {
    return this.#port.bandwidthOutExceeded;
  }
  get expressMode(): number {
    return this.#port.expressMode;
  }
  get expressSent(): number {
    return this.#port.expressSent;
  }
  get expressReceived(): number {
    return this.#port.expressReceived;
  }
  get packetRateExceeded(): number {
    return this.#port.packetRateExceeded;
  }
  connect(endpoint: Endpoint | null): void {
    this.#port.connect(endpoint);
  }
  setMac(mac: number | null): boolean {
    return this.#port.setMac(mac);
  }
  addMac(mac: number): boolean {
    return this.#port.addMac(mac);
  }
  removeMac(mac: number): void {
    this.#port.removeMac(mac);
  }
}
