/**
 * One EC2 instance type as a network person sees it, in the words of DescribeInstanceTypes
 * (`NetworkInfo`), as plain data; and what follows from it by arithmetic.
 */

export type NetworkCard = {
  readonly maxInterfaces: number;
  readonly baselineGbps: number | null;
  readonly peakGbps: number | null;
  /** ENA queue pairs of an interface as launched, and at most; of the card at most. null: not published. */
  readonly queues: number | null;
  readonly maxQueuesPerInterface: number | null;
  readonly maxQueues: number | null;
  /** Interfaces beyond `maxInterfaces` that take queues of the others. */
  readonly flexibleInterfaces: number | null;
};

export type InstanceType = {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly hypervisor: 'nitro' | 'xen' | 'metal';
  readonly architectures: readonly string[];
  readonly ena: 'required' | 'supported' | 'unsupported';
  readonly enaExpress: boolean;
  /** EFA interfaces at most; 0: none. */
  readonly efaInterfaces: number;
  /** Enhanced networking by the 82599's virtual functions. */
  readonly vf82599: boolean;
  readonly encryptionInTransit: boolean;
  /** EC2's words: "Up to 12.5 Gigabit", "Moderate". */
  readonly performance: string;
  /** Of the one network card; of all together where there are several. */
  readonly baselineGbps: number;
  readonly peakGbps: number;
  readonly networkCards: number;
  readonly cards: readonly NetworkCard[];
  readonly maxInterfaces: number;
  readonly ipv4PerInterface: number;
  /** 0: no IPv6. */
  readonly ipv6PerInterface: number;
  /** ENA queue pairs of an interface, as launched and at most; null: not published. */
  readonly queues: number | null;
  readonly maxQueues: number | null;
  /** Queues can be chosen per interface (`EnaQueueCount`). */
  readonly flexibleQueues: boolean;
  /** How bandwidth can be moved between the network and EBS: `default`, `vpc-1`, `ebs-1`. */
  readonly bandwidthWeightings: readonly string[];
  /** null: the catalogue does not hold it; an account's own file does. The same for the next two. */
  readonly currentGeneration: boolean | null;
  /** `legacy-bios`, `uefi`, `uefi-preferred`. */
  readonly bootModes: readonly string[] | null;
  /** Placement groups that it can be in: `cluster`, `partition`, `spread`. */
  readonly placementStrategies: readonly string[] | null;
  /** When EC2's API said so: 2026-08-02. */
  readonly asOf: string;
};

/** The first letters and digits: c6in of c6in.32xlarge. */
export function familyOf({ name }: InstanceType): string {
  return name.split('.')[0] ?? name;
}

/** "Up to": it gathers credits below its baseline, and spends them above. */
export function hasCredits({ baselineGbps, peakGbps }: InstanceType): boolean {
  return baselineGbps < peakGbps;
}

/** The number in "Up to 12.5 Gigabit" or "4x 100 Gigabit"; null in "Moderate". */
export function gbpsInText(performance: string): number | null {
  const found = /(?:(\d+)x )?([\d.]+) (Gigabit|Megabit)/.exec(performance);
  if (found === null) return null;
  const [, count = '1', value = '', unit] = found;
  return (Number(count) * Number(value)) / (unit === 'Megabit' ? 1000 : 1);
}
