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
  NOTES_FLOWS,
  NOTES_PLACES,
  SENDER_SLOT,
  TOUCHED,
  USE_READ,
} from '../layout';
import { guess, hashOfFlow, setOf } from './flows';
import {
  destinationAt,
  keyBytes,
  portsAt,
  protocolAt,
  sourceAt,
  toMacHiAt,
  toMacLoAt,
} from './frames';
import { bufferOf, locate } from './memory';

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
 * is a guess, by two words of the key, and the guest can still change its frames: whoever uses it
 * compares. `notes`: a word for each frame, then another one.
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
    const note = notes + (<usize>i << 2);
    const at = headersAt(sender, descriptors, first + i, tail, depth);
    store<u32>(note, <u32>at, NOTES_PLACES - NOTES_FLOWS);
    const hash =
      at === 0
        ? 0
        : hashOfFlow(
            control,
            sourceAt(at),
            destinationAt(at),
            portsAt(at),
            toMacLoAt(at),
            toMacHiAt(at),
            slot | <i32>protocolAt(at),
          );
    store<u32>(note, hash);
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
    const at = <usize>load<u32>(note, NOTES_PLACES - NOTES_FLOWS);
    // Nothing but a record may be left in a note.
    const flow = at === 0 ? <usize>0 : guess(control, hash, sourceAt(at), portsAt(at));
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
