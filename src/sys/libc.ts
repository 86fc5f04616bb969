/**
 * The C library through koffi: every native call of the whole product is declared here, and only
 * the files of this folder use it. Pointers are passed as plain numbers (user-space addresses of
 * Linux fit in 2^47), so that a call allocates nothing. A call costs about 0.2 us plus the kernel.
 * Names, types and constants as in the manual pages, section 2.
 */
import koffi from 'koffi';
import { SysError } from './errno.ts';

/** The process itself: works with glibc and with musl. */
const process_ = koffi.load(null);

type Native<A extends readonly unknown[]> = (...args: A) => number;

function bind<A extends readonly unknown[]>(declaration: string): Native<A> {
  return process_.func(declaration) as unknown as Native<A>;
}

function bindIfThere<A extends readonly unknown[]>(declaration: string): Native<A> | null {
  try {
    return bind(declaration);
  } catch {
    return null;
  }
}

type N = number;

export const close = bind<[fd: N]>('int close(int fd)');
export const read = bind<[fd: N, address: N, bytes: N]>('int64_t read(int, uintptr_t, size_t)');
export const write = bind<[fd: N, address: N, bytes: N]>('int64_t write(int, uintptr_t, size_t)');
/** Its optional third argument is always an int here, so no variadic call is needed. */
export const fcntl = bind<[fd: N, command: N, argument: N]>('int fcntl(int, int, int)');
/** As for fcntl. */
export const ioctl = bind<[fd: N, request: N, argument: N]>('int ioctl(int, uint64_t, uintptr_t)');
export const eventfd = bind<[initial: N, flags: N]>('int eventfd(uint32_t, int)');
export const memfd_create = bind<[name: string, flags: N]>(
  'int memfd_create(const char *, uint32_t)',
);
export const ftruncate = bind<[fd: N, bytes: N]>('int ftruncate(int, int64_t)');
export const mmap = bind<[at: N, bytes: N, prot: N, flags: N, fd: N, offset: N]>(
  'int64_t mmap(uintptr_t, size_t, int, int, int, int64_t)',
);
export const munmap = bind<[address: N, bytes: N]>('int munmap(uintptr_t, size_t)');
export const madvise = bind<[address: N, bytes: N, advice: N]>(
  'int madvise(uintptr_t, size_t, int)',
);
export const socket = bind<[domain: N, type: N, protocol: N]>('int socket(int, int, int)');
export const socketpair = bind<[domain: N, type: N, protocol: N, fds: N]>(
  'int socketpair(int, int, int, uintptr_t)',
);
export const bindSocket = bind<[fd: N, address: N, bytes: N]>('int bind(int, uintptr_t, uint32_t)');
export const listen = bind<[fd: N, backlog: N]>('int listen(int, int)');
export const connect = bind<[fd: N, address: N, bytes: N]>('int connect(int, uintptr_t, uint32_t)');
export const accept4 = bind<[fd: N, address: N, bytes: N, flags: N]>(
  'int accept4(int, uintptr_t, uintptr_t, int)',
);
export const recvmsg = bind<[fd: N, message: N, flags: N]>('int64_t recvmsg(int, uintptr_t, int)');
export const sendmsg = bind<[fd: N, message: N, flags: N]>('int64_t sendmsg(int, uintptr_t, int)');
export const send = bind<[fd: N, address: N, bytes: N, flags: N]>(
  'int64_t send(int, uintptr_t, size_t, int)',
);
export const poll = bind<[fds: N, count: N, timeoutMs: N]>('int poll(uintptr_t, uint64_t, int)');
export const epoll_create1 = bind<[flags: N]>('int epoll_create1(int)');
export const epoll_ctl = bind<[epoll: N, operation: N, fd: N, event: N]>(
  'int epoll_ctl(int, int, int, uintptr_t)',
);
/** Linux 5.11, glibc 2.35: null where there is none. */
export const epoll_pwait2 = bindIfThere<[epoll: N, events: N, max: N, timeout: N, sigmask: N]>(
  'int epoll_pwait2(int, uintptr_t, int, uintptr_t, uintptr_t)',
);
export const epoll_wait = bind<[epoll: N, events: N, max: N, timeoutMs: N]>(
  'int epoll_wait(int, uintptr_t, int, int)',
);

/** Calls that the library has no function for. Its arguments are words here, so no variadic call is needed. */
export const syscall = bind<[call: N, a: N, b: N, c: N, d: N]>(
  'int64_t syscall(int64_t, int64_t, int64_t, int64_t, int64_t)',
);

export const F_DUPFD_CLOEXEC = 1030;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_ADD_SEALS = 1033;
export const F_GET_SEALS = 1034;
export const O_NONBLOCK = 0o4000;

/** Why the last call of this thread failed. Ask at once: any call may change it. */
export const errno = (): number => koffi.errno();

/** The result of a call that must not fail. */
export function checked(call: string, result: number, what = ''): number {
  if (result < 0) throw new SysError(call, errno(), what);
  return result;
}

/** Memory that does not move, for structures that the kernel reads and fills. */
export class NativeStruct {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly address: number;

  /** `sizeBytes` is a multiple of 8. */
  constructor(sizeBytes: number) {
    const buffer = new ArrayBuffer(sizeBytes);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.address = addressOf(this.bytes);
  }

  /** Stores a 64-bit value below 2^53 at a byte offset (a multiple of 4). */
  set64(offset: number, value: number): void {
    this.words[offset >>> 2] = value | 0;
    this.words[(offset >>> 2) + 1] = Math.floor(value / 2 ** 32);
  }
}

/**
 * Where the first byte of `bytes` lives. Its buffer must have been made as an `ArrayBuffer` (small
 * typed arrays made by themselves live on the heap and move) and stay referenced.
 */
export function addressOf(bytes: Uint8Array): number {
  const whole = new Uint8Array(bytes.buffer);
  return Number(koffi.address(whole)) + bytes.byteOffset;
}

/** The memory at an address, as the engine sees it: valid only as long as the memory is. */
export const viewAt = (address: number, sizeBytes: number): ArrayBuffer =>
  koffi.view(address, sizeBytes);
