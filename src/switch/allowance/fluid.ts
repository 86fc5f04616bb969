/**
 * Constant rates through a gate's meters, in closed form: from one change to the next (a bucket runs
 * dry, is full, a queue is full) everything is a straight line. The meters are those that frames pay
 * at, so frames and rates may follow each other.
 */
import type { Gate } from './gate.ts';
import type { Meter } from './meter.ts';

/** What is offered, the same all the time. */
export type Traffic = {
  readonly bytesPerNs: number;
  readonly bytesPerPacket: number;
  /** Meters beside the gate's, with the part of the bytes that each sees. */
  readonly more?: readonly { readonly meter: Meter; readonly share: number }[];
};

/** A time in which nothing changes. */
export type Stretch = {
  readonly ns: number;
  /** What is taken of what is offered: 1, or less when the rest is dropped. */
  readonly taken: number;
  /** Whether it waits. */
  readonly waits: boolean;
  /** The meter that everything waits for; null: none. */
  readonly limit: Meter | null;
};

/** Lives through `ns` of traffic; tells each stretch of it. */
export function flowThrough(
  gate: Gate,
  traffic: Traffic,
  ns: number,
  tell: (stretch: Stretch) => void,
): void {
  gate.write();
  const { more = [] } = traffic;
  const own = gate.packets === null ? gate.bytes : [...gate.bytes, gate.packets];
  const meters = [...own, ...more.map(({ meter }) => meter)];
  const unit = (meter: Meter): number =>
    meter === gate.packets
      ? 1 / traffic.bytesPerPacket
      : (more.find((one) => one.meter === meter)?.share ?? 1);
  for (let left = ns; left > 0; ) {
    const limit = tightest(meters, unit, traffic.bytesPerNs);
    const pace = limit === null ? traffic.bytesPerNs : limit.perNs / unit(limit);
    const next = meters.map((meter) => meter.nextChange(pace * unit(meter)));
    const step = Math.min(left, ...next);
    const waiting = meters.find((meter) => !meter.isOpen && pace * unit(meter) >= meter.perNs);
    const slow = waiting ?? meters.find((meter) => !meter.isOpen) ?? null;
    for (const [i, meter] of meters.entries())
      meter.flow(pace * unit(meter), next[i] === step ? (next[i] as number) : step);
    left -= step;
    const taken = traffic.bytesPerNs === 0 ? 1 : pace / traffic.bytesPerNs;
    if (step > 0) tell({ ns: step, taken, waits: slow !== null, limit: limit ?? slow });
  }
}

/** The full queue whose meter lets the least through; null: none is full, or all keep up. */
function tightest(
  meters: readonly Meter[],
  unit: (meter: Meter) => number,
  bytesPerNs: number,
): Meter | null {
  let found: Meter | null = null;
  let pace = bytesPerNs;
  for (const meter of meters) {
    const own = meter.perNs / unit(meter);
    if (!meter.isShut || own >= pace) continue;
    found = meter;
    pace = own;
  }
  return found;
}
