/**
 * Instance types from what a person's own account says: the output of `aws ec2
 * describe-instance-types`. Only what we use is asked for, as the API grows; what is there must be
 * as its reference says. It replaces the catalogue: what is not in the file is not to be had in that
 * account and Region.
 */
import { z } from 'zod';
import { placeAt, placeOfMistake } from '../../lib/json-place.ts';
import { gbpsInText, type InstanceType, type NetworkCard } from '../instance-type.ts';

/** `FILE:LINE:COLUMN: what is wrong`, in one sentence. */
export class DescribedTypesError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DescribedTypesError';
  }
}

const expected = (what: string) => ({ error: `expected ${what}` });
const whole = (what: string) => z.number(expected(what)).int(expected(what)).min(0, expected(what));
const rate = (what: string) => z.number(expected(what)).positive(expected(what));
const yesNo = z.boolean(expected('true or false'));
/** What comes to a terminal: printable, and no longer than EC2's words are. */
const word = (what: string, pattern = /^[ -~]{1,64}$/) =>
  z.string(expected(what)).regex(pattern, expected(what));
const words = (what: string) => z.array(word(what), expected(what)).max(16, expected(what));
const object = <S extends z.core.$ZodLooseShape>(what: string, shape: S) =>
  z.looseObject(shape, expected(what));

const card = object('a network card', {
  NetworkCardIndex: whole('the index of a network card'),
  MaximumNetworkInterfaces: whole('a number of interfaces'),
  BaselineBandwidthInGbps: rate('Gbit/s').optional(),
  PeakBandwidthInGbps: rate('Gbit/s').optional(),
  DefaultEnaQueueCountPerInterface: whole('a number of queues').optional(),
  MaximumEnaQueueCountPerInterface: whole('a number of queues').optional(),
  MaximumEnaQueueCount: whole('a number of queues').optional(),
  AdditionalFlexibleNetworkInterfaces: whole('a number of interfaces').optional(),
});

const network = object('what EC2 says of the network', {
  NetworkPerformance: word('words like "Up to 10 Gigabit"'),
  MaximumNetworkInterfaces: whole('a number of interfaces'),
  NetworkCards: z
    .array(card, expected('network cards, as a current AWS CLI prints them'))
    .min(1, expected('a network card at least'))
    .max(64, expected('64 network cards at most')),
  Ipv4AddressesPerInterface: whole('a number of addresses'),
  Ipv6AddressesPerInterface: whole('a number of addresses').optional(),
  EnaSupport: z.enum(
    ['required', 'supported', 'unsupported'],
    expected('required, supported or unsupported'),
  ),
  EfaSupported: yesNo.optional(),
  EfaInfo: object('an EfaInfo', {
    MaximumEfaInterfaces: whole('a number of interfaces').optional(),
  }).optional(),
  EnaSrdSupported: yesNo.optional(),
  EncryptionInTransitSupported: yesNo.optional(),
  FlexibleEnaQueuesSupport: word('supported or unsupported').optional(),
  BandwidthWeightings: words('weightings like "vpc-1"').optional(),
});

const described = object('an instance type', {
  InstanceType: word('the name of an instance type', /^[a-z0-9][a-z0-9.-]{1,63}$/),
  CurrentGeneration: yesNo.optional(),
  Hypervisor: z.enum(['nitro', 'xen'], expected('nitro or xen')).optional(),
  BareMetal: yesNo.optional(),
  ProcessorInfo: object('a ProcessorInfo', {
    SupportedArchitectures: words('architectures like "x86_64"'),
  }),
  VCpuInfo: object('a VCpuInfo', { DefaultVCpus: whole('a number of vCPUs') }),
  MemoryInfo: object('a MemoryInfo', { SizeInMiB: whole('MiB') }),
  NetworkInfo: network,
  PlacementGroupInfo: object('a PlacementGroupInfo', {
    SupportedStrategies: words('strategies like "cluster"'),
  }).optional(),
  SupportedBootModes: words('boot modes like "uefi"').optional(),
});
type Described = z.infer<typeof described>;

const list = z.array(described, expected('instance types'));
const output = object('the output of aws ec2 describe-instance-types', { InstanceTypes: list });

/**
 * @param file the name for messages
 * @param has82599 which types have an 82599 VF: the API does not say
 * @param asOf the date that the types are given
 * @throws DescribedTypesError
 */
export function readDescribedTypes(
  text: string,
  file: string,
  { has82599, asOf }: { has82599: (name: string) => boolean; asOf: string },
): InstanceType[] {
  const value = parse(text, file);
  const isList = Array.isArray(value);
  const result = isList
    ? list.transform((InstanceTypes) => ({ InstanceTypes })).safeParse(value)
    : output.safeParse(value);
  if (!result.success) throw ofIssue(text, file, result.error.issues[0]);
  const names = new Set<string>();
  const root = isList ? [] : ['InstanceTypes'];
  return result.data.InstanceTypes.map((type, i) => {
    const path = [...root, i];
    const at = (...more: (string | number)[]) => `${where(text, file, [...path, ...more])}`;
    if (names.has(type.InstanceType))
      throw new DescribedTypesError(`${at('InstanceType')}: ${type.InstanceType} is there twice`);
    names.add(type.InstanceType);
    return typeOf(type, has82599(type.InstanceType), asOf, (what) => {
      const place = at('NetworkInfo', 'NetworkCards', 0);
      return new DescribedTypesError(`${place}: ${type.InstanceType} has ${what}`);
    });
  });
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { line, column } = placeOfMistake(text) ?? { line: 1, column: 1 };
    throw new DescribedTypesError(
      `${file}:${line}:${column}: this is no JSON; expected the output of aws ec2 describe-instance-types --output json`,
    );
  }
}

/** The deepest thing that is wrong, by its path and place. */
function ofIssue(
  text: string,
  file: string,
  issue: z.core.$ZodIssue | undefined,
): DescribedTypesError {
  const path = issue?.path ?? [];
  const name = path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('');
  const what = issue?.message ?? 'expected something else';
  return new DescribedTypesError(
    `${where(text, file, path)}: ${name === '' ? what : `${name} is not as it should be, ${what}`}`,
  );
}

function where(text: string, file: string, path: readonly PropertyKey[]): string {
  const { line, column } = placeAt(text, path) ?? { line: 1, column: 1 };
  return `${file}:${line}:${column}`;
}

function typeOf(
  type: Described,
  vf82599: boolean,
  asOf: string,
  wrong: (what: string) => DescribedTypesError,
): InstanceType {
  const info = type.NetworkInfo;
  const cards = info.NetworkCards.map(cardOf);
  const [first] = cards;
  const baselineGbps = totalOf('baselineGbps', cards, info.NetworkPerformance);
  const peakGbps = totalOf('peakGbps', cards, info.NetworkPerformance);
  if (first === undefined || baselineGbps === null || peakGbps === null)
    throw wrong('no bandwidth; expected BaselineBandwidthInGbps, as a current AWS CLI prints it');
  if (baselineGbps > peakGbps)
    throw wrong(`a baseline of ${baselineGbps} Gbit/s above its peak of ${peakGbps}`);
  return {
    name: type.InstanceType,
    vcpus: type.VCpuInfo.DefaultVCpus,
    memoryMib: type.MemoryInfo.SizeInMiB,
    hypervisor: type.Hypervisor ?? 'metal',
    architectures: type.ProcessorInfo.SupportedArchitectures,
    ena: info.EnaSupport,
    enaExpress: info.EnaSrdSupported ?? false,
    efaInterfaces: info.EfaSupported ? Math.max(1, info.EfaInfo?.MaximumEfaInterfaces ?? 1) : 0,
    vf82599,
    encryptionInTransit: info.EncryptionInTransitSupported ?? false,
    performance: info.NetworkPerformance,
    ...{ baselineGbps, peakGbps, networkCards: cards.length, cards },
    maxInterfaces: info.MaximumNetworkInterfaces,
    ipv4PerInterface: info.Ipv4AddressesPerInterface,
    ipv6PerInterface: info.Ipv6AddressesPerInterface ?? 0,
    queues: first.queues,
    maxQueues: first.maxQueuesPerInterface ?? first.queues,
    flexibleQueues: info.FlexibleEnaQueuesSupport === 'supported',
    bandwidthWeightings: info.BandwidthWeightings ?? [],
    currentGeneration: type.CurrentGeneration ?? null,
    bootModes: type.SupportedBootModes ?? null,
    placementStrategies: type.PlacementGroupInfo?.SupportedStrategies ?? null,
    asOf,
  };
}

function cardOf(from: z.infer<typeof card>): NetworkCard {
  return {
    maxInterfaces: from.MaximumNetworkInterfaces,
    baselineGbps: from.BaselineBandwidthInGbps ?? null,
    peakGbps: from.PeakBandwidthInGbps ?? null,
    queues: from.DefaultEnaQueueCountPerInterface ?? null,
    maxQueuesPerInterface: from.MaximumEnaQueueCountPerInterface ?? null,
    maxQueues: from.MaximumEnaQueueCount ?? null,
    flexibleInterfaces: from.AdditionalFlexibleNetworkInterfaces ?? null,
  };
}

/** The one card's figure; of several what the performance text says, as the catalogue has it. */
function totalOf(
  key: 'baselineGbps' | 'peakGbps',
  cards: readonly NetworkCard[],
  performance: string,
): number | null {
  const [only, second] = cards;
  const inText = gbpsInText(performance);
  return second === undefined ? (only?.[key] ?? inText) : inText;
}
