/** Packets in several buffers. */
import {
  BUFFER_AT,
  BUFFER_BYTES,
  BUFFER_LENGTH,
  DESC_PHASE_LSB,
  DESCRIPTOR_LOG,
  PACKET_LENGTH,
  PACKET_WANTS,
  SENDER_MAX_PIECES,
  TX_LAST,
  TX_SHAPE,
  USE_READ,
} from '../layout';
import { bufferOf, copy, fold, locate, sum } from './memory';

/**
 * Notes the buffers of a packet that is more than its first descriptor: how many there are in all, or
 * 0: it is not for this path. Beside the first note: the packet's length, and what its words 0 ask for.
 */
export function takeRest(
  sender: usize,
  descriptors: usize,
  depth: u32,
  first: u32,
  tail: u32,
  notes: usize,
): i32 {
  const most = load<i32>(sender, SENDER_MAX_PIECES);
  let length = load<i32>(notes, BUFFER_LENGTH);
  let wants: u32 = load<u32>(descriptors + (<usize>(first & (depth - 1)) << DESCRIPTOR_LOG));
  let note = notes + BUFFER_BYTES;
  for (let count = 2; count <= most; count++, note += BUFFER_BYTES) {
    const index = first + count - 1;
    if (index === tail) return 0;
    const desc = descriptors + (<usize>(index & (depth - 1)) << DESCRIPTOR_LOG);
    const word0 = load<u32>(desc);
    const shape = (word0 & TX_SHAPE) ^ (<u32>((index & depth) === 0) << DESC_PHASE_LSB);
    if ((shape & ~<u32>TX_LAST) !== 0) return 0;
    const part = <i32>(word0 & 0xffff);
    const iova = bufferOf(desc);
    const at = locate(sender, iova, part, USE_READ);
    if (at === 0) return 0;
    store<u32>(note, <u32>at, BUFFER_AT);
    store<i32>(note, part, BUFFER_LENGTH);
    length += part;
    wants |= word0;
    if ((shape & TX_LAST) === 0) continue;
    store<i32>(notes, length, PACKET_LENGTH);
    store<u32>(notes, wants, PACKET_WANTS);
    return count;
  }
  return 0;
}

/** Copies bytes of a packet that lies at `from`, or where the notes at `pieces` say. */
@inline
export function copyRest(to: usize, from: usize, pieces: usize, start: i32, length: i32): void {
  if (pieces === 0) copy(to, from + start, length);
  else copyPieces(to, pieces, start, length);
}

/** Copies bytes of a packet in several buffers, `start` .. `start + length` of it. */
export function copyPieces(to: usize, notes: usize, start: i32, length: i32): void {
  let note = notes;
  let skip = start;
  let left = length;
  let at = to;
  for (; left > 0; note += BUFFER_BYTES) {
    const have = load<i32>(note, BUFFER_LENGTH) - skip;
    if (have <= 0) {
      skip = -have;
      continue;
    }
    const part = min(have, left);
    copy(at, <usize>load<u32>(note, BUFFER_AT) + skip, part);
    at += part;
    left -= part;
    skip = 0;
  }
}

/** Their sum, as of bytes that begin at an even place. */
export function sumPieces(notes: usize, start: i32, length: i32): u32 {
  let note = notes;
  let skip = start;
  let left = length;
  let total: u64 = 0;
  let isOdd = false;
  for (; left > 0; note += BUFFER_BYTES) {
    const have = load<i32>(note, BUFFER_LENGTH) - skip;
    if (have <= 0) {
      skip = -have;
      continue;
    }
    const part = min(have, left);
    const one = sum(<usize>load<u32>(note, BUFFER_AT) + skip, part);
    total += <u64>(isOdd ? <u32>bswap<u16>(<u16>one) : one);
    if ((part & 1) !== 0) isOdd = !isOdd;
    left -= part;
    skip = 0;
  }
  return fold(total);
}
