/** How the kernel's scheduler treats the calling thread, sched_setattr(2). */
import { NativeStruct, syscall } from './libc.ts';

/** Numbers of the calls, which older C libraries have no functions for. */
const calls = new Map([
  ['x64', { sched_setattr: 314, sched_getattr: 315 }],
  ['arm64', { sched_setattr: 274, sched_getattr: 275 }],
]).get(process.arch);
/** `struct sched_attr`, its first version. */
const attrBytes = 48;
const runtimeAt = 24;
const SCHED_OTHER = 0;

/**
 * Asks for short turns instead of long ones, in nanoseconds: a thread that does little at a time then
 * runs as soon as it is woken, also on cores that others keep busy. It gets no more of them than
 * before. Linux 6.12 and newer, for the ordinary policy; elsewhere nothing changes. Returns whether
 * it was accepted.
 */
export function askForShortTurns(ns: number): boolean {
  if (calls === undefined) return false;
  const attr = new NativeStruct(attrBytes);
  if (syscall(calls.sched_getattr, 0, attr.address, attrBytes, 0) !== 0) return false;
  if (attr.words[1] !== SCHED_OTHER) return false;
  attr.words[0] = attrBytes;
  attr.set64(runtimeAt, ns);
  return syscall(calls.sched_setattr, 0, attr.address, 0, 0) === 0;
}
