/**
 * What the next frames need, fetched from memory all at once: one after the other each would be waited
 * for, which takes longer than all else. Nothing is decided by it.
 */
import {
  CONNECTION_BYTES,
  CONTROL_SEEN,
  CONTROL_TRACKER,
  DESCRIPTOR_LOG,
  FLOW_RECORD_BYTES,
  FLOW_SLOT_A,
  FLOW_SLOT_B,
  SENDER_SLOT,
  TOUCHED,
  USE_READ,
} from '../layout';
import { findBy, hashOfFlow, setOf } from './flows';
import { destinationOf, portsOf, protocolOf, sourceOf, toMacHiOf, toMacLoOf } from './frames';
import { bufferOf, locate } from './memory';

/** What a flow is known by lies in these. */
const keyBytes: i32 = 48;

/** The first bytes of frames, which another core has written. */
export function touch(
  control: usize,
  sender: usize,
  descriptors: usize,
  first: u32,
  tail: u32,
  depth: u32,
): void {
  let seen: u32 = 0;
  for (let i: u32 = 0; i < <u32>TOUCHED && <i32>(tail - first - i) > 0; i++) {
    const desc = descriptors + (<usize>((first + i) & (depth - 1)) << DESCRIPTOR_LOG);
    const iova = bufferOf(desc);
    const at = locate(sender, iova, 4, USE_READ);
    if (at !== 0) seen ^= load<u32>(at);
  }
  store<u32>(control, seen, CONTROL_SEEN);
}

/**
 * Flows and their connections: first what is at the start of all sets, then what is found in them. That
 * is a guess, for the guest can still change its frames: whoever uses it compares. `notes`: a word for
 * each frame.
 */
export function foresee(
  control: usize,
  sender: usize,
  descriptors: usize,
  first: u32,
  tail: u32,
  depth: u32,
  notes: usize,
): void {
  const tracker = <usize>load<u32>(control, CONTROL_TRACKER);
  const slot = load<i32>(sender, SENDER_SLOT) << 8;
  for (let i: u32 = 0; i < <u32>TOUCHED; i++) {
    const at = headersAt(sender, descriptors, first + i, tail, depth);
    let hash: u32 = 0;
    if (at !== 0) {
      const a = v128.load(at);
      const b = v128.load(at, 16);
      const c = v128.load(at, 32);
      const from = slot | protocolOf(b);
      hash = hashOfFlow(
        control,
        sourceOf(b),
        destinationOf(b, c),
        portsOf(c),
        toMacLoOf(a),
        toMacHiOf(a),
        from,
      );
    }
    store<u32>(notes + (<usize>i << 2), hash);
  }
  // Nothing but loads, so that as many as can be are under way together.
  let seen: u32 = 0;
  for (let i: u32 = 0; i < <u32>TOUCHED; i++) {
    const set = setOf(control, load<u32>(notes + (<usize>i << 2)));
    seen ^= load<u32>(set) ^ load<u32>(set, FLOW_RECORD_BYTES);
  }
  for (let i: u32 = 0; i < <u32>TOUCHED; i++) {
    const note = notes + (<usize>i << 2);
    const hash = load<u32>(note);
    // Nothing but a record may be left in a note.
    store<u32>(note, 0);
    const at = headersAt(sender, descriptors, first + i, tail, depth);
    if (at === 0) continue;
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const from = slot | protocolOf(b);
    const flow = findBy(
      control,
      hash,
      sourceOf(b),
      destinationOf(b, c),
      portsOf(c),
      toMacLoOf(a),
      toMacHiOf(a),
      from,
    );
    store<u32>(note, <u32>flow);
    if (flow === 0) continue;
    const slotA = load<i32>(flow, FLOW_SLOT_A);
    const slotB = load<i32>(flow, FLOW_SLOT_B);
    if (slotA >= 0) seen ^= load<u32>(tracker + <usize>slotA * CONNECTION_BYTES);
    if (slotB >= 0) seen ^= load<u32>(tracker + <usize>slotB * CONNECTION_BYTES);
  }
  store<u32>(control, seen, CONTROL_SEEN);
}

/** Where the headers of the packet lie that a descriptor may be; 0: nowhere. */
@inline
function headersAt(
  sender: usize,
  descriptors: usize,
  index: u32,
  tail: u32,
  depth: u32,
): usize {
  if (<i32>(tail - index) <= 0) return 0;
  const desc = descriptors + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
  const iova = bufferOf(desc);
  return locate(sender, iova, keyBytes, USE_READ);
}
