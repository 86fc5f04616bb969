/**
 * UNIX stream sockets that pass file descriptors: unix(7), cmsg(3). Non-blocking throughout.
 */
import { chmodSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINTR,
  EINVAL,
  EPIPE,
  SysError,
} from './errno.ts';
import { closeFd } from './fd.ts';
import * as libc from './libc.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const socketType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const POLLIN = 0x1;
const POLLOUT = 0x4;
const POLLHUP = 0x10;
const POLLRDHUP = 0x2000;
const maxPathBytes = 107;
/** `sizeof(struct sockaddr_un)`. */
const addressBytes = 110;
/** The kernel's SCM_MAX_FD: no message carries more. */
const maxFds = 253;

/** `struct msghdr` at 0, its `struct iovec` at 64, its control data from 80 on. */
class MessageFrame extends libc.NativeStruct {
  static readonly iovec = 64;
  static readonly control = 80;
  static readonly firstFd = (MessageFrame.control + 16) >>> 2;

  constructor() {
    super(MessageFrame.control + 16 + 4 * maxFds + 4);
    this.set64(16, this.address + MessageFrame.iovec);
    this.set64(24, 1);
    this.set64(32, this.address + MessageFrame.control);
  }

  aim(address: number, lengthBytes: number, controlBytes: number): void {
    this.set64(MessageFrame.iovec, address);
    this.set64(MessageFrame.iovec + 8, lengthBytes);
    this.set64(40, controlBytes);
    this.words[48 >>> 2] = 0;
  }
}

const incoming = new MessageFrame();
const outgoing = new MessageFrame();
const pollSet = new libc.NativeStruct(8);

/** What `receive` and `send` return instead of a count of bytes. */
export const wouldBlock = -1;
export const disconnected = -2;

export class StreamSocket {
  readonly fd: number;
  /** Set by `receive` when descriptors were lost (our limit of open files); cleared by the next. */
  fdsTruncated = false;
  #buffer: ArrayBufferLike | null = null;
  #address = 0;

  /** Takes over a connected, non-blocking socket. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Receives at most `max` bytes to `into[at..]` and appends the descriptors that came with them
   * to `fds`. Returns how many bytes, `wouldBlock`, or `disconnected`. Descriptors belong to the
   * message that the last byte belongs to: the kernel ends a read after a part that carries some.
   */
  receive(into: Uint8Array, at: number, max: number, fds: number[]): number {
    incoming.aim(this.#addressOf(into) + at, max, 16 + 4 * maxFds + 4);
    this.fdsTruncated = false;
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    const count = libc.recvmsg(this.fd, incoming.address, flags);
    if (count < 0) return failure('recvmsg');
    if (incoming.words[40 >>> 2] !== 0) this.#collectFds(fds);
    return count === 0 ? disconnected : count;
  }

  #collectFds(fds: number[]): void {
    const { words } = incoming;
    const control = MessageFrame.control >>> 2;
    const isRights = words[control + 2] === SOL_SOCKET && words[control + 3] === SCM_RIGHTS;
    const count = isRights ? ((words[control] as number) - 16) >>> 2 : 0;
    const truncated = ((words[48 >>> 2] as number) & MSG_CTRUNC) !== 0;
    this.fdsTruncated = truncated;
    for (let i = 0; i < count; i++) {
      const fd = words[MessageFrame.firstFd + i] as number;
      if (truncated) closeFd(fd);
      else fds.push(fd);
    }
  }

  /**
   * Sends `bytes[at..at + length]`; `fds` go with the first byte. Returns how many bytes were
   * taken, `wouldBlock`, or `disconnected`.
   */
  send(bytes: Uint8Array, at: number, length: number, fds: readonly number[]): number {
    const address = this.#addressOf(bytes) + at;
    if (fds.length === 0) {
      const count = libc.send(this.fd, address, length, MSG_DONTWAIT | MSG_NOSIGNAL);
      return count < 0 ? failure('send') : count;
    }
    if (fds.length > maxFds) throw new SysError('sendmsg', EINVAL, `${fds.length} descriptors`);
    const control = MessageFrame.control >>> 2;
    const controlBytes = 16 + 4 * fds.length;
    outgoing.aim(address, length, (controlBytes + 7) & ~7);
    outgoing.set64(MessageFrame.control, controlBytes);
    outgoing.words[control + 2] = SOL_SOCKET;
    outgoing.words[control + 3] = SCM_RIGHTS;
    for (const [i, fd] of fds.entries()) outgoing.words[MessageFrame.firstFd + i] = fd;
    const count = libc.sendmsg(this.fd, outgoing.address, MSG_DONTWAIT | MSG_NOSIGNAL);
    return count < 0 ? failure('sendmsg') : count;
  }

  /** Blocks this thread until there is something to receive; false when the time is over. */
  waitReadable(timeoutMs: number): boolean {
    return pollOne(this.fd, POLLIN, timeoutMs) !== 0;
  }

  /** Blocks this thread until something can be sent; false when the time is over. */
  waitWritable(timeoutMs: number): boolean {
    return pollOne(this.fd, POLLOUT, timeoutMs) !== 0;
  }

  /** Whether the peer has closed its end, though bytes from it may still be unread. */
  hungUp(): boolean {
    return (pollOne(this.fd, POLLRDHUP, 0) & (POLLHUP | POLLRDHUP)) !== 0;
  }

  close(): void {
    closeFd(this.fd);
  }

  /** The address of the buffer that was used last is remembered: mostly it is the same one. */
  #addressOf(bytes: Uint8Array): number {
    if (bytes.buffer !== this.#buffer) {
      this.#buffer = bytes.buffer;
      this.#address = libc.addressOf(new Uint8Array(bytes.buffer));
    }
    return this.#address + bytes.byteOffset;
  }
}

function failure(call: string): number {
  const errno = libc.errno();
  if (errno === EAGAIN || errno === EINTR) return wouldBlock;
  if (errno === EPIPE || errno === ECONNRESET) return disconnected;
  throw new SysError(call, errno);
}

function pollOne(fd: number, events: number, timeoutMs: number): number {
  pollSet.words[0] = fd;
  pollSet.words[1] = events;
  let count: number;
  // A signal to this thread is no answer.
  do count = libc.poll(pollSet.address, 1, timeoutMs);
  while (count < 0 && libc.errno() === EINTR);
  if (count <= 0) return 0;
  return (pollSet.words[1] as number) >>> 16;
}

/** A socket that waits for clients at a path. */
export class Listener {
  readonly fd: number;
  readonly path: string;
  readonly #inode: number;

  /**
   * Binds `path`, which only its owner may connect to unless `mode` says else. A socket that
   * nobody listens at any more is replaced; one that is in use, or another kind of file, is not:
   * SysError EADDRINUSE.
   */
  constructor(path: string, mode = 0o600) {
    this.path = path;
    const address = socketAddress(path);
    this.fd = libc.checked('socket', libc.socket(AF_UNIX, socketType, 0));
    try {
      removeStale(path);
      const result = libc.bindSocket(this.fd, address.address, addressBytes);
      libc.checked('bind', result, path);
      chmodSync(path, mode);
      this.#inode = statSync(path).ino;
      libc.checked('listen', libc.listen(this.fd, 16), path);
    } catch (error) {
      closeFd(this.fd);
      throw error;
    }
  }

  /** The next client, or null when none waits. */
  accept(): StreamSocket | null {
    const fd = libc.accept4(this.fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return new StreamSocket(fd);
    const errno = libc.errno();
    if (errno === EAGAIN || errno === EINTR || errno === ECONNABORTED) return null;
    throw new SysError('accept', errno, this.path);
  }

  /** Stops listening and removes the path, if it is still this socket's. */
  close(): void {
    closeFd(this.fd);
    const found = statSync(this.path, { throwIfNoEntry: false });
    if (found?.ino === this.#inode) unlinkSync(this.path);
  }
}

const ECONNABORTED = 103;

/** Throws a SysError when nobody listens there. */
export function connectUnix(path: string): StreamSocket {
  const address = socketAddress(path);
  const fd = libc.checked('socket', libc.socket(AF_UNIX, socketType, 0));
  if (libc.connect(fd, address.address, addressBytes) === 0) return new StreamSocket(fd);
  const error = new SysError('connect', libc.errno(), path);
  closeFd(fd);
  throw error;
}

export function socketPair(): [StreamSocket, StreamSocket] {
  const fds = new libc.NativeStruct(8);
  libc.checked('socketpair', libc.socketpair(AF_UNIX, socketType, 0, fds.address));
  return [new StreamSocket(fds.words[0] as number), new StreamSocket(fds.words[1] as number)];
}

function socketAddress(path: string): libc.NativeStruct {
  const encoded = new TextEncoder().encode(path);
  if (encoded.length === 0 || encoded.length > maxPathBytes)
    throw new SysError('bind', EINVAL, `a socket path has 1 to ${maxPathBytes} bytes: ${path}`);
  const address = new libc.NativeStruct(112);
  address.bytes[0] = AF_UNIX;
  address.bytes.set(encoded, 2);
  return address;
}

function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new SysError('bind', EADDRINUSE, `${path} is no socket`);
  try {
    connectUnix(path).close();
  } catch (error) {
    if (!(error instanceof SysError) || error.errno !== ECONNREFUSED) throw error;
    unlinkSync(path);
    return;
  }
  throw new SysError('bind', EADDRINUSE, path);
}
