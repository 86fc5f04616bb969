/** A receiver: which of its rings a frame goes to, buffers for it, and how it gets there. */
import {
  APART,
  BUFFER_AT,
  BUFFER_BYTES,
  BUFFER_ID,
  BUFFER_LENGTH,
  CONTROL_KEY,
  CONTROL_RING,
  DESCRIPTOR_LOG,
  DESC_PHASE_LSB,
  FRONT_BYTES,
  INPUT_IPV4,
  INPUT_TCP4,
  INPUT_UDP4,
  MAX_BUFFERS,
  MAX_RINGS,
  PORT_BYTES_LEFT,
  PORT_BYTES_MOVED,
  PORT_FRAMES,
  PORT_PACKETS_LEFT,
  RECEIVER_FIRST,
  RECEIVER_HASH,
  RECEIVER_INDIRECTION,
  RECEIVER_INDIRECTION_MASK,
  RECEIVER_INPUTS,
  RECEIVER_RINGS,
  RING_BYTES_MOVED,
  RING_DEPTH,
  RING_DESCRIPTORS,
  RING_FRAMES,
  RING_HEAD,
  RING_INDEX,
  RING_TAIL,
  RX_BUFFER,
  RX_FIRST,
  RX_LAST,
  UNKNOWN,
  USE_WRITE,
} from '../layout';
import {
  hashDestination,
  hashPorts,
  hashSource,
  protocolTcp,
  putFront,
  storeFront,
} from './frames';
import { bufferOf, copyShort, locate } from './memory';
import { copyRest } from './pieces';
import { nextEntry, push } from './rings';

/** Whether a receiver's allowance has anything left. */
@inline
export function mayReceive(receiver: usize): bool {
  return load<f64>(receiver, PORT_BYTES_LEFT) > 0 && load<f64>(receiver, PORT_PACKETS_LEFT) > 0;
}

/** The Toeplitz hash by a receiver's tables. */
@inline
export function hashOf(receiver: usize, b: v128, c: v128, protocol: i32): i32 {
  const inputs = load<i32>(receiver, RECEIVER_INPUTS);
  const withPorts = (inputs & (protocol === protocolTcp ? INPUT_TCP4 : INPUT_UDP4)) !== 0;
  if (!withPorts && (inputs & INPUT_IPV4) === 0) return 0;
  const table = <usize>load<u32>(receiver, RECEIVER_HASH);
  const hash =
    contribution(table, hashSource(b)) ^ contribution(table + 4096, hashDestination(b, c));
  return withPorts ? hash ^ contribution(table + 8192, hashPorts(c)) : hash;
}

/** That of four bytes. */
@inline
function contribution(table: usize, word: u32): i32 {
  return (
    load<i32>(table + ((word & 255) << 2)) ^
    load<i32>(table + (((word >>> 8) & 255) << 2), 1024) ^
    load<i32>(table + (((word >>> 16) & 255) << 2), 2048) ^
    load<i32>(table + ((word >>> 24) << 2), 3072)
  );
}

/** The ring that a receiver's hash leads to: its address, `APART`, or `UNKNOWN`: it is asked for. */
@inline
export function ringOf(control: usize, receiver: usize, key: u32, hash: i32): usize {
  const mask = load<i32>(receiver, RECEIVER_INDIRECTION_MASK);
  const table = <usize>load<u32>(receiver, RECEIVER_INDIRECTION);
  let number = load<u32>(receiver, RECEIVER_FIRST);
  if (table !== 0) number = load<u16>(table + (<usize>(hash & mask) << 1));
  if (number >= <u32>MAX_RINGS) return APART;
  const into = <usize>load<u32>(receiver + (<usize>number << 2), RECEIVER_RINGS);
  if (into === UNKNOWN) {
    store<u32>(control, key, CONTROL_KEY);
    store<u32>(control, number, CONTROL_RING);
  }
  return into;
}

/** Notes the buffers that hold `length` bytes; returns how many, or 0: it is not for this path. */
@inline
export function takeBuffers(receiver: usize, ring: usize, notes: usize, length: i32): i32 {
  const descriptors = <usize>load<u32>(ring, RING_DESCRIPTORS);
  const depth = load<u32>(ring, RING_DEPTH);
  const tail = load<u32>(ring, RING_TAIL);
  let index = load<u32>(ring, RING_HEAD);
  let left = length;
  let note = notes;
  for (let count = 1; count <= MAX_BUFFERS; count++, index++, note += BUFFER_BYTES) {
    if (index === tail) return 0;
    const desc = descriptors + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
    const word0 = load<u32>(desc);
    if (((word0 >>> DESC_PHASE_LSB) & 1) !== <u32>((index & depth) === 0)) return 0;
    let room = <i32>(word0 & 0xffff);
    if (room === 0) room = 65_536;
    const part = min(room, left);
    const iova = bufferOf(desc);
    const at = locate(receiver, iova, part, USE_WRITE);
    if (at === 0) return 0;
    store<u32>(note, <u32>at, BUFFER_AT);
    store<i32>(note, part, BUFFER_LENGTH);
    store<u32>(note, load<u32>(desc, 4) << 16, BUFFER_ID);
    left -= part;
    if (left === 0) {
      return count;
    }
  }
  return 0;
}

/**
 * Copies a frame into the buffers that were noted, and completes them. Its front is in registers, the
 * rest lies at `from`, or where `pieces` say; `room`: of 64 bytes.
 */
@inline
export function fill(
  ring: usize,
  room: usize,
  from: usize,
  pieces: usize,
  length: i32,
  buffers: i32,
  status: u32,
  hash: i32,
  notes: usize,
  a: v128,
  b: v128,
  c: v128,
  d: v128,
): void {
  store<u32>(ring, load<u32>(ring, RING_HEAD) + buffers, RING_HEAD);
  if (buffers === 1) {
    const at = <usize>load<u32>(notes, BUFFER_AT);
    putFront(at, room, length, a, b, c, d);
    if (length > FRONT_BYTES)
      copyRest(at + FRONT_BYTES, from, pieces, FRONT_BYTES, length - FRONT_BYTES);
    complete(ring, length, load<u32>(notes, BUFFER_ID), hash, RX_FIRST | RX_LAST | status);
  } else {
    storeFront(room, a, b, c, d);
    scatter(ring, room, from, pieces, length, buffers, status, hash, notes);
  }
}

/** The same for several buffers. */
function scatter(
  ring: usize,
  front: usize,
  from: usize,
  pieces: usize,
  length: i32,
  buffers: i32,
  status: u32,
  hash: i32,
  notes: usize,
): void {
  let done = 0;
  let word: u32 = RX_FIRST;
  for (let i = 0; i < buffers; i++) {
    const note = notes + <usize>i * BUFFER_BYTES;
    const at = <usize>load<u32>(note, BUFFER_AT);
    const part = load<i32>(note, BUFFER_LENGTH);
    const inFront = max(0, min(part, min(length, FRONT_BYTES) - done));
    if (inFront > 0) copyShort(at, front + done, inFront);
    if (part > inFront) copyRest(at + inFront, from, pieces, done + inFront, part - inFront);
    done += part;
    const isLast = i === buffers - 1;
    if (isLast) word |= RX_LAST | status;
    complete(ring, part, load<u32>(note, BUFFER_ID), isLast ? hash : 0, word);
    word = 0;
  }
}

/** Completes one buffer; `id`: in the upper half. */
@inline
export function complete(ring: usize, bytes: i32, id: u32, hash: i32, status: u32): void {
  const entry = nextEntry(ring);
  store<u32>(entry, <u32>bytes | id, 4);
  store<i32>(entry, hash, 8);
  store<u32>(entry, load<u32>(ring, RING_INDEX), 12);
  push(ring, entry, RX_BUFFER | status);
}

/** Frames that a receiver was given by one of its rings, so many bytes in all. */
@inline
export function account(receiver: usize, into: usize, length: i32, frames: i32): void {
  const bytes = <f64>length;
  store<i32>(receiver, load<i32>(receiver, PORT_FRAMES) + frames, PORT_FRAMES);
  store<f64>(receiver, load<f64>(receiver, PORT_BYTES_MOVED) + bytes, PORT_BYTES_MOVED);
  store<i32>(into, load<i32>(into, RING_FRAMES) + frames, RING_FRAMES);
  store<f64>(into, load<f64>(into, RING_BYTES_MOVED) + bytes, RING_BYTES_MOVED);
}

/** What it costs a port's allowance: what the wire would have seen. */
@inline
export function spend(port: usize, length: i32, frames: i32): void {
  store<f64>(port, load<f64>(port, PORT_BYTES_LEFT) - <f64>length, PORT_BYTES_LEFT);
  store<f64>(port, load<f64>(port, PORT_PACKETS_LEFT) - <f64>frames, PORT_PACKETS_LEFT);
}
