/**
 * Guest memory that only the client can reach: DMA_READ and DMA_WRITE. The thread sends, then
 * blocks until the reply is there; what else the client sends meanwhile stays in the stream and
 * is served afterwards. Whoever does not answer in time is disconnected, because everybody on
 * this thread waits for it.
 */
import type { RemoteDma } from '../pci/guest-memory.ts';
import * as p from './protocol.ts';

/** The connection, as far as these commands need it. */
export interface Link {
  /** False while there is no client, or when it is being disconnected. */
  readonly isUsable: boolean;
  /** What the client takes per message. */
  readonly maxDataBytes: number;
  /** Sends a whole message, blocking; false when the client takes nothing for too long. */
  sendNow(message: Uint8Array, sizeBytes: number): boolean;
  /** Receives until the reply to `id` is there: its size; -1 when it did not come. */
  awaitReply(id: number, into: Uint8Array): number;
}

const accessBytes = p.vfio_user_dma_region_access.sizeBytes;
const dataAt = p.headerBytes + accessBytes;
const headerWords = p.headerBytes >>> 2;

export class MessageDma implements RemoteDma {
  readonly #link: Link;
  readonly #header = p.vfio_user_header.create();
  readonly #access = p.vfio_user_dma_region_access.create();
  readonly #message: Uint8Array = new Uint8Array(new ArrayBuffer(p.maxMessageBytes));
  readonly #words = new Int32Array(this.#message.buffer);
  #id = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  read(iova: number, into: Uint8Array): boolean {
    const step = this.#stepBytes();
    for (let at = 0; at < into.length; at += step) {
      const count = Math.min(step, into.length - at);
      if (!this.#command(p.VFIO_USER_DMA_READ, iova + at, count, dataAt)) return false;
      into.set(this.#message.subarray(dataAt, dataAt + count), at);
    }
    return true;
  }

  write(iova: number, from: Uint8Array): boolean {
    const step = this.#stepBytes();
    for (let at = 0; at < from.length; at += step) {
      const count = Math.min(step, from.length - at);
      this.#message.set(from.subarray(at, at + count), dataAt);
      if (!this.#command(p.VFIO_USER_DMA_WRITE, iova + at, count, dataAt + count)) return false;
    }
    return true;
  }

  #stepBytes(): number {
    return Math.min(this.#link.maxDataBytes, p.maxDataBytes);
  }

  /** Sends the command and checks its reply, which is then in `#message`. */
  #command(cmd: number, iova: number, count: number, sizeBytes: number): boolean {
    if (!this.#link.isUsable) return false;
    const [header, access] = [this.#header, this.#access];
    this.#id = (this.#id + 1) & 0xffff;
    header.clear();
    header.msg_id = this.#id;
    header.cmd = cmd;
    header.msg_size = sizeBytes;
    header.store(this.#words, 0);
    access.addr_lo = p.lo32(iova);
    access.addr_hi = p.hi32(iova);
    access.count_lo = count;
    access.count_hi = 0;
    access.store(this.#words, headerWords);
    if (!this.#link.sendNow(this.#message, sizeBytes)) return false;
    const size = this.#link.awaitReply(this.#id, this.#message);
    header.load(this.#words, 0);
    if (size < p.headerBytes || header.error !== 0 || header.cmd !== cmd) return false;
    if (cmd === p.VFIO_USER_DMA_WRITE) return true;
    access.load(this.#words, headerWords);
    return size === dataAt + count && access.count_lo === count;
  }
}
