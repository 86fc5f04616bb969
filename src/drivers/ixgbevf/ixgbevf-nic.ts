/** An 82599 VF's driver as a `Nic`: transmit on one queue pair, receive on all of them in turn. */
import type { FrameSink, Nic } from '../nic.ts';
import type { IxgbevfDriver } from './driver.ts';

const maxFrameBytes = 1 << 16;

export class IxgbevfNic implements Nic {
  readonly driver: IxgbevfDriver;
  readonly mac: number;
  /** Frames that arrived in several buffers are put together here. */
  readonly #joined = new Uint8Array(maxFrameBytes);

  /** The driver has been started. */
  constructor(driver: IxgbevfDriver) {
    this.driver = driver;
    this.mac = driver.mac;
  }

  get mtu(): number {
    return this.driver.mtu;
  }

  send(bytes: Uint8Array, at: number, length: number): boolean {
    return this.driver.tx[0]?.send(bytes, at, length) ?? false;
  }

  flush(): void {
    this.driver.tx[0]?.kick();
  }

  receive(sink: FrameSink, budget: number): number {
    const { rx, arena } = this.driver;
    let count = 0;
    this.driver.poll();
    for (let i = 0; i < rx.length; i++) {
      const queue = rx[i];
      if (queue === undefined) break;
      for (let n = 0; n < budget && queue.next(); n++, count++) {
        if (queue.pieces === 1) sink.frame(arena.bytes, queue.starts[0] as number, queue.length);
        else sink.frame(this.#joined, 0, queue.copy(this.#joined, 0));
      }
      queue.replenish();
    }
    return count;
  }
}
