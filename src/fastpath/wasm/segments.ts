/**
 * TCP segmentation, as `net/segmentation.ts` has it: what a packet becomes is planned first, with a
 * buffer for every byte of it; then it is cut up into them. Headers are written into the private head
 * that was judged, payload goes from the sender's buffers straight into the receiver's.
 */
import {
  BUFFER_AT,
  BUFFER_BYTES,
  BUFFER_ID,
  BUFFER_LENGTH,
  BUFFER_PAYLOAD,
  DESCRIPTOR_LOG,
  DESC_PHASE_LSB,
  HEAD_BYTES,
  LARGE_BUFFERS,
  LEAST_MSS,
  PORT_MAX_BYTES,
  RECEIVER_ADDRESS,
  RECEIVER_JOINS,
  RECEIVER_MAX_BUFFERS,
  RING_DEPTH,
  RING_DESCRIPTORS,
  RING_HEAD,
  RING_TAIL,
  RX_FIRST,
  RX_IPV4,
  RX_L4_CHECKED,
  RX_LAST,
  RX_TCP,
  USE_WRITE,
} from '../layout';
import { copySum } from './copy-sum';
import { destinationOf, ethernetBytes, l4At, plainIpv4, protocolTcp, pseudo } from './frames';
import { bufferOf, copyShort, fold, locate, sum } from './memory';
import { account, complete, spend } from './receivers';

const tcpBytes: i32 = 20;
const maxIpBytes: i32 = 0xffff;
/** FIN and PSH stand in the last segment only, CWR in the first only. */
const onlyLast: u32 = 0x09;
const onlyFirst: u32 = 0x80;
/** Sums are made here, so they are right. */
const status: u32 = RX_IPV4 | RX_TCP | RX_L4_CHECKED;

/**
 * The headers of a TCP packet that is to be cut up, whose lengths say nothing: as `readHeaders` has
 * them; 0: it is something else, or its headers are not all in the head.
 */
export function readLarge(head: usize, length: i32, mss: i32): u64 {
  const known = min(length, HEAD_BYTES);
  if (mss < LEAST_MSS || l4At + tcpBytes > known) return 0;
  if ((load<u32>(head, 12) & 0xff_ffff) !== <u32>plainIpv4 || load<u8>(head, 23) !== protocolTcp) return 0;
  if ((load<u16>(head, 20) & 0xffbf) !== 0) return 0;
  const payload = payloadOf(head);
  if (payload < l4At + tcpBytes || payload > known) return 0;
  return <u64>length | (<u64>protocolTcp << 32) | (<u64>load<u8>(head, l4At + 13) << 40);
}

/** Where the payload begins. */
@inline
export function payloadOf(head: usize): i32 {
  return l4At + (<i32>(load<u8>(head, l4At + 12) >> 4) << 2);
}

/** Frames that the wire sees. */
@inline
export function wireFrames(payload: i32, mss: i32): i32 {
  return max(1, (payload + mss - 1) / mss);
}

/**
 * Notes the buffers for all that a packet becomes: frames of one segment, or of several if these may
 * come together. Returns how many buffers; 0: it is not for this path.
 */
export function plan(
  receiver: usize,
  ring: usize,
  head: usize,
  length: i32,
  mss: i32,
  notes: usize,
): i32 {
  const headerBytes = payloadOf(head);
  const joins =
    load<i32>(receiver, RECEIVER_JOINS) !== 0 &&
    destinationOf(v128.load(head, 16), v128.load(head, 32)) === load<i32>(receiver, RECEIVER_ADDRESS);
  const posted = <i32>(load<u32>(ring, RING_TAIL) - load<u32>(ring, RING_HEAD));
  const most = load<i32>(receiver, RECEIVER_MAX_BUFFERS);
  let left = length - headerBytes;
  if (headerBytes + min(left, mss) > load<i32>(receiver, PORT_MAX_BYTES)) return 0;
  let noted = 0;
  let used = 0;
  do {
    let payload = min(left, mss);
    if (joins) {
      const until = min(used + most, posted);
      for (; noted < until; noted++) if (!noteBuffer(receiver, ring, notes, noted)) return 0;
      payload = min(left, together(notes, used, until, headerBytes, mss));
    }
    store<i32>(notes + <usize>used * BUFFER_BYTES, payload, BUFFER_PAYLOAD);
    let rest = headerBytes + payload;
    for (let count = 0; rest > 0; count++, used++) {
      if (count === most || used === posted) return 0;
      if (used === noted && !noteBuffer(receiver, ring, notes, noted++)) return 0;
      rest -= load<i32>(notes + <usize>used * BUFFER_BYTES, BUFFER_LENGTH);
    }
    left -= payload;
  } while (left > 0);
  return used;
}

/** Payload of as many whole segments as find room in the buffers of one frame. */
@inline
function together(notes: usize, used: i32, until: i32, headerBytes: i32, mss: i32): i32 {
  let room = 0;
  for (let i = used; i < until; i++) room += load<i32>(notes + <usize>i * BUFFER_BYTES, BUFFER_LENGTH);
  if (room <= headerBytes + mss) return mss;
  const limit = min(room, maxIpBytes) - headerBytes;
  return limit - (limit % mss);
}

/** Notes the buffer in a ring's descriptor, `place` behind its head. */
@inline
function noteBuffer(receiver: usize, ring: usize, notes: usize, place: i32): bool {
  if (place >= LARGE_BUFFERS) return false;
  const index = load<u32>(ring, RING_HEAD) + place;
  const depth = load<u32>(ring, RING_DEPTH);
  const desc =
    <usize>load<u32>(ring, RING_DESCRIPTORS) + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
  const word0 = load<u32>(desc);
  if (((word0 >>> DESC_PHASE_LSB) & 1) !== <u32>((index & depth) === 0)) return false;
  let room = <i32>(word0 & 0xffff);
  if (room === 0) room = 65_536;
  const at = locate(receiver, bufferOf(desc), room, USE_WRITE);
  if (at === 0) return false;
  const note = notes + <usize>place * BUFFER_BYTES;
  store<u32>(note, <u32>at, BUFFER_AT);
  store<i32>(note, room, BUFFER_LENGTH);
  store<u32>(note, load<u32>(desc, 4) << 16, BUFFER_ID);
  return true;
}

/** Where payload is taken from: the note of a buffer, what is left of it, and where that lies. */
let source: usize = 0;
let sourceAt: usize = 0;
let sourceLeft: i32 = 0;

/** The same where it goes to. */
let target: usize = 0;
let targetAt: usize = 0;
let targetLeft: i32 = 0;

@inline
function skipSource(from: usize, skip: i32): void {
  let left = skip;
  source = from;
  for (; left > load<i32>(source, BUFFER_LENGTH); source += BUFFER_BYTES)
    left -= load<i32>(source, BUFFER_LENGTH);
  sourceAt = <usize>load<u32>(source, BUFFER_AT) + left;
  sourceLeft = load<i32>(source, BUFFER_LENGTH) - left;
}

@inline
function skipTarget(to: usize, skip: i32): void {
  let left = skip;
  target = to;
  for (; left > load<i32>(target, BUFFER_LENGTH); target += BUFFER_BYTES)
    left -= load<i32>(target, BUFFER_LENGTH);
  targetAt = <usize>load<u32>(target, BUFFER_AT) + left;
  targetLeft = load<i32>(target, BUFFER_LENGTH) - left;
}

/** Copies the next bytes of payload, and returns their sum. */
@inline
function putPayload(length: i32): u64 {
  let total: u64 = 0;
  let left = length;
  let isOdd = false;
  while (left > 0) {
    while (sourceLeft === 0) {
      source += BUFFER_BYTES;
      sourceAt = <usize>load<u32>(source, BUFFER_AT);
      sourceLeft = load<i32>(source, BUFFER_LENGTH);
    }
    while (targetLeft === 0) {
      target += BUFFER_BYTES;
      targetAt = <usize>load<u32>(target, BUFFER_AT);
      targetLeft = load<i32>(target, BUFFER_LENGTH);
    }
    const part = min(left, min(sourceLeft, targetLeft));
    const one = copySum(targetAt, sourceAt, part);
    total += <u64>(isOdd ? <u32>bswap<u16>(<u16>one) : one);
    if ((part & 1) !== 0) isOdd = !isOdd;
    left -= part;
    sourceAt += part;
    sourceLeft -= part;
    targetAt += part;
    targetLeft -= part;
  }
  return total;
}

/** Copies a frame's headers to where it begins. */
@inline
function putHeaders(to: usize, head: usize, headerBytes: i32): void {
  let done = 0;
  for (let note = to; done < headerBytes; note += BUFFER_BYTES) {
    const part = min(headerBytes - done, load<i32>(note, BUFFER_LENGTH));
    copyShort(<usize>load<u32>(note, BUFFER_AT), head + done, part);
    done += part;
  }
}

/** Completes the buffers of a frame; returns the note behind them. */
@inline
function completeAll(ring: usize, note: usize, length: i32, hash: i32): usize {
  let left = length;
  let at = note;
  let word: u32 = RX_FIRST;
  for (; left > 0; at += BUFFER_BYTES) {
    const part = min(left, load<i32>(at, BUFFER_LENGTH));
    left -= part;
    if (left === 0) word |= RX_LAST | status;
    complete(ring, part, load<u32>(at, BUFFER_ID), left === 0 ? hash : 0, word);
    word = 0;
  }
  return at;
}

/**
 * Cuts a packet up into the buffers that were noted, and completes them. `head`: its headers, which
 * become those of its last segment; `pieces`: notes of where all of it lies.
 */
export function cut(
  receiver: usize,
  ring: usize,
  head: usize,
  pieces: usize,
  length: i32,
  mss: i32,
  notes: usize,
  buffers: i32,
  hash: i32,
): void {
  const tcp = head + l4At;
  const headerBytes = payloadOf(head);
  const flags = <u32>load<u8>(tcp, 13);
  let sequence = bswap<u32>(load<u32>(tcp, 4));
  let identification = <u32>bswap<u16>(load<u16>(head, 18));
  // What is the same in all of them is summed once, without what varies.
  store<u32>(head, 0, 16);
  store<u16>(head, 0, 24);
  store<u32>(tcp, 0, 4);
  store<u8>(tcp, 0, 13);
  store<u16>(tcp, 0, 16);
  const ipv4Base = <u64>sum(head + ethernetBytes, l4At - ethernetBytes);
  const addresses = pseudo(v128.load(head, 16), v128.load(head, 32), protocolTcp, 0);
  const tcpBase = <u64>addresses + <u64>sum(tcp, headerBytes - l4At);

  skipSource(pieces, headerBytes);
  let note = notes;
  let left = length - headerBytes;
  let first = onlyFirst;
  let frames = 0;
  do {
    const payload = load<i32>(note, BUFFER_PAYLOAD);
    left -= payload;
    const ipBytes = bswap<u16>(<u16>(headerBytes - ethernetBytes + payload));
    const id = bswap<u16>(<u16>identification);
    store<u16>(head, ipBytes, 16);
    store<u16>(head, id, 18);
    store<u16>(head, <u16>~fold(ipv4Base + <u64>ipBytes + <u64>id), 24);
    const now = flags & ~(onlyFirst ^ first) & ~(left > 0 ? onlyLast : 0);
    const number = bswap<u32>(sequence);
    store<u32>(tcp, number, 4);
    store<u8>(tcp, <u8>now, 13);
    const l4Bytes = <u64>bswap<u16>(<u16>(headerBytes - l4At + payload));
    const varying = <u64>(number & 0xffff) + <u64>(number >>> 16) + <u64>(now << 8) + l4Bytes;
    skipTarget(note, headerBytes);
    store<u16>(tcp, <u16>~fold(tcpBase + varying + putPayload(payload)), 16);
    putHeaders(note, head, headerBytes);
    note = completeAll(ring, note, headerBytes + payload, hash);
    identification++;
    sequence += payload;
    first = 0;
    frames++;
  } while (left > 0);
  store<u32>(ring, load<u32>(ring, RING_HEAD) + buffers, RING_HEAD);
  account(receiver, ring, length + (frames - 1) * headerBytes, frames);
  const wire = wireFrames(length - headerBytes, mss);
  spend(receiver, length + (wire - 1) * headerBytes, wire);
}
