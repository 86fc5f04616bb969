/**
 * What some ports may send and be sent together, as plain numbers: bandwidth each way with its
 * credits, packets both ways, one flow, the way out of the network. Each limit is a `Meter`; what
 * is absent is not limited.
 */

import { FlowMeters } from './flow-meters.ts';
import { Gate, Tab } from './gate.ts';
import { Meter, type MeterSpec } from './meter.ts';

/** In bits per second; credits in bits. */
export type Bandwidth = {
  /** All the time. */
  readonly baselineBps: number;
  /** While there are credits; not below the baseline. */
  readonly burstBps: number;
  /** Of a full bucket. */
  readonly creditBits: number;
};

export type AllowanceLimits = {
  readonly in?: Bandwidth;
  readonly out?: Bandwidth;
  /** Bits of credit for each bit of the baseline that was not used; 1 if absent. */
  readonly creditRefill?: number;
  /** Of one port, each way. */
  readonly portBps?: number;
  /** Of one flow, sent. */
  readonly flowBps?: number;
  /** The same for a flow that goes by ENA Express. */
  readonly expressFlowBps?: number;
  /** Of what leaves the network, and of what comes from outside. */
  readonly gatewayBps?: number;
  /** Both ways together. */
  readonly packetsPerSecond?: number;
  /** Connections that are tracked at most. */
  readonly connections?: number;
  /** Of one port, to the network's link-local services. */
  readonly linkLocalPps?: number;
  /** How long a frame may wait; 10 ms if absent. */
  readonly queueMs?: number;
};

/**
 * What may go at once is what a limit brings in this time, and no less than the largest frame: our
 * choice, long enough for timers that are late.
 */
const atOnceMs = 4;
const largestFrame = 9216 + 18;
const defaultQueueMs = 10;

export class Allowance {
  readonly limits: AllowanceLimits;
  readonly out: Gate;
  readonly in: Gate;
  /** What leaves the network, and what comes from outside; no packets: those count at `out`, `in`. */
  readonly gatewayOut: Gate;
  readonly gatewayIn: Gate;
  readonly flows: FlowMeters | null;
  /** Of all gates of these meters. */
  readonly tab = new Tab();

  /** Everything full at time `now`. `before`: whose credits and debts go on with other limits. */
  constructor(limits: AllowanceLimits, now: number, before: Allowance | null = null) {
    this.limits = limits;
    const { packetsPerSecond, gatewayBps, flowBps } = limits;
    const packets = packetsPerSecond === undefined ? null : this.#rate(packetsPerSecond, 1, now);
    this.out = new Gate(this.#bandwidth(limits.out, now), packets, this.tab);
    this.in = new Gate(this.#bandwidth(limits.in, now), packets, this.tab);
    const gateway = (): Meter[] => (gatewayBps === undefined ? [] : [this.#bits(gatewayBps, now)]);
    this.gatewayOut = new Gate(gateway(), null, this.tab);
    this.gatewayIn = new Gate(gateway(), null, this.tab);
    const fastest = limits.out?.burstBps ?? Infinity;
    const raised = flowBps === undefined ? 1 : (limits.expressFlowBps ?? flowBps) / flowBps;
    this.flows =
      flowBps === undefined || flowBps >= fastest
        ? null
        : new FlowMeters(this.#bits(flowBps, now), raised);
    if (before === null) return;
    before.tab.settle();
    for (const way of ['out', 'in', 'gatewayOut', 'gatewayIn'] as const)
      inherit(this[way], before[way], now);
  }

  /** One port's own share of the limits, each way. */
  portMeters(now: number): Meter[] {
    const { portBps, out } = this.limits;
    const fastest = out?.burstBps ?? Infinity;
    return portBps === undefined || portBps >= fastest ? [] : [this.#bits(portBps, now)];
  }

  /** The baseline with its credits, and the burst that these can be spent at. */
  #bandwidth(of: Bandwidth | undefined, now: number): Meter[] {
    if (of === undefined) return [];
    const { baselineBps, burstBps, creditBits } = of;
    const { creditRefill: refill = 1 } = this.limits;
    if (burstBps <= baselineBps) return [this.#bits(baselineBps, now)];
    const spec = { ...this.#spec(baselineBps / 8, largestFrame), credits: creditBits / 8, refill };
    return [new Meter(spec, now), this.#bits(burstBps, now)];
  }

  #bits(bitsPerSecond: number, now: number): Meter {
    return this.#rate(bitsPerSecond / 8, largestFrame, now);
  }

  #rate(perSecond: number, least: number, now: number): Meter {
    return new Meter(this.#spec(perSecond, least), now);
  }

  #spec(perSecond: number, least: number): MeterSpec {
    const { queueMs = defaultQueueMs } = this.limits;
    const atOnce = Math.max(least, (perSecond * atOnceMs) / 1000);
    return { perSecond, atOnce, patience: (perSecond * queueMs) / 1000 };
  }
}

function inherit(gate: Gate, before: Gate, now: number): void {
  for (const [i, meter] of gate.bytes.entries()) {
    const old = before.bytes[i];
    old?.refresh(now);
    if (old !== undefined) meter.inherit(old);
  }
  if (gate.packets === null || before.packets === null) return;
  before.packets.refresh(now);
  gate.packets.inherit(before.packets);
}
