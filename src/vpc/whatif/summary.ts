/** What a run of `WhatIf` came to, as a document: the shape of `virtfn whatif --json`. */
import { nsPerSecond } from '../../lib/clock.ts';
import type { LimitName, NetworkAllowance, Provenance } from '../allowance.ts';
import { limitTexts } from '../limits.ts';
import type { Piece } from './series.ts';
import type { Way, WhatIf } from './whatif.ts';

export type Met = {
  readonly limit: LimitName;
  readonly what: string;
  readonly value: number | null;
  readonly provenance: Provenance;
  readonly source: string;
  readonly queued_packets: number;
  readonly dropped_packets: number;
  /** Seconds; null: never. */
  readonly first_queued_s: number | null;
  readonly first_dropped_s: number | null;
};

export type DirectionSummary = {
  readonly offered_gbps: number;
  readonly peak_gbps: number;
  readonly passed_gbps: number;
  readonly offered_packets: number;
  readonly queued_packets: number;
  readonly dropped_packets: number;
  readonly longest_wait_ms: number;
  readonly credits: {
    readonly full_gbit: number;
    readonly left_gbit: number;
    /** When they ran out; null: they did not. */
    readonly dry_at_s: number | null;
    /** How much longer they last if it goes on as on average; null: for ever, or there are none. */
    readonly last_for_s: number | null;
  };
};

export type WhatIfDocument = {
  readonly type: string;
  readonly seconds: number;
  /** Those that were met, the first one first. */
  readonly limits: readonly Met[];
  readonly out: DirectionSummary;
  readonly in: DirectionSummary;
  readonly connections: { readonly peak: number; readonly allowed: number | null };
  readonly notes: readonly string[];
  readonly series: { readonly piece_s: number } & { readonly [W in Way]: readonly PieceDocument[] };
};

export type PieceDocument = {
  readonly offered_gbps: number;
  readonly passed_gbps: number;
  readonly offered_pps: number;
  readonly passed_pps: number;
  /** Of a full bucket. */
  readonly credits: number | null;
  readonly wait_ms: number;
};

export function summaryOf(
  run: WhatIf,
  type: string,
  allowance: NetworkAllowance,
  notes: readonly string[],
): WhatIfDocument {
  const seconds = run.now / nsPerSecond;
  const limits = run.tallies.map(({ limit, queued, dropped, firstQueued, firstDropped }): Met => {
    return {
      ...{ limit, what: limitTexts[limit], ...allowance[limit] },
      ...{ queued_packets: Math.round(queued), dropped_packets: Math.round(dropped) },
      first_queued_s: firstQueued === null ? null : firstQueued / nsPerSecond,
      first_dropped_s: firstDropped === null ? null : firstDropped / nsPerSecond,
    };
  });
  return {
    ...{ type, seconds, limits },
    ...{ out: directionOf(run, 'out'), in: directionOf(run, 'in') },
    connections: { peak: run.connections.peak, allowed: run.limits.connections ?? null },
    notes,
    series: seriesOf(run),
  };
}

function directionOf(run: WhatIf, way: Way): DirectionSummary {
  const { pieces, pieceNs } = run.series[way];
  const sum = (key: keyof Piece): number => pieces.reduce((all, piece) => all + piece[key], 0);
  // A run that is shorter than a piece has a rate all the same.
  const ns = Math.max(run.now, 1);
  const gbps = (bytes: number, over: number): number => (8 * bytes) / over;
  const most = Math.max(0, ...pieces.map((piece) => piece.offeredBytes));
  const { full, left } = run.credits(way);
  const mean = gbps(sum('offeredBytes'), ns);
  const baseline = (run.limits[way]?.baselineBps ?? Infinity) / 1e9;
  const isSpent = run.dryAt[way] !== null;
  return {
    offered_gbps: mean,
    peak_gbps: gbps(most, Math.min(pieceNs, ns)),
    passed_gbps: gbps(sum('passedBytes'), ns),
    offered_packets: Math.round(sum('offeredPackets')),
    queued_packets: Math.round(sum('queuedPackets')),
    dropped_packets: Math.round(sum('offeredPackets') - sum('passedPackets')),
    longest_wait_ms: Math.max(0, ...pieces.map((piece) => piece.delayNs)) / 1e6,
    credits: {
      full_gbit: full / 1e9,
      left_gbit: left / 1e9,
      dry_at_s: (run.dryAt[way] ?? Number.NaN) >= 0 ? (run.dryAt[way] ?? 0) / nsPerSecond : null,
      last_for_s: full > 0 && !isSpent && mean > baseline ? left / 1e9 / (mean - baseline) : null,
    },
  };
}

function seriesOf(run: WhatIf): WhatIfDocument['series'] {
  // Both directions in the longer of their pieces.
  const { in: into, out } = run.series;
  const pieceNs = Math.max(into.pieceNs, out.pieceNs);
  for (const series of [into, out]) while (series.pieceNs < pieceNs) series.join();
  const seconds = pieceNs / nsPerSecond;
  const rows = (way: Way): PieceDocument[] => {
    const { pieces } = run.series[way];
    return pieces.map((piece, i) => {
      const isLast = i === pieces.length - 1;
      const rest = run.now - i * pieceNs;
      const ns = isLast && rest > 0 ? Math.min(rest, pieceNs) : pieceNs;
      return {
        offered_gbps: (8 * piece.offeredBytes) / ns,
        passed_gbps: (8 * piece.passedBytes) / ns,
        offered_pps: (piece.offeredPackets * nsPerSecond) / ns,
        passed_pps: (piece.passedPackets * nsPerSecond) / ns,
        credits: piece.credits < 0 ? null : piece.credits,
        wait_ms: piece.delayNs / 1e6,
      };
    });
  };
  return { piece_s: seconds, out: rows('out'), in: rows('in') };
}
