/** The rings between threads, one direction each: as `RingWriter` and `RingReader` have them. */
import {
  RECORD_ENDS,
  RECORD_FACTS,
  RECORD_FRAME,
  RECORD_KIND,
  RECORD_LENGTH_BITS,
  RECORD_LENGTHS,
  RECORD_RESTART,
  RECORD_TO_PORT,
  RECORD_UNIT_LOG,
  TRUNK_HEAD,
  TRUNK_RECORDS,
  TRUNK_SIZE,
  TRUNK_TAIL,
} from '../layout';

@inline
export function unitsOf(length: i32): u32 {
  return <u32>(RECORD_FRAME + length + 15) >>> RECORD_UNIT_LOG;
}

/** Where the record at a place stands. */
@inline
export function recordAt(trunk: usize, place: u32): usize {
  const at = place & (load<u32>(trunk, TRUNK_SIZE) - 1);
  return <usize>load<u32>(trunk, TRUNK_RECORDS) + (<usize>at << RECORD_UNIT_LOG);
}

/** Where the next record goes, with room for so long a frame; or 0. */
@inline
export function roomIn(trunk: usize, length: i32): usize {
  const size = load<u32>(trunk, TRUNK_SIZE);
  const tail = load<u32>(trunk, TRUNK_TAIL);
  const used = tail - load<u32>(trunk, TRUNK_HEAD);
  const units = unitsOf(length);
  const untilEnd = size - (tail & (size - 1));
  if (units <= untilEnd) return used + units <= size ? recordAt(trunk, tail) : 0;
  return used + untilEnd + units <= size ? <usize>load<u32>(trunk, TRUNK_RECORDS) : 0;
}

/** Writes the record that `roomIn` found room for, all but the frame. */
@inline
export function write(
  trunk: usize,
  record: usize,
  length: i32,
  headBytes: i32,
  facts: i32,
  ends: u32,
): void {
  let tail = load<u32>(trunk, TRUNK_TAIL);
  const expected = recordAt(trunk, tail);
  if (record !== expected) {
    const size = load<u32>(trunk, TRUNK_SIZE);
    store<u32>(expected, RECORD_RESTART, RECORD_LENGTHS);
    tail += size - (tail & (size - 1));
  }
  store<u32>(record, <u32>length | (<u32>headBytes << RECORD_LENGTH_BITS), RECORD_LENGTHS);
  store<i32>(record, facts, RECORD_FACTS);
  store<u32>(record, ends, RECORD_ENDS);
  store<u32>(record, RECORD_TO_PORT, RECORD_KIND);
  store<u32>(trunk, tail + unitsOf(length), TRUNK_TAIL);
}
