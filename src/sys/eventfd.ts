/** Event descriptors, eventfd(2): a counter that wakes whoever polls it, in any process. */
import { EAGAIN } from './errno.ts';
import { checked, errno, eventfd, NativeStruct, O_NONBLOCK, read, write } from './libc.ts';

const EFD_CLOEXEC = 0o2000000;

const one = new NativeStruct(8);
one.set64(0, 1);
const counter = new NativeStruct(8);

/** A non-blocking event descriptor whose counter is 0. */
export const createEventFd = (): number => checked('eventfd', eventfd(0, O_NONBLOCK | EFD_CLOEXEC));

/**
 * Adds one. False when it could not be: the counter is full (its reader has a wake-up pending
 * anyway) or the descriptor is broken.
 */
export const signalEventFd = (fd: number): boolean => write(fd, one.address, 8) === 8;

/** Takes the count and zeroes it; 0 when there is none. */
export function drainEventFd(fd: number): number {
  if (read(fd, counter.address, 8) < 0) {
    if (errno() === EAGAIN) return 0;
    checked('read', -1, `eventfd ${fd}`);
  }
  const low = counter.words[0] as number;
  return (low >>> 0) + (counter.words[1] as number) * 2 ** 32;
}
