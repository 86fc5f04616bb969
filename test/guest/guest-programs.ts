/** Programs that tests run in a guest, instruction by instruction: XDP programs, a clock reader. */
import { bpfObject, x86Program } from './elf-object.ts';

/** An eBPF instruction (RFC 9669): opcode, registers, offset, immediate. */
function bpf(opcode: number, dst: number, src: number, offset: number, immediate: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(opcode, 0);
  bytes.writeUInt8((src << 4) | dst, 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(immediate, 4);
  return bytes;
}
const set = (dst: number, value: number): Buffer => bpf(0xb7, dst, 0, 0, value);
const copy = (dst: number, src: number): Buffer => bpf(0xbf, dst, src, 0, 0);
const add = (dst: number, value: number): Buffer => bpf(0x07, dst, 0, 0, value);
const addRegister = (dst: number, src: number): Buffer => bpf(0x0f, dst, src, 0, 0);
const shiftRight = (dst: number, by: number): Buffer => bpf(0x77, dst, 0, 0, by);
const load32 = (dst: number, src: number, at: number): Buffer => bpf(0x61, dst, src, at, 0);
const load16 = (dst: number, src: number, at: number): Buffer => bpf(0x69, dst, src, at, 0);
const load8 = (dst: number, src: number, at: number): Buffer => bpf(0x71, dst, src, at, 0);
const store16 = (dst: number, at: number, src: number): Buffer => bpf(0x6b, dst, src, at, 0);
const store8 = (dst: number, at: number, value: number): Buffer => bpf(0x72, dst, 0, at, value);
const call = (helper: number): Buffer => bpf(0x85, 0, 0, 0, helper);
const exit = bpf(0x95, 0, 0, 0, 0);
/** Jumps over `count` instructions. */
const skipIfEqual = (dst: number, value: number, count: number): Buffer =>
  bpf(0x15, dst, 0, count, value);
const skipIfNotAbove = (dst: number, src: number, count: number): Buffer =>
  bpf(0xbd, dst, src, count, 0);

const XDP = { drop: 1, pass: 2, tx: 3 } as const;
const redirectHelper = 23;

const xdp = (code: readonly Buffer[]): Buffer => bpfObject('xdp', Buffer.concat(code));

export const dropAll = xdp([set(0, XDP.drop), exit]);

/** Exchanges `halfWords` 16-bit words of the packet (register 2) at two places. */
const exchange = (at: number, other: number, halfWords: number): Buffer[] =>
  Array.from({ length: halfWords }, (_, i) => [
    load16(4, 2, at + 2 * i),
    load16(5, 2, other + 2 * i),
    store16(2, at + 2 * i, 5),
    store16(2, other + 2 * i, 4),
  ]).flat();

/**
 * Answers pings ahead of the network stack and passes everything else: turns the addresses round,
 * makes the request a reply, and sends that by XDP_TX or, given an interface, by XDP_REDIRECT.
 */
export function answerPings(redirectTo?: number): Buffer {
  const pass = [set(0, XDP.pass), exit];
  const send =
    redirectTo === undefined
      ? [set(0, XDP.tx), exit]
      : [set(1, redirectTo), set(2, 0), call(redirectHelper), exit];
  return xdp([
    load32(2, 1, 0), // the packet
    load32(3, 1, 4), // its end
    copy(4, 2),
    add(4, 42),
    skipIfNotAbove(4, 3, 2),
    ...pass,
    load16(4, 2, 12), // IPv4
    skipIfEqual(4, 0x0008, 2),
    ...pass,
    load8(4, 2, 23), // ICMP
    skipIfEqual(4, 1, 2),
    ...pass,
    load8(4, 2, 34), // echo request
    skipIfEqual(4, 8, 2),
    ...pass,
    ...exchange(0, 6, 3),
    ...exchange(26, 30, 2),
    store8(2, 34, 0),
    load16(4, 2, 36), // the checksum grows by what the type has lost (RFC 1624)
    add(4, 8),
    copy(5, 4),
    shiftRight(5, 16),
    addRegister(4, 5),
    store16(2, 36, 4),
    ...send,
  ]);
}

/**
 * Writes the time of /dev/ptp0 to standard output: two 64-bit words, seconds and nanoseconds. Exit
 * code 1: there is no such device; 2: it gives no time.
 */
export const readPtpClock = x86Program(
  Buffer.concat([
    machine('48 8d 3d 4e 00 00 00'), // lea path(%rip), %rdi
    machine('31 f6 b8 02 00 00 00 0f 05'), // open(path, O_RDONLY)
    machine('bb 01 00 00 00'), // mov $1, %ebx: the exit code
    machine('85 c0 78 33'), // test %eax, %eax; js out
    machine('f7 d0 8d 3c c5 03 00 00 00'), // the clock of a descriptor: (~fd << 3) | 3
    machine('48 83 ec 10 48 89 e6'), // room on the stack
    machine('b8 e4 00 00 00 0f 05'), // clock_gettime(clock, stack)
    machine('ff c3 85 c0 75 16'), // the exit code is 2; jne out
    machine('bf 01 00 00 00 48 89 e6 ba 10 00 00 00'), // write(1, stack, 16)
    machine('b8 01 00 00 00 0f 05 31 db'), // the exit code is 0
    machine('89 df b8 3c 00 00 00 0f 05'), // out: exit(%ebx)
    Buffer.from('/dev/ptp0\0'), // path
  ]),
);

function machine(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}
