/**
 * What traffic would have met at an instance's limits: which one first, what waited, what was lost,
 * how long the credits last. The meters are the switch's own (`switch/allowance`); packets pay at them one
 * by one, constant rates in closed form. Bytes are those of Ethernet frames.
 */
import { nsPerSecond } from '../../lib/clock.ts';
import { RateLimit } from '../../lib/rate-limit.ts';
import { fragment, type Headers } from '../../net/parse.ts';
import { Allowance, type AllowanceLimits } from '../../switch/allowance/allowance.ts';
import { noFlow } from '../../switch/allowance/flow-meters.ts';
import { flowThrough, type Traffic } from '../../switch/allowance/fluid.ts';
import { Gate, verdict } from '../../switch/allowance/gate.ts';
import { Meter } from '../../switch/allowance/meter.ts';
import type { LimitName } from '../allowance.ts';
import { Connections } from './connections.ts';
import { type Piece, Series } from './series.ts';

export type Way = 'in' | 'out';
export const ways: readonly Way[] = ['out', 'in'];

/** What became of packets because of one limit. */
export type Tally = {
  readonly limit: LimitName;
  queued: number;
  dropped: number;
  /** In ns; null: never. */
  firstQueued: number | null;
  firstDropped: number | null;
};

export type Packet = {
  readonly way: Way;
  /** Of the Ethernet frames that the wire sees. */
  readonly bytes: number;
  readonly packets: number;
  readonly headers: Headers;
  /** Through a gateway. */
  readonly leaves: boolean;
  /** To the network's link-local services. */
  readonly isLinkLocal: boolean;
};

/** A constant rate of frames. */
export type Steady = {
  readonly way: Way;
  readonly bitsPerSecond: number;
  readonly bytesPerPacket: number;
  /** Flows that share the rate. */
  readonly flows: number;
  readonly leaves: boolean;
};

export class WhatIf {
  readonly limits: AllowanceLimits;
  readonly series: { readonly [W in Way]: Series };
  readonly connections: Connections;
  /** The time of the last packet, or the end of the last rate. */
  now = 0;
  /** When credits first ran out, by direction. */
  readonly dryAt: { [W in Way]: number | null } = { in: null, out: null };
  readonly #allowance: Allowance;
  readonly #gates: { readonly [W in Way]: Gate };
  readonly #tallies = new Map<LimitName, Tally>();
  readonly #linkLocal: RateLimit | null;
  readonly #fragmentsPps: number;
  /** The second in which fragments are counted, and how many are left in it. */
  #fragmentsSince = 0;
  #fragmentsLeft: number;

  constructor(limits: AllowanceLimits, fragmentsPps: number | null, pieceNs = 1e6) {
    this.limits = limits;
    this.#allowance = new Allowance(limits, 0);
    const gate = ({ bytes, packets }: Gate): Gate =>
      new Gate([...bytes, ...this.#allowance.portMeters(0)], packets);
    this.#gates = { in: gate(this.#allowance.in), out: gate(this.#allowance.out) };
    this.series = { in: new Series(pieceNs), out: new Series(pieceNs) };
    this.connections = new Connections(limits.connections ?? Number.POSITIVE_INFINITY);
    const { linkLocalPps } = limits;
    this.#linkLocal = linkLocalPps === undefined ? null : new RateLimit(linkLocalPps, 0);
    this.#fragmentsPps = fragmentsPps ?? Number.POSITIVE_INFINITY;
    this.#fragmentsLeft = this.#fragmentsPps;
  }

  /** Those that were met, the first one first. */
  get tallies(): Tally[] {
    const first = (t: Tally): number =>
      Math.min(t.firstQueued ?? Infinity, t.firstDropped ?? Infinity);
    return [...this.#tallies.values()].sort((a, b) => first(a) - first(b));
  }

  /** Credits of a direction, in bits: of a full bucket, and what is left. */
  credits(way: Way): { readonly full: number; readonly left: number } {
    const [baseline] = this.#gates[way].bytes;
    return { full: 8 * (baseline?.spec.credits ?? 0), left: 8 * (baseline?.credits ?? 0) };
  }

  // Packet by packet.

  /** One packet, not before the one ahead of it. */
  packet(packet: Packet, ns: number): void {
    this.now = ns;
    const { way, bytes, packets } = packet;
    const piece = this.series[way].at(ns);
    piece.offeredBytes += bytes;
    piece.offeredPackets += packets;
    const refused = this.#refused(packet, ns);
    if (refused !== null) this.#tally(refused, ns, 0, packets);
    else if (this.#pays(packet, ns, piece)) {
      piece.passedBytes += bytes;
      piece.passedPackets += packets;
    }
    piece.credits = this.#fraction(way);
  }

  /** The limit that drops the packet without letting it wait; null: none. */
  #refused({ way, headers, isLinkLocal }: Packet, ns: number): LimitName | null {
    if (isLinkLocal) {
      const asks = way === 'out' && this.#linkLocal !== null;
      return asks && !this.#linkLocal.take(ns) ? 'linkLocalPps' : null;
    }
    if (way === 'out' && headers.fragment !== fragment.none && !this.#mayFragment(ns))
      return 'egressFragmentsPps';
    return this.connections.allows(headers, ns) ? null : 'conntrackEntries';
  }

  #mayFragment(ns: number): boolean {
    if (ns - this.#fragmentsSince >= nsPerSecond) {
      this.#fragmentsSince = ns;
      this.#fragmentsLeft = this.#fragmentsPps;
    }
    if (this.#fragmentsLeft <= 0) return false;
    this.#fragmentsLeft--;
    return true;
  }

  /** As the switch's shaper has it: what is sent, its flow, what leaves. */
  #pays({ way, bytes, packets, headers, leaves }: Packet, ns: number, piece: Piece): boolean {
    const gate = this.#gates[way];
    const found = gate.judge(ns);
    const gateway = leaves ? this.#allowance[way === 'out' ? 'gatewayOut' : 'gatewayIn'] : null;
    const meets = found !== verdict.now || (gateway !== null && gateway.judge(ns) !== verdict.now);
    const [shut] = meets ? this.#closed(way, gate, gateway, (meter) => meter.isShut) : [];
    if (shut !== undefined) return this.#lose(shut, ns, packets);
    const { flows } = this.#allowance;
    const flow = way === 'out' && flows !== null ? flows.find(headers, bytes, ns) : noFlow;
    if (flows !== null && flow !== noFlow && flows.isShut(flow))
      return this.#lose('singleFlowGbps', ns, packets);
    const waits = meets ? this.#closed(way, gate, gateway, (meter) => !meter.isOpen) : [];
    if (flows !== null && flow !== noFlow && !flows.isOpen(flow)) waits.push('singleFlowGbps');
    const delayNs = Math.max(
      ...[gate.delayNs(), gateway?.delayNs() ?? 0],
      flows !== null && flow !== noFlow ? flows.waitNs(flow, ns) : 0,
    );
    const [limit] = waits;
    if (limit !== undefined) {
      this.#tally(limit, ns, packets, 0);
      piece.queuedPackets += packets;
      piece.delayNs = Math.max(piece.delayNs, delayNs);
    }
    gate.take(bytes, packets);
    gateway?.take(bytes, packets);
    if (flow !== noFlow) flows?.take(flow, bytes);
    this.#noteCredits(way, ns);
    return true;
  }

  #lose(limit: LimitName, ns: number, packets: number): false {
    this.#tally(limit, ns, 0, packets);
    return false;
  }

  /** The limits whose meters are as asked. */
  #closed(
    way: Way,
    gate: Gate,
    gateway: Gate | null,
    isSo: (meter: Meter) => boolean,
  ): LimitName[] {
    const found = [...gate.bytes, ...(gate.packets === null ? [] : [gate.packets])]
      .filter(isSo)
      .map((meter) => this.#nameOf(way, meter));
    return gateway?.bytes.some(isSo) ? [...found, 'gatewayGbps'] : found;
  }

  // By constant rates.

  /** A rate for so long, from now on. */
  steady(steady: Steady, ns: number): void {
    const { way, leaves, flows } = steady;
    const gate = this.#gates[way];
    const { flowBps, queueMs = 10 } = this.limits;
    const more: { meter: Meter; share: number }[] = [];
    if (way === 'out' && flowBps !== undefined)
      more.push({ meter: this.#flowMeter(flowBps, queueMs), share: 1 / flows });
    const gateway = this.#allowance[way === 'out' ? 'gatewayOut' : 'gatewayIn'].bytes;
    if (leaves) more.push(...gateway.map((meter) => ({ meter, share: 1 })));
    const { bitsPerSecond, bytesPerPacket } = steady;
    const traffic = { bytesPerNs: bitsPerSecond / 8 / nsPerSecond, bytesPerPacket, more };
    for (let left = ns; left > 1e-3; ) {
      const series = this.series[way];
      const piece = series.at(this.now);
      const end = (Math.floor(this.now / series.pieceNs) + 1) * series.pieceNs;
      const step = Math.min(left, Math.max(end - this.now, 1));
      this.#flow(way, gate, traffic, step, piece);
      left -= step;
    }
  }

  #flowMeter(flowBps: number, queueMs: number): Meter {
    const perSecond = flowBps / 8;
    const atOnce = perSecond * 0.004;
    return new Meter({ perSecond, atOnce, patience: (perSecond * queueMs) / 1000 }, this.now);
  }

  #flow(way: Way, gate: Gate, traffic: Traffic, ns: number, piece: Piece): void {
    flowThrough(gate, traffic, ns, (stretch) => {
      const bytes = stretch.ns * traffic.bytesPerNs;
      const packets = bytes / traffic.bytesPerPacket;
      piece.offeredBytes += bytes;
      piece.offeredPackets += packets;
      piece.passedBytes += bytes * stretch.taken;
      piece.passedPackets += packets * stretch.taken;
      const { limit } = stretch;
      if (limit !== null) {
        const name = this.#nameOf(way, limit);
        const queued = stretch.waits ? packets * stretch.taken : 0;
        piece.queuedPackets += queued;
        piece.delayNs = Math.max(piece.delayNs, limit.delayNs());
        this.#tally(name, this.now, queued, packets * (1 - stretch.taken));
      }
      this.now += stretch.ns;
      this.#noteCredits(way, this.now);
    });
    piece.credits = this.#fraction(way);
  }

  // Both.

  #nameOf(way: Way, meter: Meter): LimitName {
    const gate = this.#gates[way];
    if (meter === gate.packets) return 'packetsPerSecond';
    const { in: into, out } = this.#allowance;
    const own = (way === 'in' ? into : out).bytes.indexOf(meter);
    if (own === 0) return way === 'in' ? 'baselineInGbps' : 'baselineOutGbps';
    if (own === 1) return way === 'in' ? 'burstInGbps' : 'burstOutGbps';
    if (gate.bytes.includes(meter)) return 'cardGbps';
    const { gatewayIn, gatewayOut } = this.#allowance;
    const isGateway = gatewayIn.bytes.includes(meter) || gatewayOut.bytes.includes(meter);
    return isGateway ? 'gatewayGbps' : 'singleFlowGbps';
  }

  #tally(limit: LimitName, ns: number, queued: number, dropped: number): void {
    let tally = this.#tallies.get(limit);
    if (tally === undefined) {
      tally = { limit, queued: 0, dropped: 0, firstQueued: null, firstDropped: null };
      this.#tallies.set(limit, tally);
    }
    tally.queued += queued;
    tally.dropped += dropped;
    if (queued > 0) tally.firstQueued ??= ns;
    if (dropped > 0) tally.firstDropped ??= ns;
  }

  #noteCredits(way: Way, ns: number): void {
    const [baseline] = this.#gates[way].bytes;
    if (baseline?.spec.credits && baseline.credits === 0) this.dryAt[way] ??= ns;
  }

  #fraction(way: Way): number {
    const { full, left } = this.credits(way);
    return full === 0 ? 0 : left / full;
  }
}
