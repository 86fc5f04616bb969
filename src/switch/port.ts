/**
 * One port of the switch: the device's `Port`, and what the switch keeps about it.
 */
import type { Counters } from '../lib/counters.ts';
import { macHi, macLo } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { FrameQueue } from '../net/frame-queue.ts';
import type { BurstPath, BurstSender } from '../net/loans.ts';
import { type Endpoint, maxLanes, type Port } from '../net/port.ts';
import { R, type Reason } from '../net/reasons.ts';
import type { Allowance } from './allowance/allowance.ts';
import { type Releaser, Shaper } from './allowance/shaper.ts';
import type { Express } from './express.ts';
import { counter, createPortCounters } from './port-counters.ts';
import type { Trunk } from './trunk/trunk.ts';

export type PortOptions = {
  /** For people: traces, captures, counters. */
  readonly name: string;
  /** The address that this port owns. Frames for it come here and are never flooded. */
  readonly mac?: number;
  /** Drop frames from other source MACs, and from other IPv4 addresses if `address` is given. */
  readonly spoofCheck?: boolean;
  /** The IPv4 address that the port's guest was given. */
  readonly address?: number;
  /** The largest IP packet that the port may send; 9216 unless told. */
  readonly mtu?: number;
  /** ENA Express is switched on; off unless told. */
  readonly express?: Express;
  /** Room for frames that wait for receive buffers, in each lane; 512 KiB unless told. */
  readonly queueBytes?: number;
  /** What it may send and be sent, together with other ports of the same allowance; no limit if absent. */
  readonly allowance?: Allowance;
  /**
   * It is the EFA's of an interface: SRD goes from fabric port to fabric port, and nothing else does.
   * The interface's Ethernet port may have the same MAC.
   */
  readonly fabric?: boolean;
  /** Another thread serves its function, at the other end of this trunk. */
  readonly trunk?: Trunk;
};

/** What a port needs of its switch. */
export interface Fabric extends Releaser {
  transmit(from: SwitchPort, frame: Frame): Reason;
  /** null: all frames go one by one. */
  readonly bursts: BurstPath | null;
  flush(): void;
  drain(port: SwitchPort): void;
  own(port: SwitchPort, mac: number): boolean;
  disown(port: SwitchPort, mac: number): void;
  /** Connections that the port's guest can still have tracked. */
  trackingAvailable(port: SwitchPort): number;
}

const defaultMtu = 9216;
const defaultQueueBytes = 512 * 1024;
/** Ethernet header and two VLAN tags. */
const l2Bytes = 22;

export class SwitchPort implements Port {
  /** The port's number in its switch; numbers of removed ports are used again. */
  readonly index: number;
  readonly name: string;
  /** Or null: it has none of its own. */
  mac: number | null = null;
  macHi = -1;
  macLo = 0;
  spoofCheck: boolean;
  /** Or null: any. */
  readonly address: number | null;
  readonly maxFrameBytes: number;
  readonly isFabric: boolean;
  /** Or null: its function is served here. */
  readonly trunk: Trunk | null;
  readonly counters: Counters = createPortCounters();
  readonly values: Float64Array;
  /** Frames that wait for buffers, by lane of the endpoint; made when first needed. */
  readonly #lanes: (FrameQueue | null)[] = new Array<FrameQueue | null>(maxLanes).fill(null);
  readonly #queueBytes: number;
  /** A lane has no buffer: nothing is offered to it before the endpoint says `drain`. */
  readonly stalled = new Uint8Array(maxLanes);
  /** Frames that wait, in all lanes. */
  waiting = 0;

  /** What is above its allowance waits here; null: it has none. */
  shaper: Shaper | null = null;
  readonly express: Express | null;
  /** Its guest may send on what is not its own: no end of a packet's way. */
  sendsOn = false;

  endpoint: Endpoint | null = null;
  linkUp = true;
  /** It was given frames in this burst. */
  dirty = false;

  readonly #fabric: Fabric;

  constructor(fabric: Fabric, index: number, options: PortOptions) {
    if (options.spoofCheck && options.mac === undefined)
      throw new Error(`port ${options.name}: a source check needs the port's MAC address`);
    this.#fabric = fabric;
    this.index = index;
    this.name = options.name;
    this.#keepMac(options.mac ?? null);
    this.spoofCheck = options.spoofCheck ?? false;
    this.address = options.address ?? null;
    this.isFabric = options.fabric ?? false;
    this.express = options.express ?? null;
    this.trunk = options.trunk ?? null;
    this.maxFrameBytes = (options.mtu ?? defaultMtu) + l2Bytes;
    this.values = this.counters.values;
    this.#queueBytes = options.queueBytes ?? defaultQueueBytes;
    this.setAllowance(options.allowance ?? null);
  }

  transmit(frame: Frame): Reason {
    return this.#fabric.transmit(this, frame);
  }

  burst(sender: BurstSender, most: number): number {
    return this.#fabric.bursts?.send(this.index, sender, most) ?? 0;
  }

  flush(): void {
    this.#fabric.flush();
  }

  drain(lane: number): void {
    this.stalled[lane] = 0;
    if (this.waiting > 0) this.#fabric.drain(this);
  }

  /**
   * Whether the frame's journey ends at this port: its guest must not have to send it on, larger
   * than its link allows.
   */
  endsAt(frame: Frame): boolean {
    const h = frame.headers;
    return h.ipVersion === 4 && this.address !== null && h.dst === this.address;
  }

  /** From the next frame on. What waits for an allowance that ends is dropped. */
  setAllowance(allowance: Allowance | null): void {
    if (allowance === null) {
      this.shaper?.clear(R.bandwidthExceeded);
      this.shaper = null;
    } else if (this.shaper !== null) this.shaper.change(allowance);
    else this.shaper = new Shaper(allowance, this.index, this.values, this.#fabric);
  }

  get overruns(): number {
    return this.values[counter.rxReason + R.queueFull] as number;
  }

  get linkLocalExceeded(): number {
    return this.values[counter.txReason + R.linkLocalExceeded] as number;
  }

  get trackingExceeded(): number {
    const outbound = this.values[counter.txReason + R.trackingFull] as number;
    return outbound + (this.values[counter.rxReason + R.trackingFull] as number);
  }

  get trackingAvailable(): number {
    return this.#fabric.trackingAvailable(this);
  }

  get bandwidthInExceeded(): number {
    return this.values[counter.bwInExceeded] as number;
  }

  get bandwidthOutExceeded(): number {
    return this.values[counter.bwOutExceeded] as number;
  }

  get packetRateExceeded(): number {
    return this.values[counter.ppsExceeded] as number;
  }

  get expressMode(): number {
    if (this.express === null) return 0;
    return this.express.udp ? 3 : 1;
  }

  get expressSent(): number {
    return this.values[counter.expressTx] as number;
  }

  get expressReceived(): number {
    return this.values[counter.expressRx] as number;
  }

  /** What waits for the endpoint before is dropped and counted as `noReceiver`. */
  connect(endpoint: Endpoint | null): void {
    this.endpoint = endpoint;
    this.stalled.fill(0);
    this.#discard(R.noReceiver);
  }

  setMac(mac: number | null): boolean {
    if (mac === this.mac) return true;
    if (mac !== null && !this.addMac(mac)) return false;
    if (this.mac !== null) this.removeMac(this.mac);
    this.#keepMac(mac);
    return true;
  }

  addMac(mac: number): boolean {
    return this.#fabric.own(this, mac);
  }

  removeMac(mac: number): void {
    this.#fabric.disown(this, mac);
  }

  #keepMac(mac: number | null): void {
    this.mac = mac;
    this.macHi = mac === null ? -1 : macHi(mac);
    this.macLo = mac === null ? 0 : macLo(mac);
  }

  /** The queue of a lane. */
  lane(index: number): FrameQueue {
    let queue = this.#lanes[index] ?? null;
    if (queue === null) {
      queue = new FrameQueue(this.#queueBytes);
      this.#lanes[index] = queue;
    }
    return queue;
  }

  laneOf(frame: Frame): number {
    return this.endpoint?.laneOf(frame) ?? 0;
  }

  /** How many frames wait in a lane. */
  waitingIn(index: number): number {
    return this.#lanes[index]?.count ?? 0;
  }

  /** Without link a port neither sends nor is sent anything; what waits is dropped. */
  setLink(up: boolean): void {
    this.linkUp = up;
    if (!up) this.#discard(R.linkDown);
  }

  #discard(reason: Reason): void {
    const at = counter.rxReason + reason;
    this.values[at] = (this.values[at] as number) + this.waiting;
    for (const queue of this.#lanes) queue?.clear();
    this.waiting = 0;
    this.shaper?.clear(reason);
  }
}
