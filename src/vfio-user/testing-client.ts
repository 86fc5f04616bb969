/**
 * A vfio-user client for tests: what QEMU sends, in the order it sends it, and anything else that
 * a test wants to send. It also answers DMA_READ and DMA_WRITE for memory that it did not share.
 */
import { createEventFd, drainEventFd } from '../sys/eventfd.ts';
import { closeFd } from '../sys/fd.ts';
import { createSharedMemory, type SharedMemory } from '../sys/memory.ts';
import { connectUnix, type StreamSocket } from '../sys/socket.ts';
import { MessageStream } from './message-stream.ts';
import * as p from './protocol.ts';
import { disconnected, sendAll, type Transport } from './transport.ts';

export type Reply = {
  readonly errno: number;
  readonly payload: DataView;
  /** Descriptors that came with it; now the caller's. */
  readonly fds: readonly number[];
};

export type SendOptions = {
  readonly fds?: readonly number[];
  readonly noReply?: boolean;
  readonly id?: number;
};

/** How QEMU 11 introduces itself. */
export const qemuCapabilities = {
  migration: { pgsize: 4096, max_bitmap_size: 256 * 1024 * 1024 },
  max_msg_fds: 16,
  max_data_xfer_size: 2 ** 20,
  pgsizes: 4096,
  max_dma_maps: 65535,
  write_multiple: true,
};

export class TestClient {
  readonly transport: Transport;
  readonly #close: () => void;
  /** Lets the server run, when it runs in this thread; else waits for input. */
  readonly #pump: () => void;
  readonly #stream: MessageStream;
  readonly #owned: number[] = [];
  readonly #header = p.vfio_user_header.create();
  readonly #access = p.vfio_user_dma_region_access.create();
  /** Memory that is reached by DMA_READ and DMA_WRITE only. */
  readonly remote: { readonly iova: number; readonly bytes: Uint8Array }[] = [];
  #id = 0;

  constructor(transport: Transport, close: () => void, pump: () => void) {
    this.transport = transport;
    this.#close = close;
    this.#pump = pump;
    this.#stream = new MessageStream(transport);
  }

  /** `pump` runs a server in this thread; without it the server is expected in another one. */
  static connect(path: string, pump?: () => void): TestClient {
    const socket: StreamSocket = connectUnix(path);
    const wait = () => {
      socket.waitReadable(1000);
    };
    return new TestClient(socket, () => socket.close(), pump ?? wait);
  }

  /** Disconnects and closes everything that was shared. */
  close(): void {
    this.#stream.close();
    this.#close();
    for (const fd of this.#owned.splice(0)) closeFd(fd);
  }

  /** Sends a message with a proper header; returns its id. */
  send(cmd: number, payload: Uint8Array, options: SendOptions = {}): number {
    const id = options.id ?? this.#id++ & 0xffff;
    const header = this.#header;
    header.clear();
    header.msg_id = id;
    header.cmd = cmd;
    header.msg_size = p.headerBytes + payload.length;
    header.no_reply = options.noReply ? 1 : 0;
    const message = new Uint8Array(new ArrayBuffer((header.msg_size + 3) & ~3));
    header.store(new Int32Array(message.buffer), 0);
    message.set(payload, p.headerBytes);
    this.sendRaw(message.subarray(0, header.msg_size), options.fds);
    return id;
  }

  /** Sends any bytes at all. */
  sendRaw(bytes: Uint8Array, fds: readonly number[] = []): void {
    sendAll(this.transport, bytes, bytes.length, fds, 1000);
  }

  /** The reply to message `id`; throws when the server hangs up or says nothing. */
  reply(id: number): Reply {
    for (let turns = 0; turns < 2000; turns++) {
      while (this.#stream.next() === 'message') {
        const { header } = this.#stream;
        if (header.type === p.VFIO_USER_F_TYPE_COMMAND) this.#serve();
        else if (header.msg_id === id) return this.#take();
      }
      this.#pump();
      if (this.#stream.receive() === disconnected && !this.#stream.hasMore)
        throw new Error('disconnected');
    }
    throw new Error(`no reply to message ${id}`);
  }

  /** Serves the server's own commands that have arrived: for tests in which it waits for that. */
  serveRemote(): void {
    while (this.#stream.receive() > 0)
      while (this.#stream.next() === 'message')
        if (this.#stream.header.type === p.VFIO_USER_F_TYPE_COMMAND) this.#serve();
  }

  call(cmd: number, payload: Uint8Array, options: SendOptions = {}): Reply {
    return this.reply(this.send(cmd, payload, options));
  }

  #take(): Reply {
    const { bytes, at, sizeBytes, header, fds } = this.#stream;
    const payload = bytes.slice(at + p.headerBytes, at + sizeBytes);
    const errno = header.error === 1 ? header.error_no : 0;
    return { errno, payload: new DataView(payload.buffer), fds: fds.splice(0) };
  }

  #serve(): void {
    const { header, words, at } = this.#stream;
    const access = this.#access;
    access.load(words, (at + p.headerBytes) >>> 2);
    const iova = p.u64(access.addr_lo, access.addr_hi);
    const count = access.count_lo;
    const memory = this.remote.find(
      (m) => iova >= m.iova && iova + count <= m.iova + m.bytes.length,
    );
    const reads = header.cmd === p.VFIO_USER_DMA_READ;
    const reply = new Uint8Array(new ArrayBuffer(32 + (reads && memory ? count + 3 : 0)));
    const replyWords = new Int32Array(reply.buffer, 0, reply.length >>> 2);
    const start = memory === undefined ? 0 : iova - memory.iova;
    const dataAt = at + p.headerBytes + 16;
    if (memory !== undefined && reads) reply.set(memory.bytes.subarray(start, start + count), 32);
    else memory?.bytes.set(this.#stream.bytes.subarray(dataAt, dataAt + count), start);
    access.store(replyWords, 4);
    header.type = p.VFIO_USER_F_TYPE_REPLY;
    header.error = memory === undefined ? 1 : 0;
    header.error_no = memory === undefined ? 22 : 0;
    header.msg_size = memory === undefined ? 16 : 32 + (reads ? count : 0);
    header.store(replyWords, 0);
    this.sendRaw(reply.subarray(0, header.msg_size));
  }

  /** Introduces itself as QEMU does; returns the server's capabilities. */
  version(capabilities: object | null = qemuCapabilities): Record<string, unknown> {
    const text = capabilities === null ? '' : `${JSON.stringify({ capabilities })}\0`;
    const payload = new Uint8Array(4 + text.length);
    payload[2] = 1;
    payload.set(new TextEncoder().encode(text), 4);
    const { errno, payload: reply } = this.call(p.VFIO_USER_VERSION, payload);
    if (errno !== 0) throw new Error(`VERSION: errno ${errno}`);
    const json = new TextDecoder().decode(reply).slice(4, -1);
    return JSON.parse(json).capabilities;
  }

  /** Any payload that is a row of 32-bit words, then bytes. */
  words(cmd: number, words: readonly number[], options: SendOptions & { bytes?: Uint8Array } = {}) {
    return this.call(cmd, payloadOf(words, options.bytes), options);
  }

  regionInfo(index: number, argsz = 4096): Reply {
    return this.words(p.VFIO_USER_DEVICE_GET_REGION_INFO, [argsz, 0, index, 0, 0, 0, 0, 0]);
  }

  /** Reads 1 to 8 bytes (up to 6 exactly) of a region as a number. */
  read(region: number, offset: number, size: number): number {
    const reply = this.words(p.VFIO_USER_REGION_READ, [
      p.lo32(offset),
      p.hi32(offset),
      region,
      size,
    ]);
    if (reply.errno !== 0) throw new Error(`REGION_READ: errno ${reply.errno}`);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + reply.payload.getUint8(16 + i);
    return value;
  }

  /** Writes 1 to 6 bytes; returns the errno. */
  write(region: number, offset: number, size: number, value: number): number {
    const words = [p.lo32(offset), p.hi32(offset), region, size];
    return this.words(p.VFIO_USER_REGION_WRITE, words, { bytes: bytesOf(value, size) }).errno;
  }

  /** A posted write: nobody answers. */
  post(region: number, offset: number, size: number, value: number): void {
    const words = [p.lo32(offset), p.hi32(offset), region, size];
    this.send(p.VFIO_USER_REGION_WRITE, payloadOf(words, bytesOf(value, size)), { noReply: true });
  }

  /** Shares new memory at a DMA address. */
  share(iova: number, sizeBytes: number): SharedMemory {
    const memory = createSharedMemory('guest', sizeBytes);
    this.#owned.push(memory.fd);
    const { errno } = this.map(iova, sizeBytes, { fds: [memory.fd] });
    if (errno !== 0) throw new Error(`DMA_MAP: errno ${errno}`);
    return memory;
  }

  /** Lends memory that the server has to ask for. */
  lend(iova: number, sizeBytes: number): Uint8Array {
    const bytes = new Uint8Array(sizeBytes);
    this.remote.push({ iova, bytes });
    const { errno } = this.map(iova, sizeBytes);
    if (errno !== 0) throw new Error(`DMA_MAP: errno ${errno}`);
    return bytes;
  }

  /** DMA_MAP, with flags 3: readable and writable. */
  map(iova: number, size: number, options: SendOptions & { flags?: number; offset?: number } = {}) {
    const { flags = 3, offset = 0 } = options;
    const [at, from, length] = [split(iova), split(offset), split(size)];
    return this.words(p.VFIO_USER_DMA_MAP, [32, flags, ...from, ...at, ...length], options);
  }

  unmap(iova: number, size: number, flags = 0): Reply {
    return this.words(p.VFIO_USER_DMA_UNMAP, [24, flags, ...split(iova), ...split(size)]);
  }

  /** SET_IRQS; flags as in <linux/vfio.h>. */
  setIrqs(
    flags: number,
    index: number,
    start: number,
    count: number,
    options: SendOptions & { bytes?: Uint8Array } = {},
  ): Reply {
    const argsz = 20 + (options.bytes?.length ?? 0);
    return this.words(p.VFIO_USER_DEVICE_SET_IRQS, [argsz, flags, index, start, count], options);
  }

  /** Sets MSI-X vectors up; returns one eventfd per vector, for `interrupts`. */
  enableVectors(start: number, count: number): number[] {
    const fds = Array.from({ length: count }, createEventFd);
    this.#owned.push(...fds);
    const flags = p.VFIO_IRQ_SET_DATA_EVENTFD | p.VFIO_IRQ_SET_ACTION_TRIGGER;
    for (let i = 0; i < count; i += p.maxMessageFds) {
      const some = fds.slice(i, i + p.maxMessageFds);
      const reply = this.setIrqs(flags, p.VFIO_PCI_MSIX_IRQ_INDEX, start + i, some.length, {
        fds: some,
      });
      if (reply.errno !== 0) throw new Error(`SET_IRQS: errno ${reply.errno}`);
    }
    return fds;
  }

  /** How often an eventfd was signalled since the last time. */
  interrupts(fd: number): number {
    return drainEventFd(fd);
  }

  reset(): Reply {
    return this.call(p.VFIO_USER_DEVICE_RESET, new Uint8Array(0));
  }
}

const split = (value: number): [number, number] => [p.lo32(value), p.hi32(value)];

export function payloadOf(words: readonly number[], bytes: Uint8Array = new Uint8Array(0)) {
  const payload = new Uint8Array(4 * words.length + bytes.length);
  const view = new DataView(payload.buffer);
  for (const [i, value] of words.entries()) view.setUint32(4 * i, value, true);
  payload.set(bytes, 4 * words.length);
  return payload;
}

function bytesOf(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = Math.floor(value / 256 ** i) % 256;
  return bytes;
}
