/**
 * A person's limits: an instance type's allowance with what they set instead, or some limits alone;
 * and what the switch is told of them. `bandwidthGbps=0.2` sets all four rates, `baselineGbps` and
 * `burstGbps` those of both directions.
 */
import type { AllowanceLimits } from '../switch/allowance/allowance.ts';
import { type LimitName, type NetworkAllowance, withOverrides } from './allowance.ts';

/** By name; absent: not limited. */
export type LimitValues = { readonly [N in LimitName]?: number | null };

/** What each limit is, for people. */
export const limitTexts: { readonly [N in LimitName]: string } = {
  baselineInGbps: 'received, all the time (Gbit/s)',
  baselineOutGbps: 'sent, all the time (Gbit/s)',
  burstInGbps: 'received, with credits (Gbit/s)',
  burstOutGbps: 'sent, with credits (Gbit/s)',
  burstMinutes: 'full credits last at full burst (minutes)',
  creditRefill: 'credit for each bit of the baseline not used (bits)',
  cardGbps: 'one network card (Gbit/s)',
  singleFlowGbps: 'one flow, sent (Gbit/s)',
  singleFlowPlacedGbps: 'one flow in a cluster placement group (Gbit/s)',
  singleFlowExpressGbps: 'one flow by ENA Express (Gbit/s)',
  gatewayGbps: 'through gateways, each way (Gbit/s)',
  packetsPerSecond: 'packets, both ways together (a second)',
  conntrackEntries: 'tracked connections',
  linkLocalPps: 'packets to link-local services, per interface (a second)',
  egressFragmentsPps: 'IP fragments sent, per interface (a second)',
  queueMs: 'waits before it is dropped (ms)',
};

export const limitNames = Object.keys(limitTexts) as LimitName[];

const groups: Readonly<Record<string, readonly LimitName[]>> = {
  baselineGbps: ['baselineInGbps', 'baselineOutGbps'],
  burstGbps: ['burstInGbps', 'burstOutGbps'],
  bandwidthGbps: ['baselineInGbps', 'baselineOutGbps', 'burstInGbps', 'burstOutGbps'],
};

/** The limits that a name means: itself, or those of a group; none when there is no such name. */
export const limitsNamed = (name: string): readonly LimitName[] =>
  Object.hasOwn(groups, name) ? (groups[name] ?? []) : limitNames.filter((each) => each === name);

/** @throws RangeError in a sentence for a person */
export function parseLimit(text: string): LimitValues {
  const [name = '', value = '', ...more] = text.split('=');
  const names = limitsNamed(name);
  if (names.length === 0)
    throw new RangeError(
      `there is no limit '${name}'; expected one of ${[...Object.keys(groups), ...limitNames].join(', ')}`,
    );
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number) || number < 0 || more.length > 0)
    throw new RangeError(`${name}: expected a number of 0 or more, like ${name}=1`);
  return Object.fromEntries(names.map((each) => [each, number]));
}

export const valuesOf = (allowance: NetworkAllowance): LimitValues =>
  Object.fromEntries(Object.entries(allowance).map(([name, { value }]) => [name, value]));

/**
 * An allowance with what was set instead; without an allowance what was set is all there is.
 *
 * @throws RangeError in a sentence for a person
 */
export function chosenLimits(allowance: NetworkAllowance | null, set: LimitValues): LimitValues {
  if (allowance !== null) return valuesOf(withOverrides(allowance, set as object));
  for (const name of limitNames) {
    const value = set[name];
    if (value === 0 && !mayBeZero.includes(name))
      throw new RangeError(`${name}: expected more than 0`);
  }
  for (const way of ['In', 'Out'] as const) {
    const baseline = set[`baseline${way}Gbps`] ?? 0;
    const burst = set[`burst${way}Gbps`] ?? baseline;
    if (burst < baseline)
      throw new RangeError(
        `a burst of ${burst} Gbit/s is below the baseline of ${baseline} Gbit/s`,
      );
  }
  return set;
}

const mayBeZero: readonly LimitName[] = ['burstMinutes', 'creditRefill', 'queueMs'];

export type Circumstances = {
  /** In a cluster placement group: one flow may have more, to members of it. */
  readonly placed?: boolean;
  /** ENA Express is switched on: one flow may have more, to others that have it too. */
  readonly express?: boolean;
};

/** What the switch is told; limits that are a device's own are not for it. */
export function switchLimits(
  values: LimitValues,
  { placed = false, express = false }: Circumstances = {},
) {
  const flowGbps = (placed ? values.singleFlowPlacedGbps : undefined) ?? values.singleFlowGbps;
  const { packetsPerSecond, conntrackEntries, linkLocalPps, queueMs, creditRefill } = values;
  const limits: { -readonly [K in keyof AllowanceLimits]: AllowanceLimits[K] } = {};
  const into = bandwidth(values.baselineInGbps, values.burstInGbps, values.burstMinutes);
  const out = bandwidth(values.baselineOutGbps, values.burstOutGbps, values.burstMinutes);
  if (into !== null) limits.in = into;
  if (out !== null) limits.out = out;
  if (isSet(creditRefill)) limits.creditRefill = creditRefill;
  if (isSet(values.cardGbps)) limits.portBps = values.cardGbps * 1e9;
  if (isSet(flowGbps)) limits.flowBps = flowGbps * 1e9;
  const { singleFlowExpressGbps } = values;
  if (express && isSet(singleFlowExpressGbps)) limits.expressFlowBps = singleFlowExpressGbps * 1e9;
  if (isSet(values.gatewayGbps)) limits.gatewayBps = values.gatewayGbps * 1e9;
  if (isSet(packetsPerSecond)) limits.packetsPerSecond = packetsPerSecond;
  if (isSet(conntrackEntries)) limits.connections = Math.floor(conntrackEntries);
  if (isSet(linkLocalPps)) limits.linkLocalPps = linkLocalPps;
  if (isSet(queueMs)) limits.queueMs = queueMs;
  return limits as AllowanceLimits;
}

const isSet = (value: number | null | undefined): value is number =>
  value !== undefined && value !== null;

function bandwidth(
  baseline: number | null | undefined,
  burst: number | null | undefined,
  minutes: number | null | undefined,
) {
  const always = baseline ?? burst;
  if (!isSet(always)) return null;
  const most = Math.max(always, burst ?? always);
  const creditBits = (most - always) * 1e9 * (minutes ?? 0) * 60;
  return { baselineBps: always * 1e9, burstBps: most * 1e9, creditBits };
}
