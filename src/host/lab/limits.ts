/** The limits of an instance in a topology file: its type's unless told, others by name, or none. */

import { z } from 'zod';
import type { Express } from '../../switch/express.ts';
import { networkAllowance } from '../../vpc/allowance.ts';
import type { InstanceType } from '../../vpc/instance-type.ts';
import type { InstanceTypes } from '../../vpc/instance-types.ts';
import { chosenLimits, type LimitValues, limitNames, limitsNamed } from '../../vpc/limits.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { FunctionLimits } from '../nic/limits.ts';
import { isPlaced } from '../vpc/members.ts';
import { expected } from './schema.ts';

const example = '{ bandwidthGbps: 0.2, packetsPerSecond: 10000 }';

export const limitsSchema = z
  .union(
    [z.literal('none'), z.record(z.string(), z.number().nonnegative())],
    expected(`limits by name, like ${example}, or none`),
  )
  .transform((value, context): LimitValues | null => {
    if (value === 'none') return null;
    const set = Object.entries(value).flatMap(([name, number]) => {
      const names = limitsNamed(name);
      if (names.length === 0)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `expected a limit: bandwidthGbps, baselineGbps, burstGbps, ${limitNames.join(', ')}`,
        });
      return names.map((each) => [each, number] as const);
    });
    return Object.fromEntries(set);
  });

/** Of a topology. */
type Limited = {
  readonly instances: readonly {
    readonly name: string;
    readonly type: string;
    readonly limits?: LimitValues | null;
    readonly express?: Express;
  }[];
  readonly vpc?: VpcModel;
};

/** The limits of each instance, for people; none for those that have none. */
export function shownLimits({ instances, vpc }: Limited, types: InstanceTypes) {
  return instances.map(({ name, type, limits, express }) => {
    if (limits === null) return { name, type, limits: [] };
    const placed = vpc !== undefined && isPlaced(vpc, name);
    return {
      name,
      type,
      limits: new FunctionLimits(types.get(type), limits ?? {}, {
        ...{ placed, express: express !== undefined },
      }).shown(),
    };
  });
}

/** What a lab's guests had to wait for, or lost, because of their limits: a sentence each. */
export function exceededLimits(
  { instances }: Limited,
  counters: Readonly<Record<string, Partial<Record<string, number>>>>,
): string[] {
  return instances.flatMap(({ name, type }) => {
    const counts = exceeded.flatMap((key) => {
      const count = counters[name]?.[key] ?? 0;
      return count === 0 ? [] : [`${key} ${count}`];
    });
    return counts.length === 0
      ? []
      : [`${name} was held to the limits of ${type}: ${counts.join(', ')} packets (--no-limits).`];
  });
}

const exceeded = [
  'bw_in_allowance_exceeded',
  'bw_out_allowance_exceeded',
  'pps_allowance_exceeded',
] as const;

/** Why a type cannot have these limits. */
export function limitsProblem(type: InstanceType, set?: LimitValues | null): string | undefined {
  try {
    limitsOf(type, set);
    return undefined;
  } catch (error) {
    return `expected limits that can be: ${(error as Error).message}`;
  }
}

/** What an instance of a type is limited to; null: nothing. @throws RangeError in a sentence */
export function limitsOf(type: InstanceType, set: LimitValues | null = {}): LimitValues | null {
  return set === null ? null : chosenLimits(networkAllowance(type), set);
}
