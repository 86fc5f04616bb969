/**
 * A TCP packet that its sender wants to be cut up, with or without a meta descriptor before it: as
 * plain frames go (`burst.ts`), but for more buffers, and lengths that only its descriptors say.
 */
import {
  APART,
  BUFFER_AT,
  BUFFER_BYTES,
  BUFFER_LENGTH,
  CONTROL_HEAD,
  CONTROL_KEY,
  CONTROL_LARGE,
  CONTROL_MAC_LO,
  CONTROL_RECEIVERS,
  CONTROL_ROUTES,
  CONTROL_STOP,
  DESCRIPTOR_LOG,
  DESC_PHASE_LSB,
  FLOW_PLACE,
  FLOW_TO,
  HEAD_BYTES,
  L2_BYTES,
  LARGE_BYTES,
  LARGE_FROM,
  LARGE_TO,
  META_L3_MASK,
  META_L4_LSB,
  META_L4_MASK,
  META_MSS_HI_LSB,
  META_MSS_HI_MASK,
  META_MSS_LO_BITS,
  META_MSS_LO_LSB,
  META_VALID,
  PLACE_ROUTED,
  PORT_BYTES_MOVED,
  PORT_FRAMES,
  PORT_MAX_BYTES,
  RECEIVERS,
  RECEIVER_PORT,
  RECEIVER_TRUNK,
  RECORD_FRAME,
  RECORD_MSS_LSB,
  RING_BYTES_MOVED,
  RING_DEPTH,
  RING_DESCRIPTORS,
  RING_TAIL,
  SENDER_ADDRESS,
  SENDER_COMPLETES_ALL,
  SENDER_KEY,
  SENDER_L3L4_BYTES,
  SENDER_MAC_HI,
  SENDER_MAC_LO,
  SENDER_MAX_DESCS,
  SENDER_MSS,
  SENDER_PORT,
  SENDER_RING,
  SENDER_SLOT,
  STOP_META,
  STOP_OTHER,
  STOP_OWNER,
  STOP_RECEIVER,
  STOP_RING,
  TX_COMP_REQ,
  TX_FIRST,
  TX_LAST,
  TX_META,
  TX_SHAPE,
  TX_TSO,
  UNKNOWN,
  USE_READ,
} from '../layout';
import { isOpen, ownerOf } from './burst';
import { findFlow, prolongBoth } from './flows';
import {
  destinationOf,
  fromMacHiOf,
  fromMacLoOf,
  portsOf,
  protocolTcp,
  readdressed,
  sourceOf,
  tcpFinRst,
  tcpSyn,
  tcpSynAck,
  toMacHiOf,
  toMacLoOf,
} from './frames';
import { bufferOf, copyShort, locate } from './memory';
import { copyPieces } from './pieces';
import { hashOf, mayReceive, ringOf, spend } from './receivers';
import { completeSent, requestIdOf } from './rings';
import { cut, payloadOf, plan, readLarge, wireFrames } from './segments';
import { roomIn, write } from './trunks';

/** What `takePacket` has read. */
let mss: i32 = 0;
let l3l4Bytes: i32 = 0;
let requestId: u32 = 0;
let wants: u32 = 0;
let length: i32 = 0;

/**
 * Reads the descriptors of a packet that is to be cut up, and notes its buffers; returns how many
 * descriptors there are, or 0: it is something else. Each word is read once.
 */
function takePacket(control: usize, sender: usize, ring: usize, first: u32, notes: usize): i32 {
  const descriptors = <usize>load<u32>(ring, RING_DESCRIPTORS);
  const depth = load<u32>(ring, RING_DEPTH);
  const tail = load<u32>(ring, RING_TAIL);
  const most = load<u32>(sender, SENDER_MAX_DESCS);
  let expected: u32 = TX_FIRST;
  let note = notes;
  mss = load<i32>(sender, SENDER_MSS);
  l3l4Bytes = load<i32>(sender, SENDER_L3L4_BYTES);
  wants = 0;
  length = 0;
  for (let index = first; index !== tail && index - first < most; index++) {
    const desc = descriptors + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
    const word0 = load<u32>(desc);
    const shape = (word0 & TX_SHAPE) ^ (<u32>((index & depth) === 0) << DESC_PHASE_LSB);
    if (index === first && shape === (TX_META | TX_FIRST)) {
      if ((word0 & META_VALID) !== 0) takeMeta(word0, load<u32>(desc, 8));
      expected = 0;
      continue;
    }
    if ((shape & ~<u32>TX_LAST) !== expected) return 0;
    expected = 0;
    if (note === notes) {
      const word1 = load<u32>(desc, 4);
      if ((word1 & TX_TSO) === 0) {
        if (index === first) return 0;
        keepMeta(sender);
        store<i32>(control, STOP_META, CONTROL_STOP);
        return 0;
      }
      requestId = requestIdOf(word0, word1);
    }
    const part = <i32>(word0 & 0xffff);
    const at = locate(sender, bufferOf(desc), part, USE_READ);
    if (at === 0) return 0;
    store<u32>(note, <u32>at, BUFFER_AT);
    store<i32>(note, part, BUFFER_LENGTH);
    note += BUFFER_BYTES;
    length += part;
    wants |= word0;
    if ((shape & TX_LAST) !== 0) return <i32>(index - first) + 1;
  }
  return 0;
}

@inline
function takeMeta(word0: u32, word2: u32): void {
  const high = (word0 >>> META_MSS_HI_LSB) & META_MSS_HI_MASK;
  mss = <i32>((high << META_MSS_LO_BITS) | (word2 >>> META_MSS_LO_LSB));
  l3l4Bytes = <i32>((word2 & META_L3_MASK) + (((word2 >>> META_L4_LSB) & META_L4_MASK) << 2));
}

/**
 * What was read of a meta descriptor holds for what comes behind it. Where its packet is not sent here,
 * the TypeScript path reads it once more.
 */
@inline
function keepMeta(sender: usize): void {
  store<i32>(sender, mss, SENDER_MSS);
  store<i32>(sender, l3l4Bytes, SENDER_L3L4_BYTES);
}

/**
 * Sends the packet at `first`, if it is to be cut up: how many descriptors it has, in the lowest 8
 * bits, and how many frames its turn has spent; 0: `control` says why not, and nothing has happened.
 */
export function sendLarge(control: usize, sender: usize, first: u32, now: f64): u32 {
  store<i32>(control, STOP_OTHER, CONTROL_STOP);
  const ring = <usize>load<u32>(sender, SENDER_RING);
  const head = <usize>load<u32>(control, CONTROL_HEAD);
  const room = <usize>load<u32>(control, CONTROL_LARGE);
  const pieces = room + LARGE_FROM;
  const notes = room + LARGE_TO;
  const count = takePacket(control, sender, ring, first, pieces);
  if (count === 0 || length > LARGE_BYTES) return 0;

  // The headers, in memory that no guest can change.
  const headBytes = min(length, HEAD_BYTES);
  copyPieces(head, pieces, 0, headBytes);
  const headers = readLarge(head, length, mss);
  if (headers === 0) return 0;
  const a = v128.load(head);
  const b = v128.load(head, 16);
  const c = v128.load(head, 32);
  if (fromMacHiOf(a) !== load<i32>(sender, SENDER_MAC_HI)) return 0;
  if (fromMacLoOf(a) !== load<i32>(sender, SENDER_MAC_LO)) return 0;
  const tcpFlags = <u32>(headers >>> 40);
  const headerBytes = payloadOf(head);
  const payload = length - headerBytes;
  const maxBytes = load<i32>(sender, PORT_MAX_BYTES);
  if (mss + l3l4Bytes + L2_BYTES > maxBytes || headerBytes + min(payload, mss) > maxBytes) return 0;
  const address = load<i32>(sender, SENDER_ADDRESS);
  if (address !== 0 && sourceOf(b) !== address) return 0;

  // Where to, and whether it may.
  if (!mayReceive(sender)) return 0;
  let flow: usize = 0;
  let key: u32 = 0;
  if (load<i32>(control, CONTROL_ROUTES) !== 0) {
    if ((tcpFlags & tcpSynAck) === tcpSyn || (tcpFlags & tcpFinRst) !== 0) return 0;
    const slot = load<i32>(sender, SENDER_SLOT);
    flow = findFlow(
      control,
      sourceOf(b),
      destinationOf(b, c),
      portsOf(c),
      toMacLoOf(a),
      toMacHiOf(a),
      (slot << 8) | protocolTcp,
    );
    if (flow === 0 || !isOpen(control, flow, slot, now)) return 0;
    key = load<u32>(flow, FLOW_TO);
  } else {
    const toMacHi = toMacHiOf(a);
    const toMacLo = toMacLoOf(a);
    const owner = ownerOf(control, toMacHi, toMacLo);
    if (owner < 0) {
      store<i32>(control, toMacHi, CONTROL_KEY);
      store<i32>(control, toMacLo, CONTROL_MAC_LO);
      store<i32>(control, STOP_OWNER, CONTROL_STOP);
      return 0;
    }
    key = <u32>owner;
    if (key === load<u32>(sender, SENDER_KEY)) return 0;
  }
  if (key >= <u32>RECEIVERS) return 0;
  const receivers = <usize>load<u32>(control, CONTROL_RECEIVERS);
  const receiver = <usize>load<u32>(receivers + (<usize>key << 2));
  if (receiver === UNKNOWN) {
    store<u32>(control, key, CONTROL_KEY);
    store<i32>(control, STOP_RECEIVER, CONTROL_STOP);
    return 0;
  }
  if (receiver === APART || !mayReceive(receiver)) return 0;
  const trunk = <usize>load<u32>(receiver, RECEIVER_TRUNK);
  let hash = 0;
  let into: usize = 0;
  let buffers = 0;
  let record: usize = 0;
  if (trunk !== 0) {
    if (length > load<i32>(receiver, PORT_MAX_BYTES)) return 0;
    record = roomIn(trunk, length);
    if (record === 0) return 0;
  } else {
    hash = hashOf(receiver, b, c, protocolTcp);
    into = ringOf(control, receiver, key, hash);
    if (into <= <usize>APART) {
      if (into === UNKNOWN) store<i32>(control, STOP_RING, CONTROL_STOP);
      return 0;
    }
    buffers = plan(receiver, into, head, length, mss, notes);
    if (buffers === 0) return 0;
  }

  // Nothing is in the way: from here on the packet is sent.
  if (flow !== 0) {
    prolongBoth(control, flow, now);
    if (trunk === 0 && (load<i32>(flow, FLOW_PLACE) & PLACE_ROUTED) !== 0)
      v128.store(head, readdressed(a, receiver));
  }
  if (trunk === 0) cut(receiver, into, head, pieces, length, mss, notes, buffers, hash);
  else {
    // It crosses as it is: who reads the trunk cuts it up.
    const ends = load<u32>(receiver, RECEIVER_PORT) | (load<u32>(sender, SENDER_PORT) << 16);
    write(trunk, record, length, headBytes, mss << RECORD_MSS_LSB, ends);
    copyShort(record + RECORD_FRAME, head, headBytes);
    copyPieces(record + RECORD_FRAME + headBytes, pieces, headBytes, length - headBytes);
  }
  keepMeta(sender);
  if (load<i32>(sender, SENDER_COMPLETES_ALL) !== 0 || (wants & TX_COMP_REQ) !== 0)
    completeSent(ring, requestId, first + count);
  account(sender, ring, payload, headerBytes);
  return <u32>count | (<u32>((length + mss - 1) / mss) << 8);
}

/** The sender's device counts a packet, all others the frames that the wire sees of it. */
@inline
function account(sender: usize, ring: usize, payload: i32, headerBytes: i32): void {
  const frames = wireFrames(payload, mss);
  const bytes = length + (frames - 1) * headerBytes;
  spend(sender, bytes, frames);
  // The run counts one for each packet.
  store<i32>(sender, load<i32>(sender, PORT_FRAMES) + frames - 1, PORT_FRAMES);
  store<f64>(sender, load<f64>(sender, PORT_BYTES_MOVED) + <f64>bytes, PORT_BYTES_MOVED);
  store<f64>(ring, load<f64>(ring, RING_BYTES_MOVED) + <f64>length, RING_BYTES_MOVED);
}
