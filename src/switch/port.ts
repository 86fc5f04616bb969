/**
 * One port of the switch: the device's `Port`, and what the switch keeps about it.
 */
import type { Counters } from '../lib/counters.ts';
import { macHi, macLo } from '../net/ethernet.ts';
import type { Frame } from '../net/frame.ts';
import { FrameQueue } from '../net/frame-queue.ts';
import type { Endpoint, Port } from '../net/port.ts';
import { R, type Reason } from '../net/reasons.ts';
import { counter, createPortCounters } from './port-counters.ts';

export type PortOptions = {
  /** For people: traces, captures, counters. */
  readonly name: string;
  /** The address that this port owns. Frames for it come here and are never flooded. */
  readonly mac?: number;
  /** Drop frames from other source MACs. */
  readonly spoofCheck?: boolean;
  /** The largest IP packet that the port may send; 9216 unless told. */
  readonly mtu?: number;
  /** Room for frames that wait for receive buffers; 512 KiB unless told. */
  readonly queueBytes?: number;
};

/** What a port needs of its switch. */
export interface Fabric {
  transmit(from: SwitchPort, frame: Frame): Reason;
  flush(): void;
  drain(port: SwitchPort): void;
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
  readonly mac: number | null;
  readonly macHi: number;
  readonly macLo: number;
  readonly spoofCheck: boolean;
  readonly maxFrameBytes: number;
  readonly counters: Counters = createPortCounters();
  readonly values: Float64Array;
  readonly queue: FrameQueue;

  endpoint: Endpoint | null = null;
  linkUp = true;
  /** The receiver has no buffer: nothing is offered before it says `drain`. */
  stalled = false;
  /** It was given frames in this burst. */
  dirty = false;

  readonly #fabric: Fabric;

  constructor(fabric: Fabric, index: number, options: PortOptions) {
    if (options.spoofCheck && options.mac === undefined)
      throw new Error(`port ${options.name}: a source check needs the port's MAC address`);
    this.#fabric = fabric;
    this.index = index;
    this.name = options.name;
    this.mac = options.mac ?? null;
    this.macHi = options.mac === undefined ? -1 : macHi(options.mac);
    this.macLo = options.mac === undefined ? 0 : macLo(options.mac);
    this.spoofCheck = options.spoofCheck ?? false;
    this.maxFrameBytes = (options.mtu ?? defaultMtu) + l2Bytes;
    this.values = this.counters.values;
    this.queue = new FrameQueue(options.queueBytes ?? defaultQueueBytes);
  }

  transmit(frame: Frame): Reason {
    return this.#fabric.transmit(this, frame);
  }

  flush(): void {
    this.#fabric.flush();
  }

  drain(): void {
    this.stalled = false;
    if (this.queue.count > 0) this.#fabric.drain(this);
  }

  /** What waits for the endpoint before is dropped and counted as `noReceiver`. */
  connect(endpoint: Endpoint | null): void {
    this.endpoint = endpoint;
    this.stalled = false;
    this.#discard(R.noReceiver);
  }

  /** Without link a port neither sends nor is sent anything; what waits is dropped. */
  setLink(up: boolean): void {
    this.linkUp = up;
    if (!up) this.#discard(R.linkDown);
  }

  #discard(reason: Reason): void {
    const at = counter.rxReason + reason;
    this.values[at] = (this.values[at] as number) + this.queue.count;
    this.queue.clear();
  }
}
