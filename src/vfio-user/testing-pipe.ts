/**
 * A connection in memory, for tests and fuzzers: two transports, each the other's peer. A descriptor
 * arrives as a duplicate, as it does over a socket.
 */
import { closeFd, dupFd } from '../sys/fd.ts';
import { disconnected, type Transport, wouldBlock } from './transport.ts';

type Chunk = { bytes: Uint8Array; readonly fds: number[] };

export class PipeEnd implements Transport {
  fdsTruncated = false;
  /** Called while this end waits for input: the peer's chance to send some. */
  onWait: () => void = () => {};
  /** How many bytes this end takes before its peer's `send` would block. */
  capacityBytes = 2 ** 20;
  #peer: PipeEnd = this;
  #closed = false;
  #queue: Chunk[] = [];

  static pair(): [PipeEnd, PipeEnd] {
    const [a, b] = [new PipeEnd(), new PipeEnd()];
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  get queuedBytes(): number {
    return this.#queue.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  }

  /** As a socket does: stops after a chunk that carries descriptors. */
  receive(into: Uint8Array, at: number, max: number, fds: number[]): number {
    let count = 0;
    while (count < max) {
      const chunk = this.#queue[0];
      if (chunk === undefined) break;
      const part = chunk.bytes.subarray(0, max - count);
      into.set(part, at + count);
      count += part.length;
      chunk.bytes = chunk.bytes.subarray(part.length);
      const carried = chunk.fds.splice(0);
      fds.push(...carried);
      if (chunk.bytes.length === 0) this.#queue.shift();
      if (carried.length > 0) break;
    }
    if (count > 0) return count;
    return this.#peer.#closed || this.#closed ? disconnected : wouldBlock;
  }

  send(bytes: Uint8Array, at: number, length: number, fds: readonly number[]): number {
    const peer = this.#peer;
    if (peer.#closed || this.#closed) return disconnected;
    const count = Math.min(length, peer.capacityBytes - peer.queuedBytes);
    if (count <= 0) return wouldBlock;
    peer.#queue.push({ bytes: bytes.slice(at, at + count), fds: fds.map(dupFd) });
    return count;
  }

  waitReadable(): boolean {
    if (this.#queue.length === 0) this.onWait();
    return this.#queue.length > 0 || this.#peer.#closed;
  }

  waitWritable(): boolean {
    if (this.#peer.queuedBytes >= this.#peer.capacityBytes) this.onWait();
    return this.#peer.queuedBytes < this.#peer.capacityBytes;
  }

  close(): void {
    this.#closed = true;
    for (const chunk of this.#queue.splice(0)) for (const fd of chunk.fds) closeFd(fd);
  }
}
