/**
 * What one instance's network is allowed, by its type: bandwidth with its credits, one flow, the way
 * through a gateway, packets, connections. EC2 publishes some of it by type, some of it as a rule, and
 * some of it not at all; so each limit says how it is known and from where, and a person can set it.
 *
 * Plain data and pure functions. Rates are per direction, except for packets, which count both ways.
 */
import { familyOf, type InstanceType } from './instance-type.ts';
import { cardGbps } from './types/cards.ts';

export type Provenance = 'published' | 'measured' | 'assumed' | 'userSet';

/** `null`: does not apply to this instance. */
export type Limit<T extends number | null = number> = {
  readonly value: T;
  readonly provenance: Provenance;
  readonly source: string;
};

export type NetworkAllowance = {
  /** Of the whole instance, over all its interfaces and cards; all the time. */
  readonly baselineInGbps: Limit;
  readonly baselineOutGbps: Limit;
  /** While there are credits; the baseline where there are none to be had. */
  readonly burstInGbps: Limit;
  readonly burstOutGbps: Limit;
  /** How long a full bucket lasts at full burst. It is full at launch; one bucket per direction. */
  readonly burstMinutes: Limit;
  /** Bits of credit for each bit below the baseline that was not used. */
  readonly creditRefill: Limit;
  /** Of one network card, which an interface cannot exceed. */
  readonly cardGbps: Limit;
  /** One flow: a 5-tuple of TCP or UDP, else addresses and protocol. */
  readonly singleFlowGbps: Limit;
  /** One flow between instances of the same cluster placement group; no more where there is none. */
  readonly singleFlowPlacedGbps: Limit;
  /** One flow by ENA Express; null: the type has none. */
  readonly singleFlowExpressGbps: Limit<number | null>;
  /** All flows through an internet or local gateway, per direction. */
  readonly gatewayGbps: Limit;
  /** Of the whole instance, both directions together. */
  readonly packetsPerSecond: Limit;
  /** Tracked connections of the whole instance. */
  readonly conntrackEntries: Limit;
  /** Per interface, to the resolver, instance metadata and time together. */
  readonly linkLocalPps: Limit;
  /** Per interface, sent; null: the driver has switched the limit off (`FRAG_BYPASS`). */
  readonly egressFragmentsPps: Limit<number | null>;
  /** How long what exceeds an allowance waits before it is dropped. */
  readonly queueMs: Limit;
};

export type LimitName = keyof NetworkAllowance;

/** What a person sets instead; null where the limit may be null. */
export type AllowanceOverrides = { readonly [N in LimitName]?: NetworkAllowance[N]['value'] };

const bandwidthPage = 'EC2 User Guide, "Amazon EC2 instance network bandwidth"';
const monitoringPage = 'EC2 User Guide, "Monitor network performance for ENA settings"';
const api = 'DescribeInstanceTypes, NetworkInfo.NetworkCards';

const published = <T extends number | null>(value: T, source: string): Limit<T> => ({
  ...{ value, provenance: 'published', source },
});
const measured = (value: number, source: string): Limit => ({
  ...{ value, provenance: 'measured', source },
});
const assumed = (value: number, source: string): Limit => ({
  ...{ value, provenance: 'assumed', source },
});

export function networkAllowance(type: InstanceType): NetworkAllowance {
  const { vcpus, enaExpress } = type;
  const { baseline, peak } = totalGbps(type);
  const card = cardGbps(type);
  return {
    baselineInGbps: baseline,
    baselineOutGbps: baseline,
    burstInGbps: peak,
    burstOutGbps: peak,
    burstMinutes: burstMinutes(type),
    creditRefill: assumed(
      1,
      `${bandwidthPage}: credits are earned below the baseline; at which rate is not said`,
    ),
    cardGbps: { value: card.peak, provenance: card.provenance, source: card.source },
    singleFlowGbps: published(5, bandwidthPage),
    singleFlowPlacedGbps: placedFlow(type),
    singleFlowExpressGbps: published(enaExpress ? 25 : null, `${bandwidthPage}; EnaSrdSupported`),
    gatewayGbps: published(vcpus >= 32 ? Math.max(peak.value / 2, 5) : 5, bandwidthPage),
    packetsPerSecond: packetsPerSecond(type, peak.value),
    conntrackEntries: conntrackEntries(type),
    linkLocalPps: published(1024, 'VPC User Guide, "Amazon DNS server": quotas'),
    egressFragmentsPps: published(1024, monitoringPage),
    queueMs: assumed(
      10,
      `${monitoringPage}: "by queueing and then dropping"; how long is not said`,
    ),
  };
}

/** Bits above the baseline, in Gbit, that a full bucket of one direction holds. */
export function fullCreditsGbit(allowance: NetworkAllowance, direction: 'in' | 'out'): number {
  const { baseline, burst } = bandwidthOf(allowance, direction);
  return Math.max(0, burst - baseline) * allowance.burstMinutes.value * 60;
}

/** Seconds until an empty bucket is full, for an instance that is idle in that direction. */
export function refillSeconds(allowance: NetworkAllowance, direction: 'in' | 'out'): number {
  const { baseline } = bandwidthOf(allowance, direction);
  return fullCreditsGbit(allowance, direction) / (baseline * allowance.creditRefill.value);
}

export function bandwidthOf(
  allowance: NetworkAllowance,
  direction: 'in' | 'out',
): { baseline: number; burst: number } {
  const isIn = direction === 'in';
  return {
    baseline: (isIn ? allowance.baselineInGbps : allowance.baselineOutGbps).value,
    burst: (isIn ? allowance.burstInGbps : allowance.burstOutGbps).value,
  };
}

/** Limits that may be 0 or null; all others are more than 0. */
const mayBeZero: readonly LimitName[] = ['burstMinutes', 'creditRefill', 'queueMs'];
const mayBeNull: readonly LimitName[] = ['singleFlowExpressGbps', 'egressFragmentsPps'];

/**
 * The same allowance with what a person has set, marked as `userSet`.
 *
 * @throws RangeError in a sentence for a person, naming the limit
 */
export function withOverrides(
  allowance: NetworkAllowance,
  overrides: AllowanceOverrides,
  source = 'set by hand',
): NetworkAllowance {
  const set = Object.entries(overrides).map(([name, value]) => {
    const problem = overrideProblem(allowance, name, value);
    if (problem !== null) throw new RangeError(`${name}: ${problem}`);
    return [name, { value, provenance: 'userSet', source }];
  });
  const next: NetworkAllowance = { ...allowance, ...Object.fromEntries(set) };
  for (const direction of ['in', 'out'] as const) {
    const { baseline, burst } = bandwidthOf(next, direction);
    if (burst < baseline)
      throw new RangeError(
        `the burst ${direction} of ${burst} Gbit/s is below the baseline of ${baseline} Gbit/s`,
      );
  }
  return next;
}

function overrideProblem(allowance: NetworkAllowance, name: string, value: unknown): string | null {
  const known = Object.keys(allowance).find((each) => each === name) as LimitName | undefined;
  if (known === undefined)
    return `there is no such limit; expected one of ${Object.keys(allowance).join(', ')}`;
  if (value === null) return mayBeNull.includes(known) ? null : 'expected a number';
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'expected a number';
  if (mayBeZero.includes(known)) return value >= 0 ? null : 'expected 0 or more';
  return value > 0 ? null : 'expected more than 0';
}

/** Of all cards together: their sum, but not more than EC2's own words say. */
function totalGbps(type: InstanceType): { baseline: Limit; peak: Limit } {
  const total = (key: 'baselineGbps' | 'peakGbps'): Limit => {
    const sum = type.cards.reduce((all, card) => all + (card[key] ?? Number.NaN), 0);
    if (Number.isNaN(sum)) return published(type[key], 'NetworkInfo.NetworkPerformance');
    return sum > type[key] + 0.001
      ? published(type[key], 'NetworkInfo.NetworkPerformance; its cards add up to more')
      : published(sum, api);
  };
  return { baseline: total('baselineGbps'), peak: total('peakGbps') };
}

/** Who can be in a cluster placement group: the account's own word, else the guide's rule. */
function placedFlow(type: InstanceType): Limit {
  const { placementStrategies } = type;
  const page = 'EC2 User Guide, "Placement strategies"';
  const family = familyOf(type);
  const isLeftOut = /^t\d/.test(family) || ['mac1', 'm7i-flex'].includes(family);
  if (placementStrategies?.includes('cluster') ?? !isLeftOut) return published(10, bandwidthPage);
  return published(5, `${page}: not in cluster placement groups`);
}

/**
 * Published is "typically from 5 to 60 minutes, depending on the instance size". In public
 * measurements of C5 and M5 a bucket lasted 7 minutes on a large, 13 on c5.xlarge and 26 on c5.2xlarge:
 * 3.25 minutes per vCPU.
 */
function burstMinutes(type: InstanceType): Limit {
  const { name, vcpus, baselineGbps, peakGbps } = type;
  const seen = 'public measurements of C5 and M5, April 2019 (threadreaderapp 1120171727399448576)';
  if (baselineGbps >= peakGbps) return published(0, `${api}: the baseline is the peak`);
  const minutes = seenMinutes.get(name);
  if (minutes !== undefined) return measured(minutes, seen);
  const guess = Math.min(60, Math.max(5, 3.25 * vcpus));
  return assumed(guess, `3.25 minutes per vCPU as in ${seen}; published: 5 to 60 minutes`);
}

/** Whose bucket was measured; m5's larger sizes were not. */
const seenMinutes = new Map([
  ['c5.large', 7],
  ['m5.large', 7],
  ['c5.xlarge', 13],
  ['c5.2xlarge', 26],
]);

/** Not published: "based on instance type and size". What was measured, in proportion to the peak. */
function packetsPerSecond({ name }: InstanceType, peakGbps: number): Limit {
  const seen = '2.2 million on m5.24xlarge and m5.metal (stressgrid, "Packets-per-second limits")';
  if (name === 'm5.24xlarge' || name === 'm5.metal') return measured(2_200_000, seen);
  const perGbps = 2_200_000 / 25;
  return assumed(Math.round(perGbps * peakGbps), `88,000 per Gbit/s of the peak, as in ${seen}`);
}

/** Not published; `conntrack_allowance_available` shows it on a real instance. */
function conntrackEntries({ vcpus }: InstanceType): Limit {
  const sample = 136_812;
  return assumed(
    (sample / 2) * Math.max(2, vcpus),
    `136,812 as in the sample of ${monitoringPage}, taken for that of 2 vCPUs`,
  );
}
