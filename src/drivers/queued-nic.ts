/** A driver of queue pairs as a `Nic`: transmit on the first one, receive on all of them in turn. */
import type { FrameSink, Nic } from './nic.ts';

/** What the poll-mode drivers have in common. */
export interface QueuedDriver {
  readonly mac: number;
  readonly mtu: number;
  readonly arena: { readonly bytes: Uint8Array };
  readonly tx: readonly {
    send(bytes: Uint8Array, at: number, length: number): boolean;
    kick(): void;
  }[];
  readonly rx: readonly {
    /** The next frame, if there is one: its pieces lie at `starts` of the arena. */
    next(): boolean;
    readonly pieces: number;
    readonly starts: ArrayLike<number>;
    readonly length: number;
    copy(into: Uint8Array, at: number): number;
    replenish(): void;
  }[];
  poll(): void;
}

/** The largest frame: a 64 KiB buffer chain. */
const maxFrameBytes = 1 << 16;

export class QueuedNic implements Nic {
  readonly mac: number;
  readonly #driver: QueuedDriver;
  /** Frames that arrived in several buffers are put together here. */
  readonly #joined = new Uint8Array(maxFrameBytes);

  /** The driver has been started. */
  constructor(driver: QueuedDriver) {
    this.#driver = driver;
    this.mac = driver.mac;
  }

  get mtu(): number {
    return this.#driver.mtu;
  }

  send(bytes: Uint8Array, at: number, length: number): boolean {
    return this.#driver.tx[0]?.send(bytes, at, length) ?? false;
  }

  flush(): void {
    this.#driver.tx[0]?.kick();
  }

  receive(sink: FrameSink, budget: number): number {
    const { rx, arena } = this.#driver;
    let count = 0;
    this.#driver.poll();
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
