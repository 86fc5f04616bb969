/**
 * Serves an endpoint at a socket path: one client at a time, then the next. Runs inside whatever
 * loop calls the poller's `wait`.
 */
import { EBUSY } from '../sys/errno.ts';
import type { Poller } from '../sys/poller.ts';
import { Listener, type StreamSocket } from '../sys/socket.ts';
import type { VfioUserEndpoint } from './endpoint.ts';
import { MessageStream } from './message-stream.ts';
import { headerBytes, VFIO_USER_F_TYPE_REPLY } from './protocol.ts';
import { refusals } from './refusals.ts';
import { disconnected } from './transport.ts';

export type ServerSpec = {
  /** Where to listen; a socket that nobody listens at any more is replaced. */
  readonly path: string;
  readonly endpoint: VfioUserEndpoint;
  readonly poller: Poller;
  /** Who may connect, as of chmod(2); only the owner by default. */
  readonly mode?: number;
  /** A client has come, or gone. */
  readonly onClient?: (connected: boolean) => void;
};

/** Clients that wait to hear that they have to wait. */
const maxRefused = 4;

/** Throws a SysError when the path cannot be listened at. */
export const createServer = (spec: ServerSpec): VfioUserServer => new VfioUserServer(spec);

export class VfioUserServer {
  readonly path: string;
  readonly #spec: ServerSpec;
  readonly #listener: Listener;
  readonly #refused: RefusedClient[] = [];
  /** The client that is served, to notice when it has gone before its last bytes were read. */
  #socket: StreamSocket | null = null;

  constructor(spec: ServerSpec) {
    this.#spec = spec;
    this.path = spec.path;
    this.#listener = new Listener(spec.path, spec.mode);
    spec.poller.add(this.#listener.fd, () => this.#accept());
  }

  /** Disconnects the client, stops listening and removes the path. */
  close(): void {
    this.#spec.endpoint.session?.close();
    for (const client of this.#refused.splice(0)) client.close();
    this.#spec.poller.remove(this.#listener.fd);
    this.#listener.close();
  }

  #accept(): void {
    const socket = this.#listener.accept();
    if (socket === null) return;
    const { endpoint } = this.#spec;
    // A machine that restarts may connect before we have seen its last connection close.
    if (this.#socket?.hungUp()) endpoint.session?.close();
    if (endpoint.session === null) this.#serve(socket);
    else this.#refuse(socket);
  }

  #serve(socket: StreamSocket): void {
    const { endpoint, poller, onClient } = this.#spec;
    const session = endpoint.open(socket, {
      awaitWritable: (waiting) =>
        poller.awaitWritable(socket.fd, waiting ? () => session.onWritable() : null),
      defer: (action) => poller.defer(action),
      ended: () => {
        this.#socket = null;
        poller.remove(socket.fd);
        socket.close();
        onClient?.(false);
      },
    });
    this.#socket = socket;
    poller.add(socket.fd, () => session.onReadable());
    onClient?.(true);
  }

  #refuse(socket: StreamSocket): void {
    const { endpoint, poller } = this.#spec;
    endpoint.diagnostics.refuse(refusals.busy, () => this.path);
    if (this.#refused.length >= maxRefused) this.#refused.shift()?.close();
    this.#refused.push(new RefusedClient(socket, poller));
  }
}

/** Waits for a client's first message, answers EBUSY, hangs up. */
class RefusedClient {
  readonly #socket: StreamSocket;
  readonly #poller: Poller;
  readonly #stream: MessageStream;
  #closed = false;

  constructor(socket: StreamSocket, poller: Poller) {
    this.#socket = socket;
    this.#poller = poller;
    this.#stream = new MessageStream(socket);
    poller.add(socket.fd, () => this.#onReadable());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    this.#poller.remove(this.#socket.fd);
    this.#socket.close();
  }

  #onReadable(): void {
    const isOpen = this.#stream.receive() !== disconnected;
    const found = this.#stream.next();
    if (isOpen && found === 'none') return;
    if (found === 'message') this.#answer();
    this.close();
  }

  #answer(): void {
    const { header } = this.#stream;
    const words = new Int32Array(new ArrayBuffer(headerBytes));
    header.type = VFIO_USER_F_TYPE_REPLY;
    header.msg_size = headerBytes;
    header.error = 1;
    header.error_no = EBUSY;
    header.store(words, 0);
    this.#socket.send(new Uint8Array(words.buffer), 0, headerBytes, []);
  }
}
