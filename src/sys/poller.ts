/**
 * Waiting for many descriptors at once, epoll(7), level-triggered. One per thread; each wake-up
 * calls every descriptor that is ready once, so whoever bounds its own work shares the thread
 * fairly. Nothing is allocated per wake-up.
 */
import { EINTR } from './errno.ts';
import { closeFd } from './fd.ts';
import { checked, epoll_create1, epoll_ctl, epoll_wait, errno, NativeStruct } from './libc.ts';

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

type Watch = { readable: () => void; writable: (() => void) | null };

export class Poller {
  readonly #epoll = checked('epoll_create1', epoll_create1(EPOLL_CLOEXEC));
  readonly #events = new NativeStruct(maxEvents * 16);
  readonly #request = new NativeStruct(16);
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

  /** Waits at most `timeoutMs` (-1: for ever) and serves what is ready; returns how many. */
  wait(timeoutMs: number): number {
    const timeout = this.#deferred.length > 0 ? 0 : timeoutMs;
    const count = epoll_wait(this.#epoll, this.#events.address, maxEvents, timeout);
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
