/**
 * Finds instance types by what is wanted of them. When none is left it says why: which condition
 * left nothing over, and how near one came.
 */
import { familyOf, type InstanceType } from '../instance-type.ts';
import { nitroVersionOf } from './nitro-versions.ts';

export type Condition = {
  /** As a person wrote it: `--min-gbps 50`. */
  readonly said: string;
  readonly holds: (type: InstanceType) => boolean;
  /** What the condition looks at, where more or less of it can be said to be nearer. */
  readonly measure?: {
    readonly of: (type: InstanceType) => number;
    /** Near is more, or less. */
    readonly wants: 'more' | 'less';
    readonly unit: string;
  };
};

export type Selection = {
  readonly found: readonly InstanceType[];
  /** Empty, unless nothing was found. */
  readonly misses: readonly Miss[];
};

/** One condition that, left out, would let something through. */
export type Miss = {
  readonly condition: Condition;
  /** How many fit all other conditions. */
  readonly others: number;
  /** Of those, what comes nearest to this one. */
  readonly nearest: InstanceType;
};

export function select(
  types: readonly InstanceType[],
  conditions: readonly Condition[],
): Selection {
  const found = types.filter((type) => conditions.every(({ holds }) => holds(type)));
  return { found, misses: found.length > 0 ? [] : missesOf(types, conditions) };
}

function missesOf(types: readonly InstanceType[], conditions: readonly Condition[]): Miss[] {
  return conditions.flatMap((condition) => {
    const others = types.filter((type) =>
      conditions.every((other) => other === condition || other.holds(type)),
    );
    const nearest = nearestTo(condition, others);
    return nearest === undefined ? [] : [{ condition, others: others.length, nearest }];
  });
}

function nearestTo(
  { measure }: Condition,
  types: readonly InstanceType[],
): InstanceType | undefined {
  if (measure === undefined) return types[0];
  const sign = measure.wants === 'more' ? 1 : -1;
  return types.reduce<InstanceType | undefined>((best, type) => {
    if (best === undefined) return type;
    return sign * (measure.of(type) - measure.of(best)) > 0 ? type : best;
  }, undefined);
}

const least = (
  said: string,
  unit: string,
  min: number,
  of: (type: InstanceType) => number,
): Condition => ({
  said: `${said} ${min}`,
  holds: (type) => of(type) >= min,
  measure: { of, wants: 'more', unit },
});

const most = (
  said: string,
  unit: string,
  max: number,
  of: (type: InstanceType) => number,
): Condition => ({
  said: `${said} ${max}`,
  holds: (type) => of(type) <= max,
  measure: { of, wants: 'less', unit },
});

const is = (said: string, holds: (type: InstanceType) => boolean): Condition => ({ said, holds });

/** What can be asked for; each is left out where it does not matter. */
export type Wishes = {
  readonly pattern?: string;
  readonly family?: string;
  readonly ena?: InstanceType['ena'];
  readonly efa?: boolean;
  readonly vf82599?: boolean;
  readonly hypervisor?: InstanceType['hypervisor'];
  readonly minNitro?: number;
  readonly arch?: string;
  readonly minGbps?: number;
  readonly minBaselineGbps?: number;
  readonly minVcpus?: number;
  readonly maxVcpus?: number;
  readonly minMemoryGib?: number;
  readonly minInterfaces?: number;
  readonly minQueues?: number;
  readonly enaExpress?: boolean;
  readonly encryption?: boolean;
};

export function conditionsOf(wishes: Wishes): Condition[] {
  const conditions: Condition[] = [];
  const wish = <K extends keyof Wishes>(
    key: K,
    condition: (value: NonNullable<Wishes[K]>) => Condition,
  ): void => {
    const value = wishes[key];
    if (value !== undefined) conditions.push(condition(value as NonNullable<Wishes[K]>));
  };
  const yes = (value: boolean): string => (value ? '--' : '--no-');
  wish('pattern', (glob) => is(glob, matcher(glob)));
  wish('family', (glob) => {
    const matches = globOf(glob);
    return is(`--family ${glob}`, (type) => matches.test(familyOf(type)));
  });
  wish('ena', (ena) => is(`--ena ${ena}`, (type) => type.ena === ena));
  wish('efa', (efa) => is(`${yes(efa)}efa`, (type) => type.efaInterfaces > 0 === efa));
  wish('vf82599', (vf) => is(`${yes(vf)}82599vf`, (type) => type.vf82599 === vf));
  wish('hypervisor', (it) => is(`--hypervisor ${it}`, (type) => type.hypervisor === it));
  wish('minNitro', (min) =>
    least('--min-nitro', '', min, (type) => nitroVersionOf(type)?.version ?? 0),
  );
  wish('arch', (arch) => is(`--arch ${arch}`, (type) => type.architectures.includes(arch)));
  wish('minGbps', (min) => least('--min-gbps', 'Gbps', min, (type) => type.peakGbps));
  wish('minBaselineGbps', (min) =>
    least('--min-baseline-gbps', 'Gbps', min, (type) => type.baselineGbps),
  );
  wish('minVcpus', (min) => least('--min-vcpus', 'vCPUs', min, (type) => type.vcpus));
  wish('maxVcpus', (max) => most('--max-vcpus', 'vCPUs', max, (type) => type.vcpus));
  wish('minMemoryGib', (min) =>
    least('--min-memory-gib', 'GiB', min, (type) => type.memoryMib / 1024),
  );
  wish('minInterfaces', (min) =>
    least('--min-interfaces', 'interfaces', min, (type) => type.maxInterfaces),
  );
  wish('minQueues', (min) => least('--min-queues', 'queues', min, (type) => type.maxQueues ?? 0));
  wish('enaExpress', (it) => is(`${yes(it)}ena-express`, (type) => type.enaExpress === it));
  wish('encryption', (it) => is(`${yes(it)}encryption`, (type) => type.encryptionInTransit === it));
  return conditions;
}

/** `c6in` is a family, `c6in.*` a pattern, `c6in.large` a name. */
function matcher(glob: string): (type: InstanceType) => boolean {
  const pattern = globOf(glob);
  if (glob.includes('.')) return ({ name }) => pattern.test(name);
  return (type) => pattern.test(familyOf(type)) || pattern.test(type.name);
}

/** `*` any characters, `?` one; all else is itself. */
function globOf(glob: string): RegExp {
  const parts = [...glob.toLowerCase()].map((character) => {
    if (character === '*') return '.*';
    if (character === '?') return '.';
    return character.replace(/[\\^$.|+()[\]{}/-]/, '\\$&');
  });
  return new RegExp(`^${parts.join('').replace(/(\.\*)+/g, '.*')}$`);
}

/** Names as a person sorts them: by family, then by size. */
export function byName(a: InstanceType, b: InstanceType): number {
  const [left, right] = [familyOf(a), familyOf(b)];
  if (left !== right) return left < right ? -1 : 1;
  return a.vcpus - b.vcpus || a.memoryMib - b.memoryMib || (a.name < b.name ? -1 : 1);
}
