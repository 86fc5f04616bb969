/**
 * What carries messages: a UNIX socket, or in tests a pipe in memory.
 */
import { disconnected, wouldBlock } from '../sys/socket.ts';

/** `receive` returned no bytes: none there yet, or there will never be more. */
export { disconnected, wouldBlock } from '../sys/socket.ts';

/** What carries messages; a `StreamSocket` of `sys` is one as it is. */
export interface Transport {
  /** Set by `receive` when descriptors were sent that this process could not take. */
  readonly fdsTruncated: boolean;
  /**
   * Appends at most `max` bytes at `into[at]` and descriptors to `fds`; returns how many bytes,
   * `wouldBlock` or `disconnected`. Descriptors belong to the message of the last byte.
   */
  receive(into: Uint8Array, at: number, max: number, fds: number[]): number;
  /** Takes as many bytes as it can; `fds` go with the first. Returns like `receive`. */
  send(bytes: Uint8Array, at: number, length: number, fds: readonly number[]): number;
  /** Blocks the thread; false when the time is over. */
  waitReadable(timeoutMs: number): boolean;
  waitWritable(timeoutMs: number): boolean;
}

const noFds: readonly number[] = [];

/**
 * Sends all of it, blocking the thread while the peer does not read; false when it did not for
 * `timeoutMs` or has gone.
 */
export function sendAll(
  transport: Transport,
  bytes: Uint8Array,
  length: number,
  fds: readonly number[],
  timeoutMs: number,
): boolean {
  for (let at = 0; at < length; ) {
    const sent = transport.send(bytes, at, length - at, at === 0 ? fds : noFds);
    if (sent === disconnected) return false;
    if (sent === wouldBlock) {
      if (!transport.waitWritable(timeoutMs)) return false;
    } else at += sent;
  }
  return true;
}
