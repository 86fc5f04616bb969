/**
 * One client on one connection: the handshake, then requests in the order of their arrival, each
 * answered before the next is looked at. Every error reply is made here, in `#answer`.
 */
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { PciFunction } from '../pci/function.ts';
import type { GuestMemory } from '../pci/guest-memory.ts';
import { EINVAL, EMFILE, errnoName } from '../sys/errno.ts';
import { DmaMaps, type DmaOptions } from './dma.ts';
import { Exchange } from './exchange.ts';
import type { Irqs } from './irqs.ts';
import { MessageStream } from './message-stream.ts';
import { parseCapabilities, serverCapabilities } from './negotiation.ts';
import * as p from './protocol.ts';
import { refusals } from './refusals.ts';
import { Regions } from './regions.ts';
import { type Link, MessageDma } from './remote-dma.ts';
import { disconnected, sendAll, type Transport, wouldBlock } from './transport.ts';

export type SessionOptions = DmaOptions & {
  /** How long the client may take to answer, or to read what was sent. */
  readonly patienceMs: number;
  readonly writeMultiple: boolean;
};

/** The function that is served, and what the host gave it. */
export type Served = {
  readonly fn: PciFunction;
  readonly memory: GuestMemory;
  readonly irqs: Irqs;
  readonly diagnostics: Diagnostics;
};

/** What a session needs of the loop that drives it. */
export type SessionHooks = {
  /** From now on call `onWritable` when the client reads again, and not `onReadable`. */
  awaitWritable(waiting: boolean): void;
  /** Call `action` soon, from the loop. */
  defer(action: () => void): void;
  /** The session is over: close the transport. */
  ended(): void;
};

export class Session implements Link {
  maxDataBytes = p.maxDataBytes;
  readonly #served: Served;
  readonly #transport: Transport;
  readonly #options: SessionOptions;
  readonly #hooks: SessionHooks;
  readonly #stream: MessageStream;
  readonly #exchange = new Exchange();
  readonly #regions: Regions;
  readonly #dma: DmaMaps;
  readonly #version = p.vfio_user_version.create();
  #negotiated = false;
  /** The client is being disconnected: nothing more is sent or received. */
  #doomed = false;
  #ended = false;
  /** Messages are being served: whoever ends the session leaves that to the loop below. */
  #serving = false;
  /** What the client did not read yet, and the descriptors that go with its first byte. */
  #unsent: { bytes: Uint8Array; fds: readonly number[] } | null = null;

  constructor(served: Served, transport: Transport, options: SessionOptions, hooks: SessionHooks) {
    this.#served = served;
    this.#transport = transport;
    this.#options = options;
    this.#hooks = hooks;
    this.#stream = new MessageStream(transport);
    this.#regions = new Regions(served.fn);
    this.#dma = new DmaMaps(served.memory, new MessageDma(this), options);
  }

  get isUsable(): boolean {
    return this.#negotiated && !this.#doomed;
  }

  /** The loop's call when there is something to receive: receives once, serves what is whole. */
  onReadable(): void {
    if (this.#ended || this.#unsent !== null) return;
    const count = this.#stream.receive();
    if (count === disconnected) this.#doomed = true;
    this.#serve();
  }

  /** The loop's call when the client reads again. */
  onWritable(): void {
    if (this.#ended || this.#unsent === null) return;
    const { bytes, fds } = this.#unsent;
    this.#unsent = null;
    this.#send(bytes, bytes.length, fds);
    if (this.#unsent !== null) return;
    this.#hooks.awaitWritable(false);
    this.#serve();
  }

  /** Ends the session: the function is reset, its windows and interrupts go. */
  close(): void {
    if (this.#ended) return;
    this.#doomed = true;
    this.#ended = true;
    const { fn, irqs } = this.#served;
    fn.reset('detach');
    this.#dma.clear();
    irqs.clear();
    this.#stream.close();
    this.#hooks.ended();
  }

  #serve(): void {
    if (this.#ended || this.#serving) return;
    this.#serving = true;
    while (!this.#doomed && this.#unsent === null) {
      const found = this.#stream.next();
      if (found === 'none') break;
      if (found === 'broken') this.#doom('framing', () => 'a size that no message has');
      else this.#handle();
    }
    this.#stream.closeFds();
    this.#serving = false;
    if (this.#doomed) this.close();
  }

  #handle(): void {
    const { header, fdsTruncated } = this.#stream;
    const cmd = header.cmd;
    const id = header.msg_id;
    if (header.type === p.VFIO_USER_F_TYPE_REPLY) {
      this.#refuseMessage('reply', cmd, 0);
      return;
    }
    const x = this.#begin();
    let errno = 0;
    if (header.type !== p.VFIO_USER_F_TYPE_COMMAND) errno = EINVAL;
    else if (fdsTruncated) errno = EMFILE;
    else if (!this.#negotiated) errno = cmd === p.VFIO_USER_VERSION ? this.#negotiate(x) : EINVAL;
    else if (x.fds.length > p.maxMessageFds) errno = EINVAL;
    else errno = this.#dispatch(cmd, x);
    if (errno !== 0) this.#refuseMessage(fdsTruncated ? 'descriptors' : 'request', cmd, errno);
    this.#answer(x, cmd, id, errno);
    if (!this.#negotiated) this.#doom('version', () => 'not negotiated');
  }

  /** Apart, so that no closure is made for a message that is in order. */
  #refuseMessage(rule: keyof typeof refusals, cmd: number, errno: number): void {
    const why = errno === 0 ? '' : `: ${errnoName(errno)}`;
    this.#refuse(rule, () => `${p.commandName(cmd)}${why}`);
  }

  #begin(): Exchange {
    const [x, stream] = [this.#exchange, this.#stream];
    x.bytes = stream.bytes;
    x.words = stream.words;
    x.at = stream.at + p.headerBytes;
    x.sizeBytes = stream.sizeBytes - p.headerBytes;
    x.fds = stream.fds;
    x.noReply = stream.header.no_reply === 1;
    x.replySizeBytes = 0;
    x.replyFds.length = 0;
    return x;
  }

  #dispatch(cmd: number, x: Exchange): number {
    switch (cmd) {
      case p.VFIO_USER_REGION_WRITE:
        return this.#regions.write(x);
      case p.VFIO_USER_REGION_READ:
        return this.#regions.read(x);
      case p.VFIO_USER_REGION_WRITE_MULTI:
        return this.#regions.writeMulti(x);
      case p.VFIO_USER_DMA_MAP:
        return this.#dma.map(x);
      case p.VFIO_USER_DMA_UNMAP:
        return this.#dma.unmap(x);
      case p.VFIO_USER_DEVICE_GET_INFO:
        return this.#regions.getDeviceInfo(x);
      case p.VFIO_USER_DEVICE_GET_REGION_INFO:
        return this.#regions.getRegionInfo(x);
      case p.VFIO_USER_DEVICE_GET_REGION_IO_FDS:
        return this.#regions.getIoFds(x);
      case p.VFIO_USER_DEVICE_GET_IRQ_INFO:
        return this.#served.irqs.getInfo(x);
      case p.VFIO_USER_DEVICE_SET_IRQS:
        return this.#served.irqs.setIrqs(x);
      case p.VFIO_USER_DEVICE_RESET:
        this.#served.fn.reset('function');
        return 0;
      default:
        // Among them DEVICE_FEATURE and MIG_DATA_*: there is no migration. A second VERSION, too.
        return EINVAL;
    }
  }

  #negotiate(x: Exchange): number {
    const version = this.#version;
    if (x.fds.length > 0 || !x.load(p.vfio_user_version, version)) return EINVAL;
    const textAt = x.at + p.vfio_user_version.sizeBytes;
    const limits = parseCapabilities(x.bytes.subarray(textAt, x.at + x.sizeBytes));
    if (version.major !== p.versionMajor || limits === null) return EINVAL;
    this.maxDataBytes = limits.maxDataBytes;
    version.minor = Math.min(version.minor, p.versionMinor);
    x.append(p.vfio_user_version, version);
    const text = serverCapabilities(limits, this.#options.writeMultiple);
    x.reply.set(text, x.replyEnd);
    x.replySizeBytes += text.length;
    this.#negotiated = true;
    return 0;
  }

  /** The one place that replies: with what the handler appended, or with an errno alone. */
  #answer(x: Exchange, cmd: number, id: number, errno: number): void {
    if (x.noReply || this.#doomed) return;
    if (errno !== 0) {
      x.replySizeBytes = 0;
      x.replyFds.length = 0;
    }
    const { header } = this.#stream;
    header.clear();
    header.msg_id = id;
    header.cmd = cmd;
    header.msg_size = x.replyEnd;
    header.type = p.VFIO_USER_F_TYPE_REPLY;
    header.error = errno === 0 ? 0 : 1;
    header.error_no = errno;
    header.store(x.replyWords, 0);
    this.#send(x.reply, x.replyEnd, x.replyFds);
  }

  /** Sends what the client takes now and keeps the rest; nothing is served until it is sent. */
  #send(bytes: Uint8Array, length: number, fds: readonly number[]): void {
    const sent = this.#transport.send(bytes, 0, length, fds);
    if (sent === length) return;
    if (sent === disconnected) {
      this.#doomed = true;
      return;
    }
    const done = sent === wouldBlock ? 0 : sent;
    const left = new Uint8Array(new ArrayBuffer(length - done));
    left.set(bytes.subarray(done, length));
    this.#unsent = { bytes: left, fds: done === 0 ? [...fds] : [] };
    this.#hooks.awaitWritable(true);
  }

  /** For `MessageDma`: sends after whatever the client has not read yet. */
  sendNow(message: Uint8Array, sizeBytes: number): boolean {
    const { patienceMs } = this.#options;
    const late = this.#unsent;
    let isSent = true;
    if (late !== null) {
      isSent = sendAll(this.#transport, late.bytes, late.bytes.length, late.fds, patienceMs);
      this.#unsent = null;
      this.#hooks.awaitWritable(false);
      this.#resumeLater();
    }
    isSent &&= sendAll(this.#transport, message, sizeBytes, [], patienceMs);
    if (!isSent) this.#doom('unanswered', () => 'nothing was read');
    return isSent;
  }

  /** For `MessageDma`: serves nothing, only receives. */
  awaitReply(id: number, into: Uint8Array): number {
    const deadline = performance.now() + this.#options.patienceMs;
    for (;;) {
      const size = this.#stream.takeReply(id, into);
      if (size !== 0) {
        if (size < 0) this.#doom('framing', () => 'in front of a reply');
        else this.#resumeLater();
        return size;
      }
      const left = Math.ceil(deadline - performance.now());
      if (left <= 0 || !this.#transport.waitReadable(left)) break;
      if (this.#stream.receive() === disconnected) break;
    }
    this.#doom('unanswered', () => `message ${id}`);
    return -1;
  }

  /** Serves what has arrived while somebody waited for a reply, unless that is being done. */
  #resumeLater(): void {
    if (!this.#serving && this.#stream.hasMore) this.#hooks.defer(() => this.#serve());
  }

  /** The client cannot be served any longer. */
  #doom(rule: keyof typeof refusals, detail: () => string): void {
    this.#refuse(rule, detail);
    this.#doomed = true;
    if (!this.#serving) this.#hooks.defer(() => this.close());
  }

  #refuse(rule: keyof typeof refusals, detail: () => string): void {
    this.#served.diagnostics.refuse(refusals[rule], detail);
  }
}
