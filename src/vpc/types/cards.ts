/**
 * What one network card of an instance carries. For some types EC2's API repeats the total on every
 * card: c6in.32xlarge says 200 of both, and 200 in all. What a card can do is then what the guide
 * says of its generation, else a share of the total.
 */
import type { Provenance } from '../allowance.ts';
import { familyOf, type InstanceType } from '../instance-type.ts';
import { nitroVersionOf } from './nitro-versions.ts';

export type CardGbps = {
  readonly baseline: number;
  readonly peak: number;
  readonly provenance: Provenance;
  readonly source: string;
};

const API = 'DescribeInstanceTypes, NetworkInfo.NetworkCards';
const GUIDE = 'EC2 Instance Types Guide, "Network feature support": Nitro v4, per network card';

export function cardGbps(type: InstanceType, index = 0): CardGbps {
  const { networkCards, baselineGbps, peakGbps } = type;
  const baseline = type.cards[index]?.baselineGbps ?? null;
  const peak = type.cards[index]?.peakGbps ?? null;
  if (baseline === null || peak === null)
    return share(type, 'published', 'NetworkInfo.NetworkPerformance');
  if (!repeatsTotal(type)) return { baseline, peak, provenance: 'published', source: API };
  if (nitroVersionOf(type)?.version !== 4)
    return share(type, 'assumed', `a card's share of the total; ${API} repeats that on each`);
  const most = /^(g|p|trn)\d/.test(familyOf(type)) ? 100 : 170;
  return {
    baseline: Math.min(most, baselineGbps / networkCards),
    peak: Math.min(most, peak, peakGbps),
    ...{ provenance: 'published', source: GUIDE },
  };
}

/** The cards' figures add up to more than the instance has. */
export function repeatsTotal({ cards, peakGbps }: InstanceType): boolean {
  if (cards.length < 2) return false;
  return cards.every((card) => card.peakGbps === peakGbps);
}

function share(type: InstanceType, provenance: Provenance, source: string): CardGbps {
  const { networkCards, baselineGbps, peakGbps } = type;
  return {
    ...{ baseline: baselineGbps / networkCards, peak: peakGbps / networkCards },
    ...{ provenance, source },
  };
}
