/** File descriptors: closing, duplicating, and what a received one turns out to be. */
import { readlinkSync } from 'node:fs';
import {
  checked,
  close,
  F_DUPFD_CLOEXEC,
  F_GET_SEALS,
  F_GETFL,
  F_SETFL,
  fcntl,
  O_NONBLOCK,
} from './libc.ts';

export const F_SEAL_SEAL = 1;
export const F_SEAL_SHRINK = 2;
export const F_SEAL_GROW = 4;

/** Closes `fd`; -1 is nothing. The kernel releases the number even when it reports an error. */
export function closeFd(fd: number): void {
  if (fd >= 0) close(fd);
}

export const dupFd = (fd: number): number => checked('dup', fcntl(fd, F_DUPFD_CLOEXEC, 0));

/** The seals of a memfd; 0 for files that cannot have any. */
export const sealsOf = (fd: number): number => Math.max(0, fcntl(fd, F_GET_SEALS, 0));

/** Whoever shares the open file shares this too. */
export function setNonBlocking(fd: number): void {
  const flags = checked('fcntl', fcntl(fd, F_GETFL, 0));
  checked('fcntl', fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/** Whether a received descriptor is what its sender says: writes to anything else may block. */
export function isEventFd(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventfd]';
  } catch {
    return false;
  }
}
