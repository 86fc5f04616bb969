/** Flows that were decided, and the connections that they belong to: as `FlowTable` and `Tracker` have them. */
import {
  CONTROL_EPOCH,
  CONTROL_FLOW_SEEDS,
  CONTROL_FLOW_SHIFT,
  CONTROL_FLOWS,
  CONTROL_TRACKER,
  FLOW_DESTINATION,
  FLOW_DST_MAC_HI,
  FLOW_DST_MAC_LO,
  FLOW_EPOCH,
  FLOW_FROM,
  FLOW_PORTS,
  FLOW_RECORD_BYTES,
  FLOW_SECOND,
  FLOW_SLOT_A,
  FLOW_SLOT_B,
  FLOW_SOURCE,
  FLOW_WAYS,
  CONNECTION_BYTES,
  CONNECTION_END,
  CONNECTION_GENERATION,
  CONNECTION_IDLE,
  CONNECTION_LAST_OUTWARD,
  CONNECTION_SETTLED,
  CONNECTION_STATE,
} from '../layout';

/** What leads to the sets of a flow. */
@inline
export function hashOfFlow(
  control: usize,
  source: i32,
  destination: i32,
  ports: i32,
  macLo: i32,
  macHi: i32,
  from: i32,
): u32 {
  let h: u32 =
    source * load<i32>(control, CONTROL_FLOW_SEEDS) +
    destination * load<i32>(control, CONTROL_FLOW_SEEDS + 4) +
    ports * load<i32>(control, CONTROL_FLOW_SEEDS + 8) +
    macLo * load<i32>(control, CONTROL_FLOW_SEEDS + 12) +
    macHi * load<i32>(control, CONTROL_FLOW_SEEDS + 16) +
    from * load<i32>(control, CONTROL_FLOW_SEEDS + 20);
  h ^= h >>> 16;
  h *= 0x85ebca6b;
  h ^= h >>> 13;
  h *= 0xc2b2ae35;
  return h ^ (h >>> 16);
}

/** Where the set begins that a hash leads to. */
@inline
export function setOf(control: usize, hash: u32): usize {
  const set = <usize>(hash >>> load<u32>(control, CONTROL_FLOW_SHIFT));
  return <usize>load<u32>(control, CONTROL_FLOWS) + set * (FLOW_WAYS * FLOW_RECORD_BYTES);
}

/** The record of a flow that was decided in this epoch, or 0. */
export function findFlow(
  control: usize,
  source: i32,
  destination: i32,
  ports: i32,
  macLo: i32,
  macHi: i32,
  from: i32,
): usize {
  const hash = hashOfFlow(control, source, destination, ports, macLo, macHi, from);
  let at = findIn(setOf(control, hash), source, destination, ports, macLo, macHi, from);
  if (at === 0)
    at = findIn(setOf(control, hash * FLOW_SECOND), source, destination, ports, macLo, macHi, from);
  return at !== 0 && counts(control, at) ? at : 0;
}

/** Whether a record was decided in this epoch. */
@inline
export function counts(control: usize, flow: usize): bool {
  return load<i32>(flow, FLOW_EPOCH) === load<i32>(control, CONTROL_EPOCH);
}

/** A record that is probably a flow's, of whatever epoch; or 0. */
@inline
export function guess(control: usize, hash: u32, source: i32, ports: i32): usize {
  let at = guessIn(setOf(control, hash), source, ports);
  if (at === 0) at = guessIn(setOf(control, hash * FLOW_SECOND), source, ports);
  return at;
}

@inline
function guessIn(set: usize, source: i32, ports: i32): usize {
  let at = set;
  for (let i = 0; i < FLOW_WAYS; i++, at += FLOW_RECORD_BYTES)
    if (load<i32>(at, FLOW_PORTS) === ports && load<i32>(at, FLOW_SOURCE) === source) return at;
  return 0;
}

/** The record in one set, of whatever epoch; or 0. */
@inline
function findIn(
  set: usize,
  source: i32,
  destination: i32,
  ports: i32,
  macLo: i32,
  macHi: i32,
  from: i32,
): usize {
  let at = set;
  for (let i = 0; i < FLOW_WAYS; i++, at += FLOW_RECORD_BYTES)
    if (isOf(at, source, destination, ports, macLo, macHi, from)) return at;
  return 0;
}

/** Whether a record is that of a flow. */
@inline
export function isOf(
  at: usize,
  source: i32,
  destination: i32,
  ports: i32,
  macLo: i32,
  macHi: i32,
  from: i32,
): bool {
  return (
    load<i32>(at, FLOW_PORTS) === ports &&
    load<i32>(at, FLOW_SOURCE) === source &&
    load<i32>(at, FLOW_DESTINATION) === destination &&
    load<i32>(at, FLOW_FROM) === from &&
    load<i32>(at, FLOW_DST_MAC_LO) === macLo &&
    load<i32>(at, FLOW_DST_MAC_HI) === macHi
  );
}

/** Whether the next packet only prolongs a connection: alive, of that generation, nothing to learn. */
@inline
export function isSteady(tracker: usize, slot: i32, generation: i32, outward: bool, now: f64): bool {
  const at = tracker + <usize>slot * CONNECTION_BYTES;
  if (load<i32>(at, CONNECTION_GENERATION) !== generation) return false;
  if (!(load<f64>(at, CONNECTION_END) > now)) return false;
  const state = load<i32>(at, CONNECTION_STATE);
  return (
    (state & CONNECTION_SETTLED) !== 0 || ((state & CONNECTION_LAST_OUTWARD) !== 0) === outward
  );
}

@inline
export function prolong(tracker: usize, slot: i32, now: f64): void {
  const at = tracker + <usize>slot * CONNECTION_BYTES;
  store<f64>(at, now + load<f64>(at, CONNECTION_IDLE), CONNECTION_END);
}

/** Both ends of a flow's connection, where they are tracked. */
@inline
export function prolongBoth(control: usize, flow: usize, now: f64): void {
  const tracker = <usize>load<u32>(control, CONTROL_TRACKER);
  const slotA = load<i32>(flow, FLOW_SLOT_A);
  const slotB = load<i32>(flow, FLOW_SLOT_B);
  if (slotA >= 0) prolong(tracker, slotA, now);
  if (slotB >= 0) prolong(tracker, slotB, now);
}
