/**
 * Error numbers of Linux by name, and the one exception that a failed system call becomes. Names
 * and values as in `asm-generic/errno-base.h` and `errno.h`.
 */
import { constants } from 'node:os';

export const {
  EPERM,
  ENOENT,
  EINTR,
  ENOSYS,
  EIO,
  EBADF,
  EAGAIN,
  ENOMEM,
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EMFILE,
  ENOSPC,
  EPIPE,
  EPROTO,
  EOVERFLOW,
  EOPNOTSUPP,
  EADDRINUSE,
  ECONNRESET,
  ETIMEDOUT,
  ECONNREFUSED,
} = constants.errno;
/** Node's table has it only as ENOTSUP's twin on some platforms; Linux gives both 95. */
export const ENOTSUP = EOPNOTSUPP;

const names = new Map<number, string>(
  Object.entries(constants.errno).map(([name, value]) => [value, name]),
);

/** `EAGAIN` for 11, `errno 999` for what Linux does not name. */
export const errnoName = (errno: number): string => names.get(errno) ?? `errno ${errno}`;

/** A system call failed for a reason that its caller does not handle. */
export class SysError extends Error {
  readonly call: string;
  readonly errno: number;
  /** The errno's name, as in Node's own errors. */
  readonly code: string;

  constructor(call: string, errno: number, what = '') {
    const code = errnoName(errno);
    super(`${call}: ${code}${what === '' ? '' : ` (${what})`}`);
    this.name = 'SysError';
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}
