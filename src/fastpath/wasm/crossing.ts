/**
 * A burst of plain frames that another thread has sent: out of a trunk's ring into their receivers'
 * buffers, after what is judged at the receiver's side. Nobody but this thread reads the records, and
 * no guest can write them.
 */
import {
  APART,
  BUFFER_AT,
  BUFFER_LENGTH,
  CONTROL_HEAD,
  CONTROL_KEY,
  CONTROL_LARGE,
  CONTROL_RECEIVERS,
  CONTROL_ROUTES,
  CONTROL_SENDERS,
  CONTROL_STOP,
  CONTROL_TRACKER,
  FACT_L3_RIGHT,
  FACT_L3_WRONG,
  FACT_L4_RIGHT,
  FACT_L4_WRONG,
  FLOW_PLACE,
  FLOW_SLOT_B,
  FLOW_TO,
  LARGE_FROM,
  LARGE_TO,
  NOTES_TO,
  PLACE_ROUTED,
  PORT_MAX_BYTES,
  RECEIVER_PORT,
  RECEIVER_TRUNK,
  RECEIVERS,
  RECORD_ENDS,
  RECORD_FACTS,
  RECORD_FRAME,
  RECORD_KIND,
  RECORD_LENGTH_BITS,
  RECORD_LENGTHS,
  RECORD_MSS_LSB,
  RECORD_RESTART,
  RECORD_TO_PORT,
  REMOTE_BYTES,
  REMOTE_KNOWN,
  REMOTE_MAC_HI,
  REMOTE_MAC_LO,
  REMOTE_SLOT,
  RX_IPV4,
  RX_L3_ERROR,
  RX_L4_CHECKED,
  RX_L4_ERROR,
  RX_TCP,
  RX_UDP,
  STOP_DONE,
  STOP_OTHER,
  STOP_RECEIVER,
  STOP_RING,
  STOP_SENDER,
  TRUNK_HEAD,
  TRUNK_SIZE,
  TRUNK_TAIL,
  UNKNOWN,
} from '../layout';
import { isOpen } from './burst';
import { findFlow, prolong } from './flows';
import {
  checkL4,
  destinationOf,
  ethernetBytes,
  fromMacHiOf,
  fromMacLoOf,
  headerSum,
  ipv4Bytes,
  portsOf,
  protocolTcp,
  readdressed,
  readHeaders,
  sourceOf,
  tcpFinRst,
  tcpSyn,
  tcpSynAck,
  toMacHiOf,
  toMacLoOf,
} from './frames';
import { mayReceive, hashOf, ringOf, takeBuffers, fill, account, spend } from './receivers';
import { cut, plan, readLarge } from './segments';
import { recordAt, unitsOf } from './trunks';

const factsOfSums: u32 = 15;
const factsOfMss: u32 = 0xffff << RECORD_MSS_LSB;

/** Takes `most` frames at most; returns how many. `control` then says why it ended. */
export function receive(control: usize, trunk: usize, most: i32, now: f64): i32 {
  const head = <usize>load<u32>(control, CONTROL_HEAD);
  const notes = head + NOTES_TO;
  const large = <usize>load<u32>(control, CONTROL_LARGE);
  const routes = load<i32>(control, CONTROL_ROUTES) !== 0;
  const receivers = <usize>load<u32>(control, CONTROL_RECEIVERS);
  const senders = <usize>load<u32>(control, CONTROL_SENDERS);
  const size = load<u32>(trunk, TRUNK_SIZE);
  const tail = load<u32>(trunk, TRUNK_TAIL);
  let at = load<u32>(trunk, TRUNK_HEAD);
  let count = 0;
  let stop = STOP_DONE;
  for (; at !== tail && count < most; count++) {
    stop = STOP_OTHER;
    let record = recordAt(trunk, at);
    if (load<u32>(record, RECORD_LENGTHS) === RECORD_RESTART) {
      at += size - (at & (size - 1));
      record = recordAt(trunk, at);
    }
    const lengths = load<u32>(record, RECORD_LENGTHS);
    const length = <i32>(lengths & ((1 << RECORD_LENGTH_BITS) - 1));
    const units = unitsOf(length);
    if (units > tail - at || units > size - (at & (size - 1))) break;
    if (length < ethernetBytes + ipv4Bytes || load<u32>(record, RECORD_KIND) !== RECORD_TO_PORT) break;
    const facts = load<u32>(record, RECORD_FACTS);
    if ((facts & ~(factsOfSums | factsOfMss)) !== 0) break;
    const mss = <i32>(facts >>> RECORD_MSS_LSB);
    const ends = load<u32>(record, RECORD_ENDS);
    const to = ends & 0xffff;
    const port = ends >>> 16;
    const frame = record + RECORD_FRAME;

    let a = v128.load(frame);
    const b = v128.load(frame, 16);
    const c = v128.load(frame, 32);
    const d = v128.load(frame, 48);
    const headers = mss === 0 ? readHeaders(a, b, c, length) : readLarge(frame, length, mss);
    if (headers === 0) break;
    const end = <i32>headers;
    const protocol = <i32>((headers >>> 32) & 0xff);
    const tcpFlags = <u32>(headers >>> 40);
    const isTcp = protocol === protocolTcp;

    // From whom: the MAC is its own, or there is something to be learned.
    if (port >= <u32>RECEIVERS) break;
    const sender = senders + <usize>port * REMOTE_BYTES;
    if (load<i32>(sender, REMOTE_KNOWN) === 0) {
      store<u32>(control, port, CONTROL_KEY);
      stop = STOP_SENDER;
      break;
    }
    if (fromMacHiOf(a) !== load<i32>(sender, REMOTE_MAC_HI)) break;
    if (fromMacLoOf(a) !== load<i32>(sender, REMOTE_MAC_LO)) break;

    // Where to, and whether it may.
    let flow: usize = 0;
    let key = to;
    if (routes) {
      if ((tcpFlags & tcpSynAck) === tcpSyn || (tcpFlags & tcpFinRst) !== 0) break;
      const slot = load<i32>(sender, REMOTE_SLOT);
      flow = findFlow(
        control,
        sourceOf(b),
        destinationOf(b, c),
        portsOf(c),
        toMacLoOf(a),
        toMacHiOf(a),
        (slot << 8) | protocol,
      );
      if (flow === 0 || !isOpen(control, flow, slot, now)) break;
      key = load<u32>(flow, FLOW_TO);
    }
    if (key >= <u32>RECEIVERS) break;
    const receiver = <usize>load<u32>(receivers + (<usize>key << 2));
    if (receiver === UNKNOWN) {
      store<u32>(control, key, CONTROL_KEY);
      stop = STOP_RECEIVER;
      break;
    }
    if (receiver === APART || load<u32>(receiver, RECEIVER_TRUNK) !== 0) break;
    if (load<u32>(receiver, RECEIVER_PORT) !== to) break;
    if (mss === 0 && length > load<i32>(receiver, PORT_MAX_BYTES)) break;
    if (!mayReceive(receiver)) break;
    const hash = hashOf(receiver, b, c, protocol);
    const into = ringOf(control, receiver, key, hash);
    if (into <= <usize>APART) {
      if (into === UNKNOWN) stop = STOP_RING;
      break;
    }
    const buffers =
      mss === 0
        ? takeBuffers(receiver, into, notes, length)
        : plan(receiver, into, frame, length, mss, large + LARGE_TO);
    if (buffers === 0) break;

    // Nothing is in the way: from here on the frame is received.
    if (routes) {
      const slotB = load<i32>(flow, FLOW_SLOT_B);
      if (slotB >= 0) prolong(<usize>load<u32>(control, CONTROL_TRACKER), slotB, now);
      if ((load<i32>(flow, FLOW_PLACE) & PLACE_ROUTED) !== 0) a = readdressed(a, receiver);
    }
    at += units;
    stop = STOP_DONE;
    if (mss !== 0) {
      store<u32>(large, <u32>frame, LARGE_FROM + BUFFER_AT);
      store<i32>(large, length, LARGE_FROM + BUFFER_LENGTH);
      v128.store(frame, a);
      cut(receiver, into, frame, large + LARGE_FROM, length, mss, large + LARGE_TO, buffers, hash);
      continue;
    }
    let status: u32 = RX_IPV4 | (isTcp ? RX_TCP : RX_UDP);
    if ((facts & FACT_L3_RIGHT) === 0)
      if ((facts & FACT_L3_WRONG) !== 0 || headerSum(a, b, c) !== 0xffff)
        status |= RX_L3_ERROR;
    if ((facts & FACT_L4_RIGHT) !== 0) status |= RX_L4_CHECKED;
    else if ((facts & FACT_L4_WRONG) !== 0) status |= RX_L4_CHECKED | RX_L4_ERROR;
    else status |= checkL4(b, c, d, frame, 0, end, protocol);
    fill(into, head, frame, 0, length, buffers, status, hash, notes, a, b, c, d);
    spend(receiver, length, 1);
    account(receiver, into, length, 1);
  }
  store<u32>(trunk, at, TRUNK_HEAD);
  store<i32>(control, stop, CONTROL_STOP);
  return count;
}
