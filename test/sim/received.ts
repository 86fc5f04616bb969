/** What a reference driver has received. */

type Receiver = {
  poll(): void;
  readonly rx: readonly {
    readonly length: number;
    next(): boolean;
    copy(into: Uint8Array, at: number): number;
    replenish(): void;
  }[];
};

/** Takes what all receive queues hold, as copies, in queue order; posts buffers again. */
export function receiveAll(driver: Receiver): Uint8Array[] {
  const frames: Uint8Array[] = [];
  driver.poll();
  for (const queue of driver.rx) {
    while (queue.next()) {
      const frame = new Uint8Array(queue.length);
      queue.copy(frame, 0);
      frames.push(frame);
    }
    queue.replenish();
  }
  return frames;
}
