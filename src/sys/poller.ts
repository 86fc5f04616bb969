/**
 * Waiting for many descriptors at once, epoll(7), level-triggered. One per thread; each wake-up
 * calls every descriptor that is ready once, so whoever bounds its own work shares the thread
 * fairly. Nothing is allocated per wake-up.
 */
import { EINTR, ENOSYS } from './errno.ts';
import { closeFd } from './fd.ts';
import {
  checked,
  epoll_create1,
  epoll_ctl,
  epoll_pwait2,
  epoll_wait,
  errno,
  NativeStruct,
} from './libc.ts';

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 1;
const EPOLLOUT = 4;
/** `struct epoll_event` is packed on x86-64 only. */
const eventWords = process.arch === 'x64' ? 3 : 4;
const dataWord = process.arch === 'x64' ? 1 : 2;
const maxEvents = 64;
/** The kernel may be older than the library. */
let finePossible = true;

type Watch = { readable: () => void; writable: (() => void) | null };

export class Poller {
  readonly #epoll = checked('epoll_create1', epoll_create1(EPOLL_CLOEXEC));
  readonly #events = new NativeStruct(maxEvents * 16);
  readonly #request = new NativeStruct(16);
  readonly #timeout = new NativeStruct(16);
  /** By descriptor. */
  readonly #watches: (Watch | undefined)[] = [];
  #deferred: (() => void)[] = [];
  #running: (() => void)[] = [];

  /** Calls `onReadable` in every `wait` that finds `fd` readable or hung up. */
  add(fd: number, onReadable: () => void): void {
    this.#control(EPOLL_CTL_ADD, fd, EPOLLIN);
    this.#watches[fd] = { readable: onReadable, writable: null };
  }

  /**
   * From now on waits until `fd` can be written, and not for input; null goes back to input. The
   * descriptor has been added before.
   */
  awaitWritable(fd: number, onWritable: (() => void) | null): void {
    const watch = this.#watches[fd];
    if (watch === undefined) return;
    watch.writable = onWritable;
    this.#control(EPOLL_CTL_MOD, fd, onWritable === null ? EPOLLIN : EPOLLOUT);
  }

  /** Before the descriptor is closed. */
  remove(fd: number): void {
    if (this.#watches[fd] === undefined) return;
    this.#watches[fd] = undefined;
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  /** Runs `action` once, in the next `wait`, which then does not block. */
  defer(action: () => void): void {
    this.#deferred.push(action);
  }

  /**
   * Waits at most `timeoutMs` (-1: for ever) and serves what is ready; returns how many. Fractions
   * of a millisecond count where the system has epoll_pwait2, else they are rounded up.
   */
  wait(timeoutMs: number): number {
    const count = this.#wait(this.#deferred.length > 0 ? 0 : timeoutMs);
    if (count < 0 && errno() !== EINTR) checked('epoll_wait', count);
    for (let i = 0; i < count; i++) {
      const fd = this.#events.words[i * eventWords + dataWord] as number;
      const watch = this.#watches[fd];
      if (watch === undefined) continue;
      if (watch.writable !== null) watch.writable();
      else watch.readable();
    }
    return Math.max(0, count) + this.#runDeferred();
  }

  close(): void {
    closeFd(this.#epoll);
  }

  #wait(timeoutMs: number): number {
    const { address } = this.#events;
    if (epoll_pwait2 === null || !finePossible || Number.isInteger(timeoutMs))
      return epoll_wait(this.#epoll, address, maxEvents, Math.ceil(timeoutMs));
    const seconds = Math.floor(timeoutMs / 1000);
    this.#timeout.set64(0, seconds);
    this.#timeout.set64(8, Math.floor((timeoutMs - seconds * 1000) * 1e6));
    const count = epoll_pwait2(this.#epoll, address, maxEvents, this.#timeout.address, 0);
    if (count >= 0 || errno() !== ENOSYS) return count;
    finePossible = false;
    return this.#wait(timeoutMs);
  }

  #runDeferred(): number {
    const actions = this.#deferred;
    if (actions.length === 0) return 0;
    this.#deferred = this.#running;
    this.#running = actions;
    for (let i = 0; i < actions.length; i++) (actions[i] as () => void)();
    const count = actions.length;
    actions.length = 0;
    return count;
  }

  #control(operation: number, fd: number, events: number): void {
    const { words, address } = this.#request;
    words[0] = events;
    words[dataWord] = fd;
    words[dataWord + 1] = 0;
    checked('epoll_ctl', epoll_ctl(this.#epoll, operation, fd, address), `fd ${fd}`);
  }
}
