/** Completions, in groups that their first entry publishes: as `CompletionQueue` writes them. */
import {
  DESC_PHASE_LSB,
  GROUP_ENTRIES,
  RING_COMPLETION_DEPTH,
  RING_COMPLETION_LOG,
  RING_COMPLETIONS,
  RING_GROUP,
  RING_GROUP_WORD,
  RING_INDEX,
  RING_PUSHED,
  RING_STAMP,
  RING_WRITTEN,
  TX_REQ_ID_HI_LSB,
  TX_REQ_ID_LO_LSB,
} from '../layout';

/** Where the next entry stands. */
@inline
export function nextEntry(ring: usize): usize {
  const index = load<u32>(ring, RING_WRITTEN) & (load<u32>(ring, RING_COMPLETION_DEPTH) - 1);
  const log = load<u32>(ring, RING_COMPLETION_LOG);
  const entry = <usize>load<u32>(ring, RING_COMPLETIONS) + (<usize>index << <usize>log);
  const stamp = <usize>load<u32>(ring, RING_STAMP);
  if (stamp !== 0) store<u64>(entry + stamp, 0);
  return entry;
}

/** Ends the entry that `nextEntry` gave: its word 0, which the first of a group keeps back. */
@inline
export function push(ring: usize, entry: usize, word0: u32): void {
  const written = load<u32>(ring, RING_WRITTEN);
  const phase = <u32>((written & load<u32>(ring, RING_COMPLETION_DEPTH)) === 0);
  const word = word0 | (phase << DESC_PHASE_LSB);
  const group = load<i32>(ring, RING_GROUP) + 1;
  if (group === 1) store<u32>(ring, word, RING_GROUP_WORD);
  else store<u32>(entry, word);
  store<i32>(ring, group, RING_GROUP);
  store<u32>(ring, written + 1, RING_WRITTEN);
  store<i32>(ring, load<i32>(ring, RING_PUSHED) + 1, RING_PUSHED);
  if (group === GROUP_ENTRIES) publish(ring);
}

/** Completes a packet that was sent; `head`: how far its ring has come. */
@inline
export function completeSent(ring: usize, requestId: u32, head: u32): void {
  const entry = nextEntry(ring);
  store<u32>(entry, load<u32>(ring, RING_INDEX) | (head << 16), 4);
  push(ring, entry, requestId);
}

/** The number that a packet's first descriptor gives it. */
@inline
export function requestIdOf(word0: u32, word1: u32): u32 {
  return (((word0 >>> TX_REQ_ID_HI_LSB) & 0x3f) << 10) | (word1 >>> TX_REQ_ID_LO_LSB);
}

/** Lets the driver see what was pushed. */
export function publish(ring: usize): void {
  const group = load<u32>(ring, RING_GROUP);
  if (group === 0) return;
  const first =
    (load<u32>(ring, RING_WRITTEN) - group) & (load<u32>(ring, RING_COMPLETION_DEPTH) - 1);
  const log = load<u32>(ring, RING_COMPLETION_LOG);
  const entry = <usize>load<u32>(ring, RING_COMPLETIONS) + (<usize>first << <usize>log);
  store<u32>(ring, 0, RING_GROUP);
  atomic.store<u32>(entry, load<u32>(ring, RING_GROUP_WORD));
}
