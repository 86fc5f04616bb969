/**
 * The topology file: which instances a lab has, and what it measures. YAML, checked as a whole;
 * every error says file, line and column, what was found and what was expected. Annotated example:
 * examples/two-instances.yaml, which is also the lab without a file.
 */

import { isIP, isIPv4 } from 'node:net';
import { z } from 'zod';
import type { Express } from '../../switch/express.ts';
import { checkVpcModel } from '../../vpc/check-model.ts';
import type { InstanceTypes } from '../../vpc/instance-types.ts';
import type { LimitValues } from '../../vpc/limits.ts';
import type { VpcModel } from '../../vpc/model.ts';
import {
  type EthernetName,
  ethernetNames,
  type ModelName,
  nicModels,
} from '../dataplane/models.ts';
import { ACCESS_CHOICES, type AccessChoice } from '../nic/access.ts';
import { EXPRESS, expressOf, expressProblem } from '../nic/express.ts';
import { hasNic, profileProblem } from '../nic/of-type.ts';
import { type OutsideRequest, outsideSchema } from '../outside/open.ts';
import { buildVpc } from '../vpc/build.ts';
import { isWithin } from '../vpc/cidr.ts';
import { type Issue, Issues, placeOf } from '../vpc/names.ts';
import { type InstanceInVpc, instanceInVpc, type VpcSection, vpcSection } from '../vpc/section.ts';
import { limitsProblem, limitsSchema } from './limits.ts';
import { expected, isMac, isName, text, whole } from './schema.ts';
import { type Found, TopologyError } from './topology-error.ts';
import { readYaml } from './yaml-file.ts';

/**
 * What the instances' own NICs are compared with, their own model left out: functions, of which
 * `ena-whole` is an ENA with the profile `large-receive`; then QEMU's.
 */
export const COMPARABLE = [
  ...(['ena', 'ena-whole', '82599vf', 'e1000e', 'igb', 'virtio', 'virtio-dgram'] as const),
] as const;
export type Comparable = (typeof COMPARABLE)[number];
/** Those that a lab compares with when nobody says. */
const USUAL: readonly Comparable[] = ['ena', '82599vf', 'e1000e', 'virtio'];

/** Below the least that IPv4 needs a driver may refuse; above EC2's jumbo frames QEMU's do. */
const MTU = { min: 576, max: 9001 };

export type Instance = {
  readonly name: string;
  readonly type: string;
  readonly nic: EthernetName;
  /** A series, or a path; absent: the first that the machine's distribution has. */
  readonly kernel?: string;
  readonly image?: string;
  readonly mac?: string;
  readonly address?: string;
  /** A generation profile of the NIC's, `type` for that of its type; absent: its default. */
  readonly profile?: string;
  readonly access?: AccessChoice;
  readonly memoryMb?: number;
  readonly cpus?: number;
  /** Set instead of what the type has; null: none is enforced. */
  readonly limits?: LimitValues | null;
  readonly express?: Express;
};

export type Measure = {
  /** Of every NIC that is measured. */
  readonly mtu: number;
  readonly rounds: number;
  /** Per TCP and UDP run. */
  readonly seconds: number;
  /** Per round. */
  readonly pings: number;
  readonly compare: readonly Comparable[];
};

export type Topology = {
  /** An Ethernet's; of no meaning where there is a VPC. */
  readonly network: { readonly router: string; readonly prefix: number; readonly mtu: number };
  /** What the instances are in instead of an Ethernet; each has an interface there. */
  readonly vpc?: VpcModel;
  /** Where the VPC's gateways lead to; nowhere if absent. */
  readonly outside?: OutsideRequest;
  /** A name server whom the VPC's resolver asks about other names; nobody if absent. */
  readonly resolver?: string;
  /** In the order of the file; traffic goes from the first to the second. */
  readonly instances: readonly Instance[];
  readonly measure: Measure;
  /** Speed is measured; in a VPC when the file says so only. */
  readonly measuresSpeed: boolean;
};

const DEFAULT_TYPE = nicModels.ena.defaultType;
const DEFAULT_ROUTER = '10.0.0.1/16';

const isPrefixed = (value: string): boolean => {
  const [address = '', length = '', ...rest] = value.split('/');
  return isIPv4(address) && /^\d+$/.test(length) && +length >= 8 && +length <= 29 && !rest.length;
};

const network = z.strictObject(
  {
    router: text('an IPv4 address with its prefix, like 10.0.0.1/16', isPrefixed).optional(),
    mtu: whole('an MTU', MTU.min, MTU.max).optional(),
  },
  expected('the network: router, mtu'),
);

const instanceSchema = (types: InstanceTypes) =>
  instanceFields.superRefine((instance, context) => {
    const { nic = 'ena', 'interface-type': kind, profile, limits } = instance;
    const name = typeOf(instance);
    const wrong =
      typeProblem(types, name, nic) ?? typeProblem(types, name, hasEfa(kind) ? 'efa' : nic);
    if (wrong !== undefined) context.addIssue({ code: 'custom', path: ['type'], message: wrong });
    if (hasEfa(kind) && nic !== 'ena')
      context.addIssue({ code: 'custom', path: ['nic'], message: 'expected ena beside an EFA' });
    const unfit = wrong === undefined ? limitsProblem(types.get(name), limits) : undefined;
    if (unfit !== undefined) context.addIssue({ code: 'custom', path: ['limits'], message: unfit });
    const express =
      wrong === undefined && instance['ena-express'] !== undefined
        ? expressProblem(types.get(name), nic)
        : undefined;
    if (express !== undefined)
      context.addIssue({ code: 'custom', path: ['ena-express'], message: express });
    if (wrong !== undefined || profile === undefined) return;
    const message = profileProblem(profile, types.get(name), nic);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['profile'], message });
  });

const hasEfa = (kind: InstanceInVpc['interface-type']): boolean =>
  (kind ?? 'interface') !== 'interface';

const instanceFields = z.strictObject(
  {
    type: z.string(expected(`an EC2 instance type, like ${DEFAULT_TYPE}`)).optional(),
    nic: z.enum(ethernetNames, expected(`a NIC model: ${ethernetNames.join(', ')}`)).optional(),
    kernel: text(
      `a kernel series in quotes, like "6.12", or a path`,
      (value) => value !== '',
    ).optional(),
    image: text('the path of a qcow2 or raw disk image', (value) => value !== '').optional(),
    mac: text('the MAC of one interface, like 02:00:00:00:00:01', isMac).optional(),
    profile: text("a profile of the NIC's, like nitro-v5", (value) => value !== '').optional(),
    access: z
      .enum(ACCESS_CHOICES, expected(`a way to the function: ${ACCESS_CHOICES.join(', ')}`))
      .optional(),
    limits: limitsSchema.optional(),
    'ena-express': z
      .enum(EXPRESS, expected(`what goes by ENA Express: ${EXPRESS.join(', ')} (and TCP)`))
      .optional(),
    memory: whole('MiB of memory', 128, 65_536).optional(),
    cpus: whole('virtual CPUs', 1, 64).optional(),
    ...instanceInVpc,
  },
  expected(
    `an instance: type, nic, kernel, image, mac, profile, access, limits, ena-express, memory, cpus, ${Object.keys(instanceInVpc).join(', ')}`,
  ),
);

const measure = z.strictObject(
  {
    mtu: whole('an MTU', MTU.min, MTU.max).optional(),
    rounds: whole('rounds', 1, 100).optional(),
    seconds: whole('seconds per run', 1, 600).optional(),
    pings: whole('pings per round', 10, 10_000).optional(),
    compare: z
      .array(
        z.enum(COMPARABLE, expected(`another NIC: ${COMPARABLE.join(', ')}`)),
        expected(`a list of NICs: [${COMPARABLE.join(', ')}], or []`),
      )
      .optional(),
  },
  expected('what to measure: mtu, rounds, seconds, pings, compare'),
);

const schemaFor = (types: InstanceTypes) =>
  z.strictObject(
    {
      network: network.optional(),
      vpc: vpcSection.optional(),
      outside: outsideSchema.optional(),
      resolver: text('the address of a name server', (value) => isIP(value) !== 0).optional(),
      instances: z
        .record(
          text('a name of lower-case letters, digits and dashes, like web-1', isName),
          instanceSchema(types),
          expected('instances by name, like: { a: {}, b: {} }'),
        )
        .refine((all) => Object.keys(all).length >= 2, expected('two instances or more')),
      measure: measure.optional(),
    },
    expected('a topology: network or vpc, outside, resolver, instances, measure'),
  );

/** @param file the name for messages. @throws TopologyError for the first thing that is wrong */
export function parseTopology(source: string, file: string, types: InstanceTypes): Topology {
  const found = readYaml(source, file);
  const result = schemaFor(types).safeParse(found.value);
  if (!result.success) throw TopologyError.ofIssues(found, result.error.issues);
  const { network, vpc, outside, resolver, instances, measure: wanted } = result.data;
  const members = instancesOf(instances);
  const all = {
    ...{ network: networkOf(network), instances: members },
    ...{
      measure: measureOf(members[0]?.nic, wanted),
      measuresSpeed: vpc === undefined || wanted !== undefined,
    },
  };
  if (vpc === undefined) {
    const clash = firstClash(instances, network?.router ?? DEFAULT_ROUTER);
    const issues = new Issues();
    if (outside !== undefined) issues.add(['outside'], 'none, as there is no vpc');
    if (resolver !== undefined) issues.add(['resolver'], 'none, as there is no vpc');
    if (issues.all.length > 0) throw TopologyError.ofIssues(found, issues.all);
    if (clash !== undefined) throw TopologyError.ofIssues(found, [clash]);
    return all;
  }
  const model = modelOf(vpc, result.data, found);
  return {
    ...all,
    vpc: model,
    ...(outside !== undefined && { outside }),
    ...(resolver !== undefined && { resolver }),
  };
}

type File = z.infer<ReturnType<typeof schemaFor>>;

/** The section as a model. @throws TopologyError */
function modelOf(vpc: VpcSection, { network, instances }: File, found: Found): VpcModel {
  const issues = new Issues();
  if (network !== undefined) issues.add(['network'], 'either a network or a vpc');
  const inputs = Object.entries(instances).map(([name, instance]) => {
    return { ...instance, name, type: typeOf(instance) };
  });
  const model = buildVpc(vpc, inputs, issues);
  if (issues.all.length > 0) throw TopologyError.ofIssues(found, issues.all);
  const [problem] = checkVpcModel(model);
  if (problem !== undefined) throw TopologyError.at(found, placeOf(problem), problem);
  return model;
}

function networkOf({
  router = DEFAULT_ROUTER,
  mtu = 9001,
}: NonNullable<File['network']> = {}): Topology['network'] {
  const [address = '', prefix] = router.split('/');
  return { router: address, prefix: Number(prefix), mtu };
}

function instancesOf(instances: File['instances']): Instance[] {
  return Object.entries(instances).map(([name, instance]): Instance => {
    const { nic = 'ena', kernel, image, mac, profile, access, cpus, limits } = instance;
    const type = typeOf(instance);
    const choice = instance['ena-express'];
    const express = choice && expressOf(choice);
    const rest = { kernel, image, mac, profile, access, cpus, limits, express };
    const given = Object.entries({
      ...rest,
      address: instance.address?.[0],
      memoryMb: instance.memory,
    }).filter(([, value]) => value !== undefined);
    return { name, type, nic, ...Object.fromEntries(given) };
  });
}

function typeOf({ type, nic = 'ena', 'interface-type': kind }: File['instances'][string]): string {
  return type ?? nicModels[hasEfa(kind) ? 'efa' : nic].defaultType;
}

function measureOf(own: EthernetName | undefined, wanted: File['measure'] = {}): Measure {
  return {
    mtu: wanted.mtu ?? 1500,
    rounds: wanted.rounds ?? 3,
    seconds: wanted.seconds ?? 1,
    pings: wanted.pings ?? 250,
    compare: [...new Set(wanted.compare ?? USUAL)].filter((nic) => nic !== own),
  };
}

/** The lab without a file: what examples/two-instances.yaml says. */
export function defaultTopology(types: InstanceTypes): Topology {
  const instances = 'instances: { a: { address: 10.0.0.10 }, b: { address: 10.0.0.11 } }';
  return parseTopology(instances, 'the built-in topology', types);
}

/** Without a VPC: what only a VPC has, an address or MAC twice, or one outside of the network. */
function firstClash(instances: File['instances'], network: string): Issue | undefined {
  const issues = new Issues();
  const [router = '', prefix] = network.split('/');
  const taken = new Map([[router, 'the router']]);
  for (const [name, instance] of Object.entries(instances)) {
    const path = ['instances', name];
    const [address, second] = instance.address ?? [];
    for (const key of vpcOnly)
      if (instance[key] !== undefined) issues.add([...path, key], 'a vpc section for that');
    if (second !== undefined) issues.add([...path, 'address', 1], 'a vpc section for a second one');
    if (address !== undefined && !isWithin(address, `${router}/${prefix}`))
      issues.add([...path, 'address'], `an address of the network ${network}`);
    for (const [key, value] of Object.entries({ address, mac: instance.mac?.toLowerCase() })) {
      if (value === undefined) continue;
      const owner = taken.get(value);
      if (owner !== undefined) issues.add([...path, key], `another one than that of ${owner}`);
      taken.set(value, name);
    }
  }
  return issues.all[0];
}

const vpcOnly = (Object.keys(instanceInVpc) as (keyof InstanceInVpc)[]).filter(
  (key) => key !== 'address',
);

function typeProblem(types: InstanceTypes, name: string, nic: ModelName): string | undefined {
  const { defaultType, title } = nicModels[nic];
  if (!types.has(name)) {
    const near = types.near(name);
    const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
    return `expected an EC2 instance type, like ${defaultType}${hint}`;
  }
  const hasIt = hasNic(types.get(name), nic);
  return hasIt ? undefined : `expected a type that has ${title}, like ${defaultType}`;
}
