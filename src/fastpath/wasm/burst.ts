/**
 * A burst of plain frames from a sender's ring into its receivers' buffers: IPv4 with TCP or UDP, in a
 * few buffers, of flows whose way is known; and TCP that is to be cut up (`large.ts`). Whatever else a
 * frame is, the run ends before it and has done nothing about it: then the TypeScript path sends it.
 */
import {
  APART,
  BUFFER_AT,
  BUFFER_LENGTH,
  CONTROL_HEAD,
  CONTROL_KEY,
  CONTROL_MAC_LO,
  CONTROL_MARKS,
  CONTROL_OWNERS,
  CONTROL_OWNER_EPOCH,
  CONTROL_RECEIVERS,
  CONTROL_ROUTES,
  CONTROL_STOP,
  CONTROL_TRACKER,
  DESCRIPTOR_LOG,
  DESC_PHASE_LSB,
  FACT_L3_RIGHT,
  FACT_L4_RIGHT,
  FLOW_MARK_A,
  FLOW_MARK_B,
  FLOW_PLACE,
  FLOW_REASON,
  FLOW_SLOT_A,
  FLOW_SLOT_B,
  FLOW_TO,
  FRONT_BYTES,
  HEAD_BYTES,
  NOTES_FLOWS,
  NOTES_FROM,
  NOTES_TO,
  OWNERS,
  OWNER_BYTES,
  PACKET_LENGTH,
  PACKET_WANTS,
  PLACE_RECEIVER,
  PLACE_ROUTED,
  PORT_BYTES_LEFT,
  PORT_BYTES_MOVED,
  PORT_FRAMES,
  PORT_MAX_BYTES,
  PORT_PACKETS_LEFT,
  REASON_DELIVERED,
  RECEIVERS,
  RECEIVER_PORT,
  RECEIVER_TRUNK,
  RECORD_FRAME,
  RING_BYTES_MOVED,
  RING_DEPTH,
  RING_DESCRIPTORS,
  RING_FRAMES,
  RING_HEAD,
  RING_TAIL,
  RX_IPV4,
  RX_L3_ERROR,
  RX_L4_CHECKED,
  RX_TCP,
  RX_UDP,
  SENDER_ADDRESS,
  SENDER_COMPLETES_ALL,
  SENDER_KEY,
  SENDER_MAC_HI,
  SENDER_MAC_LO,
  SENDER_PORT,
  SENDER_RING,
  SENDER_SLOT,
  SIDE_NOT_ASKED,
  STOP_DONE,
  STOP_META,
  STOP_OTHER,
  STOP_OWNER,
  STOP_RECEIVER,
  STOP_RING,
  TOUCHED,
  TX_COMP_REQ,
  TX_FIRST,
  TX_L3_CSUM,
  TX_L4_CSUM,
  TX_L4_PARTIAL,
  TX_LAST,
  TX_SHAPE,
  TX_TSO,
  UNKNOWN,
  USE_READ,
} from '../layout';
import { counts, findFlow, isOf, isSteady, prolongBoth } from './flows';
import { foresee, touch } from './foresight';
import {
  checkL4,
  destinationOf,
  ethernetBytes,
  fromMacHiOf,
  fromMacLoOf,
  headerSum,
  ipv4Bytes,
  l4At,
  portsOf,
  protocolTcp,
  pseudo,
  putFront,
  readdressed,
  readHeaders,
  sourceOf,
  sumL4,
  tcpFinRst,
  tcpSyn,
  tcpSynAck,
  toMacHiOf,
  toMacLoOf,
  withHeaderSum,
} from './frames';
import { sendLarge } from './large';
import { bufferOf, copyShort, fold, locate } from './memory';
import { mayReceive, hashOf, ringOf, takeBuffers, fill, account, spend } from './receivers';
import { copyPieces, copyRest, takeRest } from './pieces';
import { completeSent, requestIdOf } from './rings';
import { roomIn, write } from './trunks';

/** Where a plain packet goes on whose meta descriptor was read. */
let behindMeta: u32 = 0;

/**
 * Sends `most` frames, and as many more as the last one is cut up into; returns how many. `control`
 * then says why it ended.
 */
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
  behindMeta = index - 1;
  let bytesLeft = load<f64>(sender, PORT_BYTES_LEFT);
  let packetsLeft = load<f64>(sender, PORT_PACKETS_LEFT);
  let moved: f64 = 0;
  let sent = 0;
  let limit = most;
  let stop = STOP_DONE;
  for (; index !== tail && sent < limit; sent++) {
    stop = STOP_OTHER;
    if ((sent & (TOUCHED - 1)) === 0) {
      if (sent === 0) touch(control, sender, descriptors, index, tail, depth);
      touch(control, sender, descriptors, index + TOUCHED, tail, depth);
      if (routes) foresee(control, sender, descriptors, index, tail, depth, head + NOTES_FLOWS);
    }

    // The descriptor, each word of which is read once.
    const desc = descriptors + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
    const word0 = load<u32>(desc);
    const word1 = load<u32>(desc, 4);
    const shape = (word0 & TX_SHAPE) ^ (<u32>((index & depth) === 0) << DESC_PHASE_LSB);
    if ((shape & ~<u32>TX_LAST) !== <u32>TX_FIRST || (word1 & TX_TSO) !== 0) {
      if (index !== behindMeta) {
        store<f64>(sender, bytesLeft, PORT_BYTES_LEFT);
        store<f64>(sender, packetsLeft, PORT_PACKETS_LEFT);
        const large = sendLarge(control, sender, index, now);
        bytesLeft = load<f64>(sender, PORT_BYTES_LEFT);
        packetsLeft = load<f64>(sender, PORT_PACKETS_LEFT);
        stop = load<i32>(control, CONTROL_STOP);
        if (stop === STOP_META) {
          behindMeta = ++index;
          sent--;
        } else {
          if (large === 0) break;
          index += large & 0xff;
          limit -= <i32>(large >>> 8) - 1;
        }
        stop = STOP_DONE;
        continue;
      }
      if ((shape & ~<u32>TX_LAST) !== 0 || (word1 & TX_TSO) !== 0) break;
    }
    let length = <i32>(word0 & 0xffff);
    const iova = bufferOf(desc);
    const from = locate(sender, iova, length, USE_READ);
    if (from === 0) break;
    let pieces: usize = 0;
    let count = 1;
    let wants = word0;
    if ((shape & TX_LAST) === 0) {
      pieces = head + NOTES_FROM;
      store<u32>(pieces, <u32>from, BUFFER_AT);
      store<i32>(pieces, length, BUFFER_LENGTH);
      count = takeRest(sender, descriptors, depth, index, tail, pieces);
      if (count === 0) break;
      length = load<i32>(pieces, PACKET_LENGTH);
      wants = load<u32>(pieces, PACKET_WANTS);
    }
    if (length < ethernetBytes + ipv4Bytes || length > maxBytes) break;

    // The front, read once: whatever the guest stores there now changes nothing.
    let front = from;
    if (length < FRONT_BYTES || pieces !== 0) {
      front = head;
      if (pieces === 0) copyShort(head, from, length);
      else copyPieces(head, pieces, 0, min(length, FRONT_BYTES));
    }
    let a = v128.load(front);
    let b = v128.load(front, 16);
    let c = v128.load(front, 32);
    let d = v128.load(front, 48);
    if (fromMacHiOf(a) !== macHi || fromMacLoOf(a) !== macLo) break;
    const headers = readHeaders(a, b, c, length);
    if (headers === 0) break;
    const end = <i32>headers;
    const protocol = <i32>((headers >>> 32) & 0xff);
    const tcpFlags = <u32>(headers >>> 40);
    const source = sourceOf(b);
    if (address !== 0 && source !== address) break;

    // Where to, and whether it may.
    if (!(bytesLeft > 0 && packetsLeft > 0)) break;
    const toMacHi = toMacHiOf(a);
    const toMacLo = toMacLoOf(a);
    let flow: usize = 0;
    let key: u32 = 0;
    if (routes) {
      if ((tcpFlags & tcpSynAck) === tcpSyn || (tcpFlags & tcpFinRst) !== 0) break;
      const destination = destinationOf(b, c);
      const ports = portsOf(c);
      const slot = load<i32>(sender, SENDER_SLOT);
      const who = (slot << 8) | protocol;
      flow = <usize>load<u32>(head + ((<usize>sent & (TOUCHED - 1)) << 2), NOTES_FLOWS);
      if (
        flow === 0 ||
        !counts(control, flow) ||
        !isOf(flow, source, destination, ports, toMacLo, toMacHi, who)
      )
        flow = findFlow(control, source, destination, ports, toMacLo, toMacHi, who);
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
    if (!mayReceive(receiver)) break;
    const trunk = <usize>load<u32>(receiver, RECEIVER_TRUNK);
    let hash = 0;
    let into: usize = 0;
    let buffers = 0;
    let record: usize = 0;
    if (trunk !== 0) {
      record = roomIn(trunk, length);
      if (record === 0) break;
    } else {
      hash = hashOf(receiver, b, c, protocol);
      into = ringOf(control, receiver, key, hash);
      if (into <= <usize>APART) {
        if (into === UNKNOWN) stop = STOP_RING;
        break;
      }
      buffers = takeBuffers(receiver, into, head + NOTES_TO, length);
      if (buffers === 0) break;
    }

    // Nothing is in the way: from here on the frame is sent.
    if (routes) {
      prolongBoth(control, flow, now);
      if (trunk === 0 && (load<i32>(flow, FLOW_PLACE) & PLACE_ROUTED) !== 0) a = readdressed(a, receiver);
    }
    let facts = 0;
    let status: u32 = RX_IPV4 | (protocol === protocolTcp ? RX_TCP : RX_UDP);
    if ((word1 & TX_L3_CSUM) !== 0) {
      b = withHeaderSum(a, b, c);
      facts = FACT_L3_RIGHT;
    } else if (trunk === 0 && headerSum(a, b, c) !== 0xffff) status |= RX_L3_ERROR;
    if ((word1 & TX_L4_CSUM) !== 0) {
      const isPartial = (word1 & TX_L4_PARTIAL) !== 0;
      const isTcp = protocol === protocolTcp;
      if (!isPartial) {
        if (isTcp) d = i16x8.replace_lane(d, 1, 0);
        else c = i16x8.replace_lane(c, 4, 0);
      }
      const seed = isPartial ? 0 : pseudo(b, c, protocol, end - l4At);
      const value = <i16>~fold(<u64>seed + <u64>sumL4(c, d, from, pieces, end));
      if (isTcp) d = i16x8.replace_lane(d, 1, value);
      else c = i16x8.replace_lane(c, 4, value === 0 ? -1 : value);
      status |= RX_L4_CHECKED;
      facts |= FACT_L4_RIGHT;
    } else if (trunk === 0) status |= checkL4(b, c, d, from, pieces, end, protocol);
    if (trunk === 0) {
      fill(into, head, from, pieces, length, buffers, status, hash, head + NOTES_TO, a, b, c, d);
      spend(receiver, length, 1);
      account(receiver, into, length, 1);
    } else {
      const ends = load<u32>(receiver, RECEIVER_PORT) | (load<u32>(sender, SENDER_PORT) << 16);
      write(trunk, record, length, min(length, HEAD_BYTES), facts, ends);
      const to = record + RECORD_FRAME;
      putFront(to, head, length, a, b, c, d);
      if (length > FRONT_BYTES)
        copyRest(to + FRONT_BYTES, from, pieces, FRONT_BYTES, length - FRONT_BYTES);
    }
    index += count;
    if (completesAll || (wants & TX_COMP_REQ) !== 0)
      completeSent(ring, requestIdOf(word0, word1), index);

    // What it cost.
    const bytes = <f64>length;
    bytesLeft -= bytes;
    packetsLeft -= 1;
    moved += bytes;
    stop = STOP_DONE;
  }
  // A packet that is not sent begins with its meta descriptor.
  if (index === behindMeta) index--;
  store<u32>(ring, index, RING_HEAD);
  store<f64>(sender, bytesLeft, PORT_BYTES_LEFT);
  store<f64>(sender, packetsLeft, PORT_PACKETS_LEFT);
  store<i32>(sender, load<i32>(sender, PORT_FRAMES) + sent, PORT_FRAMES);
  store<f64>(sender, load<f64>(sender, PORT_BYTES_MOVED) + moved, PORT_BYTES_MOVED);
  store<i32>(ring, load<i32>(ring, RING_FRAMES) + sent, RING_FRAMES);
  store<f64>(ring, load<f64>(ring, RING_BYTES_MOVED) + moved, RING_BYTES_MOVED);
  store<i32>(control, stop, CONTROL_STOP);
  return sent + most - limit;
}

/** Whether a flow's packets are delivered, and both its sides are as they were when that was decided. */
@inline
export function isOpen(control: usize, flow: usize, sender: i32, now: f64): bool {
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
export function ownerOf(control: usize, hi: i32, lo: i32): i32 {
  const place = <usize>(<u32>(lo ^ (hi * 0x9e37_79b1)) & (OWNERS - 1));
  const at = <usize>load<u32>(control, CONTROL_OWNERS) + place * OWNER_BYTES;
  if (load<i32>(at) !== hi || load<i32>(at, 4) !== lo) return -1;
  return load<i32>(at, 12) === load<i32>(control, CONTROL_OWNER_EPOCH) ? load<i32>(at, 8) : -1;
}
