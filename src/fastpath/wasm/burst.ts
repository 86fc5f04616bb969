/**
 * A burst of plain frames from a sender's ring into its receivers' buffers: one descriptor each,
 * IPv4 with TCP or UDP, of flows whose way is known. Whatever else a frame is, the run ends before
 * it and has done nothing about it: then the TypeScript path sends it.
 */
import {
  BUFFER_AT,
  BUFFER_BYTES,
  BUFFER_ID,
  BUFFER_LENGTH,
  CONTROL_HEAD,
  CONTROL_KEY,
  CONTROL_MAC_LO,
  CONTROL_MARKS,
  CONTROL_OWNER_EPOCH,
  CONTROL_OWNERS,
  CONTROL_RECEIVERS,
  CONTROL_ROUTES,
  CONTROL_RING,
  CONTROL_SEEN,
  CONTROL_STOP,
  CONTROL_TRACKER,
  DESC_PHASE_LSB,
  DESCRIPTOR_LOG,
  FLOW_MARK_A,
  FLOW_MARK_B,
  FLOW_PLACE,
  FLOW_REASON,
  FLOW_SLOT_A,
  FLOW_SLOT_B,
  FLOW_TO,
  HEAD_BYTES,
  INPUT_IPV4,
  INPUT_TCP4,
  INPUT_UDP4,
  MAX_BUFFERS,
  MAX_RINGS,
  OWNER_BYTES,
  OWNERS,
  PLACE_RECEIVER,
  PLACE_ROUTED,
  PORT_BYTES_LEFT,
  PORT_BYTES_MOVED,
  PORT_FRAMES,
  PORT_MAX_BYTES,
  PORT_PACKETS_LEFT,
  REASON_DELIVERED,
  APART,
  RECEIVER_FIRST,
  RECEIVER_HASH,
  RECEIVER_INDIRECTION,
  RECEIVER_INDIRECTION_MASK,
  RECEIVER_INPUTS,
  RECEIVER_MACS,
  RECEIVER_RINGS,
  UNKNOWN,
  RECEIVERS,
  RING_BYTES_MOVED,
  RING_DEPTH,
  RING_DESCRIPTORS,
  RING_FRAMES,
  RING_HEAD,
  RING_INDEX,
  RING_TAIL,
  RX_BUFFER,
  RX_FIRST,
  RX_IPV4,
  RX_L3_ERROR,
  RX_L4_CHECKED,
  RX_L4_ERROR,
  RX_LAST,
  RX_TCP,
  RX_UDP,
  SENDER_ADDRESS,
  SENDER_COMPLETES_ALL,
  SENDER_KEY,
  SENDER_MAC_HI,
  SENDER_MAC_LO,
  SENDER_RING,
  SENDER_SLOT,
  SIDE_NOT_ASKED,
  STOP_DONE,
  STOP_OTHER,
  STOP_OWNER,
  STOP_RECEIVER,
  STOP_RING,
  TOUCHED,
  TX_COMP_REQ,
  TX_L3_CSUM,
  TX_L4_CSUM,
  TX_L4_PARTIAL,
  TX_REQ_ID_HI_LSB,
  TX_REQ_ID_LO_LSB,
  TX_SHAPE,
  TX_TSO,
  TX_WHOLE,
  USE_READ,
  USE_WRITE,
} from '../layout';
import { findFlow, isSteady, prolong } from './flows';
import { copy, copyShort, fold, locate, sum, sum20 } from './memory';
import { nextEntry, push } from './rings';

const ethernetBytes: i32 = 14;
const ipv4Bytes: i32 = 20;
const protocolTcp: i32 = 6;
const protocolUdp: i32 = 17;
/** FIN, SYN, RST, ACK. */
const tcpSynAck: u32 = 0x12;
const tcpSyn: u32 = 0x02;
const tcpFinRst: u32 = 0x05;

/** Sends `most` frames at most; returns how many. `control` then says why it ended. */
export function run(control: usize, sender: usize, most: i32, now: f64): i32 {
  const ring = <usize>load<u32>(sender, SENDER_RING);
  const descriptors = <usize>load<u32>(ring, RING_DESCRIPTORS);
  const depth = load<u32>(ring, RING_DEPTH);
  const head = <usize>load<u32>(control, CONTROL_HEAD);
  const routes = load<i32>(control, CONTROL_ROUTES) !== 0;
  const receivers = <usize>load<u32>(control, CONTROL_RECEIVERS);
  const completesAll = load<i32>(sender, SENDER_COMPLETES_ALL) !== 0;
  const maxBytes = load<i32>(sender, PORT_MAX_BYTES);
  const macHi = load<i32>(sender, SENDER_MAC_HI);
  const macLo = load<i32>(sender, SENDER_MAC_LO);
  const address = load<i32>(sender, SENDER_ADDRESS);
  const tail = load<u32>(ring, RING_TAIL);
  let index = load<u32>(ring, RING_HEAD);
  let bytesLeft = load<f64>(sender, PORT_BYTES_LEFT);
  let packetsLeft = load<f64>(sender, PORT_PACKETS_LEFT);
  let moved: f64 = 0;
  let sent = 0;
  let stop = STOP_DONE;
  for (; index !== tail && sent < most; sent++) {
    stop = STOP_OTHER;
    if ((sent & (TOUCHED - 1)) === 0) touch(control, sender, descriptors, index, tail, depth);

    // The descriptor, each word of which is read once.
    const desc = descriptors + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
    const word0 = load<u32>(desc);
    const word1 = load<u32>(desc, 4);
    const phase = <u32>((index & depth) === 0) << DESC_PHASE_LSB;
    if ((word0 & TX_SHAPE) !== (<u32>TX_WHOLE | phase) || (word1 & TX_TSO) !== 0) break;
    const length = <i32>(word0 & 0xffff);
    if (length < ethernetBytes + ipv4Bytes || length > maxBytes) break;
    const iova = (<u64>(load<u32>(desc, 12) & 0xffff) << 32) | <u64>load<u32>(desc, 8);
    const from = locate(sender, iova, length, USE_READ);
    if (from === 0) break;

    // The headers, in memory that no guest can change.
    const headBytes = min(length, HEAD_BYTES);
    copyShort(head, from, headBytes);
    if (load<u16>(head, 12) !== 0x0008) break;
    if (<i32>bswap<u16>(load<u16>(head, 6)) !== macHi) break;
    if (<i32>bswap<u32>(load<u32>(head, 8)) !== macLo) break;
    const first = <i32>load<u8>(head, 14);
    const headerBytes = (first & 15) << 2;
    if (first >> 4 !== 4 || headerBytes < ipv4Bytes) break;
    const total = <i32>bswap<u16>(load<u16>(head, 16));
    const end = ethernetBytes + total;
    if (total < headerBytes || end > length) break;
    if ((load<u16>(head, 20) & 0xffbf) !== 0) break;
    const protocol = <i32>load<u8>(head, 23);
    const l4 = ethernetBytes + headerBytes;
    let tcpFlags: u32 = 0;
    let checksumAt = l4 + 6;
    if (protocol === protocolUdp) {
      if (l4 + 8 > end) break;
    } else if (protocol === protocolTcp) {
      if (l4 + 20 > end) break;
      const l4Bytes = <i32>(load<u8>(head + l4, 12) >> 4) << 2;
      if (l4Bytes < 20 || l4 + l4Bytes > end) break;
      tcpFlags = load<u8>(head + l4, 13);
      checksumAt = l4 + 16;
    } else break;
    const source = <i32>bswap<u32>(load<u32>(head, 26));
    if (address !== 0 && source !== address) break;

    // Where to, and whether it may.
    if (!(bytesLeft > 0 && packetsLeft > 0)) break;
    const toMacHi = <i32>bswap<u16>(load<u16>(head, 0));
    const toMacLo = <i32>bswap<u32>(load<u32>(head, 2));
    let flow: usize = 0;
    let key: u32 = 0;
    if (routes) {
      if ((tcpFlags & tcpSynAck) === tcpSyn || (tcpFlags & tcpFinRst) !== 0) break;
      const destination = <i32>bswap<u32>(load<u32>(head, 30));
      const ports = <i32>bswap<u32>(load<u32>(head + l4));
      const slot = load<i32>(sender, SENDER_SLOT);
      flow = findFlow(control, source, destination, ports, toMacLo, toMacHi, (slot << 8) | protocol);
      if (flow === 0 || !isOpen(control, flow, slot, now)) break;
      key = load<u32>(flow, FLOW_TO);
    } else {
      const owner = ownerOf(control, toMacHi, toMacLo);
      if (owner < 0) {
        store<i32>(control, toMacHi, CONTROL_KEY);
        store<i32>(control, toMacLo, CONTROL_MAC_LO);
        stop = STOP_OWNER;
        break;
      }
      key = <u32>owner;
      if (key === load<u32>(sender, SENDER_KEY)) break;
    }
    if (key >= <u32>RECEIVERS) break;
    const receiver = <usize>load<u32>(receivers + (<usize>key << 2));
    if (receiver === UNKNOWN) {
      store<u32>(control, key, CONTROL_KEY);
      stop = STOP_RECEIVER;
      break;
    }
    if (receiver === APART || length > load<i32>(receiver, PORT_MAX_BYTES)) break;
    const theirBytes = load<f64>(receiver, PORT_BYTES_LEFT);
    const theirPackets = load<f64>(receiver, PORT_PACKETS_LEFT);
    if (!(theirBytes > 0 && theirPackets > 0)) break;
    const hash = hashOf(receiver, head, l4, protocol);
    const mask = load<i32>(receiver, RECEIVER_INDIRECTION_MASK);
    const table = <usize>load<u32>(receiver, RECEIVER_INDIRECTION);
    let number = load<u32>(receiver, RECEIVER_FIRST);
    if (table !== 0) number = load<u16>(table + (<usize>(hash & mask) << 1));
    if (number >= <u32>MAX_RINGS) break;
    const into = <usize>load<u32>(receiver + (<usize>number << 2), RECEIVER_RINGS);
    if (into === UNKNOWN) {
      store<u32>(control, key, CONTROL_KEY);
      store<u32>(control, number, CONTROL_RING);
      stop = STOP_RING;
      break;
    }
    if (into === APART) break;
    const buffers = takeBuffers(receiver, into, head + 2 * HEAD_BYTES, length);
    if (buffers === 0) break;

    // Nothing is in the way: from here on the frame is sent.
    if (routes) {
      const tracker = <usize>load<u32>(control, CONTROL_TRACKER);
      const slotA = load<i32>(flow, FLOW_SLOT_A);
      const slotB = load<i32>(flow, FLOW_SLOT_B);
      if (slotA >= 0) prolong(tracker, slotA, now);
      if (slotB >= 0) prolong(tracker, slotB, now);
      if ((load<i32>(flow, FLOW_PLACE) & PLACE_ROUTED) !== 0) {
        store<u64>(head, load<u64>(receiver, RECEIVER_MACS));
        store<u32>(head, load<u32>(receiver, RECEIVER_MACS + 8), 8);
      }
    }
    let status: u32 = RX_IPV4 | (protocol === protocolTcp ? RX_TCP : RX_UDP);
    if ((word1 & TX_L3_CSUM) !== 0) {
      store<u16>(head, 0, 24);
      store<u16>(head, <u16>~headerSum(head, headerBytes), 24);
    } else if (headerSum(head, headerBytes) !== 0xffff) status |= RX_L3_ERROR;
    if ((word1 & TX_L4_CSUM) !== 0) {
      const isPartial = (word1 & TX_L4_PARTIAL) !== 0;
      if (!isPartial) store<u16>(head + checksumAt, 0);
      const seed = isPartial ? 0 : pseudo(head, protocol, end - l4);
      let value = ~fold(<u64>seed + <u64>sumL4(head, from, l4, end, headBytes)) & 0xffff;
      if (value === 0 && protocol === protocolUdp) value = 0xffff;
      store<u16>(head + checksumAt, <u16>value);
      status |= RX_L4_CHECKED;
    } else if (protocol === protocolTcp || load<u16>(head + checksumAt) !== 0) {
      status |= RX_L4_CHECKED;
      const seed = pseudo(head, protocol, end - l4);
      if (fold(<u64>seed + <u64>sumL4(head, from, l4, end, headBytes)) !== 0xffff)
        status |= RX_L4_ERROR;
    }
    fill(into, head, from, headBytes, length, buffers, status, hash);
    index++;
    if (completesAll || (word0 & TX_COMP_REQ) !== 0) {
      const entry = nextEntry(ring);
      store<u32>(entry, load<u32>(ring, RING_INDEX) | (index << 16), 4);
      const high = (word0 >>> TX_REQ_ID_HI_LSB) & 0x3f;
      push(ring, entry, (high << 10) | (word1 >>> TX_REQ_ID_LO_LSB));
    }

    // What it cost.
    const bytes = <f64>length;
    bytesLeft -= bytes;
    packetsLeft -= 1;
    moved += bytes;
    store<f64>(receiver, theirBytes - bytes, PORT_BYTES_LEFT);
    store<f64>(receiver, theirPackets - 1, PORT_PACKETS_LEFT);
    store<i32>(receiver, load<i32>(receiver, PORT_FRAMES) + 1, PORT_FRAMES);
    store<f64>(receiver, load<f64>(receiver, PORT_BYTES_MOVED) + bytes, PORT_BYTES_MOVED);
    store<i32>(into, load<i32>(into, RING_FRAMES) + 1, RING_FRAMES);
    store<f64>(into, load<f64>(into, RING_BYTES_MOVED) + bytes, RING_BYTES_MOVED);
    stop = STOP_DONE;
  }
  store<u32>(ring, index, RING_HEAD);
  store<f64>(sender, bytesLeft, PORT_BYTES_LEFT);
  store<f64>(sender, packetsLeft, PORT_PACKETS_LEFT);
  store<i32>(sender, load<i32>(sender, PORT_FRAMES) + sent, PORT_FRAMES);
  store<f64>(sender, load<f64>(sender, PORT_BYTES_MOVED) + moved, PORT_BYTES_MOVED);
  store<i32>(control, stop, CONTROL_STOP);
  return sent;
}

/**
 * Has the first bytes of the next frames fetched, all at once: another core has written them, and
 * waiting for one after the other would take longer than all else.
 */
function touch(
  control: usize,
  sender: usize,
  descriptors: usize,
  first: u32,
  tail: u32,
  depth: u32,
): void {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < <u32>TOUCHED && first + i !== tail; i++) {
    const desc = descriptors + (<usize>((first + i) & (depth - 1)) << DESCRIPTOR_LOG);
    const iova = (<u64>(load<u32>(desc, 12) & 0xffff) << 32) | <u64>load<u32>(desc, 8);
    const at = locate(sender, iova, 4, USE_READ);
    if (at !== 0) seen ^= load<u32>(at);
  }
  store<u32>(control, seen, CONTROL_SEEN);
}

/** Whether a flow's packets are delivered, and both its sides are as they were when that was decided. */
@inline
function isOpen(control: usize, flow: usize, sender: i32, now: f64): bool {
  if (load<i32>(flow, FLOW_REASON) !== REASON_DELIVERED) return false;
  if ((load<i32>(flow, FLOW_PLACE) & ~PLACE_ROUTED) !== PLACE_RECEIVER) return false;
  const to = load<i32>(flow, FLOW_TO);
  return (
    holds(control, sender, load<i32>(flow, FLOW_SLOT_A), load<i32>(flow, FLOW_MARK_A), true, now) &&
    holds(control, to, load<i32>(flow, FLOW_SLOT_B), load<i32>(flow, FLOW_MARK_B), false, now)
  );
}

@inline
function holds(control: usize, nic: i32, slot: i32, mark: i32, outward: bool, now: f64): bool {
  if (slot >= 0)
    return isSteady(<usize>load<u32>(control, CONTROL_TRACKER), slot, mark, outward, now);
  if (slot === SIDE_NOT_ASKED) return true;
  return load<i32>(<usize>load<u32>(control, CONTROL_MARKS) + (<usize>nic << 2)) === mark;
}

/** The port that owns a MAC, as it was told; -1: not known. */
@inline
function ownerOf(control: usize, hi: i32, lo: i32): i32 {
  const place = <usize>(<u32>(lo ^ (hi * 0x9e37_79b1)) & (OWNERS - 1));
  const at = <usize>load<u32>(control, CONTROL_OWNERS) + place * OWNER_BYTES;
  if (load<i32>(at) !== hi || load<i32>(at, 4) !== lo) return -1;
  return load<i32>(at, 12) === load<i32>(control, CONTROL_OWNER_EPOCH) ? load<i32>(at, 8) : -1;
}

/** The Toeplitz hash by a receiver's tables. */
@inline
function hashOf(receiver: usize, head: usize, l4: i32, protocol: i32): i32 {
  const inputs = load<i32>(receiver, RECEIVER_INPUTS);
  const withPorts = (inputs & (protocol === protocolTcp ? INPUT_TCP4 : INPUT_UDP4)) !== 0;
  if (!withPorts && (inputs & INPUT_IPV4) === 0) return 0;
  const table = <usize>load<u32>(receiver, RECEIVER_HASH);
  const hash = contribution(table, head + 26) ^ contribution(table + 4096, head + 30);
  return withPorts ? hash ^ contribution(table + 8192, head + l4) : hash;
}

/** That of four bytes. */
@inline
function contribution(table: usize, at: usize): i32 {
  const word = load<u32>(at);
  return (
    load<i32>(table + ((word & 255) << 2)) ^
    load<i32>(table + (((word >>> 8) & 255) << 2), 1024) ^
    load<i32>(table + (((word >>> 16) & 255) << 2), 2048) ^
    load<i32>(table + ((word >>> 24) << 2), 3072)
  );
}

/** Notes the buffers that hold `length` bytes; returns how many, or 0: it is not for this path. */
@inline
function takeBuffers(receiver: usize, ring: usize, notes: usize, length: i32): i32 {
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
    const iova = (<u64>(load<u32>(desc, 12) & 0xffff) << 32) | <u64>load<u32>(desc, 8);
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

/** Copies a frame into the buffers that were noted, and completes them. */
@inline
function fill(
  ring: usize,
  head: usize,
  from: usize,
  headBytes: i32,
  length: i32,
  buffers: i32,
  status: u32,
  hash: i32,
): void {
  const notes = head + 2 * HEAD_BYTES;
  const sq = load<u32>(ring, RING_INDEX);
  store<u32>(ring, load<u32>(ring, RING_HEAD) + buffers, RING_HEAD);
  let done = 0;
  let word: u32 = RX_BUFFER | RX_FIRST;
  for (let i = 0; i < buffers; i++) {
    const note = notes + <usize>i * BUFFER_BYTES;
    const at = <usize>load<u32>(note, BUFFER_AT);
    const part = load<i32>(note, BUFFER_LENGTH);
    const fromHead = max(0, min(part, headBytes - done));
    if (fromHead > 0) copyShort(at, head + done, fromHead);
    if (part > fromHead) copy(at + fromHead, from + done + fromHead, part - fromHead);
    done += part;
    const isLast = i === buffers - 1;
    if (isLast) word |= RX_LAST | status;
    const entry = nextEntry(ring);
    store<u32>(entry, <u32>part | load<u32>(note, BUFFER_ID), 4);
    store<i32>(entry, isLast ? hash : 0, 8);
    store<u32>(entry, sq, 12);
    push(ring, entry, word);
    word = RX_BUFFER;
  }
}

/** Of the IPv4 header. */
@inline
function headerSum(head: usize, headerBytes: i32): u32 {
  const at = head + ethernetBytes;
  return headerBytes === ipv4Bytes ? sum20(at) : sum(at, headerBytes);
}

/** The pseudo-header's sum, of words as they lie in memory. */
@inline
function pseudo(head: usize, protocol: i32, l4Bytes: i32): u32 {
  const addresses = load<u64>(head, 26);
  return fold(
    (addresses & 0xffff_ffff) +
      (addresses >>> 32) +
      <u64>bswap<u16>(<u16>protocol) +
      <u64>bswap<u16>(<u16>l4Bytes),
  );
}

/** The sum of the bytes `l4` .. `end` of a frame, of which the head was copied. */
@inline
function sumL4(head: usize, from: usize, l4: i32, end: i32, headBytes: i32): u32 {
  const inHead = min(end, headBytes);
  let total: u64 = sum(head + l4, inHead - l4);
  if (end > headBytes) total += <u64>sum(from + headBytes, end - headBytes);
  return fold(total);
}
