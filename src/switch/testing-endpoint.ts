/** An endpoint for tests and benches: keeps what it is given, has as many buffers as it is told. */
import { Frame } from '../net/frame.ts';
import type { Endpoint } from '../net/port.ts';
import { R, type Reason } from '../net/reasons.ts';
import type { SwitchPort } from './port.ts';

export class TestEndpoint implements Endpoint {
  readonly port: SwitchPort;
  readonly received: Uint8Array[] = [];
  /** Verdicts on the sums, per received frame: [IPv4, L4]. */
  readonly sums: [number, number][] = [];
  buffers = Infinity;
  flushes = 0;
  /** Segments may stay together up to this length. */
  roomBytes = 0;
  /** What `receive` answers; null: by buffers. */
  refusal: Reason | null = null;
  /** Called from within flush(). */
  onFlush: () => void = () => {};

  constructor(port: SwitchPort) {
    this.port = port;
    port.connect(this);
  }

  receive(frame: Frame): Reason {
    if (this.refusal !== null) return this.refusal;
    if (this.buffers === 0) return R.rxNoBuffer;
    this.buffers--;
    const bytes = new Uint8Array(frame.length);
    frame.copyTo(bytes, 0);
    this.received.push(bytes);
    this.sums.push([frame.ipv4Sum, frame.l4Sum]);
    return R.delivered;
  }

  roomFor(): number {
    return this.roomBytes;
  }

  flush(): void {
    this.flushes++;
    this.onFlush();
  }

  /** Sends one frame in a burst of its own. */
  send(bytes: Uint8Array, offload = 0, mss = 0): Reason {
    const frame = new Frame();
    frame.load(bytes, 0, bytes.length);
    frame.offload = offload;
    frame.mss = mss;
    const verdict = this.port.transmit(frame);
    this.port.flush();
    return verdict;
  }

  laneOf(): number {
    return 0;
  }
}
