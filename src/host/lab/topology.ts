/**
 * The topology file: which instances a lab has, and what it measures. YAML, checked as a whole;
 * every error says file, line and column, what was found and what was expected. Annotated example:
 * examples/two-instances.yaml, which is also the lab without a file.
 */
import { BlockList, isIPv4 } from 'node:net';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { InstanceTypes } from '../../vpc/instance-types.ts';
import { type ModelName, modelNames } from '../dataplane/models.ts';
import { ACCESS, type Access } from '../dataplane/nic-model.ts';
import { type Found, TopologyError } from './topology-error.ts';

export const COMPARABLE = ['e1000e', 'virtio'] as const;
/** A NIC of QEMU's own that ENA is compared with. */
export type Comparable = (typeof COMPARABLE)[number];

/** Below the least that IPv4 needs a driver may refuse; above EC2's jumbo frames QEMU's do. */
const MTU = { min: 576, max: 9001 };

export type Instance = {
  readonly name: string;
  readonly type: string;
  readonly nic: ModelName;
  /** A series, or a path; absent: the first that the machine's distribution has. */
  readonly kernel?: string;
  readonly image?: string;
  readonly mac?: string;
  readonly address?: string;
  readonly access?: Access;
  readonly memoryMb?: number;
  readonly cpus?: number;
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
  readonly network: { readonly router: string; readonly prefix: number; readonly mtu: number };
  /** In the order of the file; traffic goes from the first to the second. */
  readonly instances: readonly Instance[];
  readonly measure: Measure;
};

const DEFAULT_TYPE = 'c6i.large';
const DEFAULT_ROUTER = '10.0.0.1/16';

/** Says what was expected where a value is not what it should be. */
const expected = (what: string) => ({ error: `expected ${what}` });

const text = (what: string, fits: (value: string) => boolean) =>
  z.string(expected(what)).refine(fits, expected(what));
const whole = (what: string, min: number, max: number) => {
  const range = expected(`${what}, a whole number from ${min} to ${max}`);
  return z.number(range).int(range).min(min, range).max(max, range);
};
const table = (what: string) => ({ error: `expected ${what}` });

const isPrefixed = (value: string): boolean => {
  const [address = '', length = '', ...rest] = value.split('/');
  return isIPv4(address) && /^\d+$/.test(length) && +length >= 8 && +length <= 29 && !rest.length;
};
const isMac = (value: string): boolean => /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(value);
const isName = (value: string): boolean => /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/.test(value);

const network = z.strictObject(
  {
    router: text('an IPv4 address with its prefix, like 10.0.0.1/16', isPrefixed).optional(),
    mtu: whole('an MTU', MTU.min, MTU.max).optional(),
  },
  table('the network: router, mtu'),
);

const instanceSchema = (types: InstanceTypes) =>
  z.strictObject(
    {
      type: z
        .string(expected(`an EC2 instance type, like ${DEFAULT_TYPE}`))
        .superRefine((value, context) => {
          const problem = typeProblem(types, value);
          if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
        })
        .optional(),
      nic: z.enum(modelNames, expected(`a NIC model: ${modelNames.join(', ')}`)).optional(),
      kernel: text(
        `a kernel series in quotes, like "6.12", or a path`,
        (value) => value !== '',
      ).optional(),
      image: text('the path of a qcow2 or raw disk image', (value) => value !== '').optional(),
      mac: text('the MAC of one interface, like 02:00:00:00:00:01', isMac).optional(),
      address: text('an IPv4 address, like 10.0.0.10', isIPv4).optional(),
      access: z.enum(ACCESS, expected(`a way to the function: ${ACCESS.join(', ')}`)).optional(),
      memory: whole('MiB of memory', 128, 65_536).optional(),
      cpus: whole('virtual CPUs', 1, 64).optional(),
    },
    table('an instance: type, nic, kernel, image, mac, address, access, memory, cpus'),
  );

const measure = z.strictObject(
  {
    mtu: whole('an MTU', MTU.min, MTU.max).optional(),
    rounds: whole('rounds', 1, 100).optional(),
    seconds: whole('seconds per run', 1, 600).optional(),
    pings: whole('pings per round', 10, 10_000).optional(),
    compare: z
      .array(
        z.enum(COMPARABLE, expected(`a NIC of QEMU's: ${COMPARABLE.join(', ')}`)),
        expected(`a list of QEMU's NICs: [${COMPARABLE.join(', ')}], or []`),
      )
      .optional(),
  },
  table('what to measure: mtu, rounds, seconds, pings, compare'),
);

const schemaFor = (types: InstanceTypes) =>
  z.strictObject(
    {
      network: network.optional(),
      instances: z
        .record(
          text('a name of lower-case letters, digits and dashes, like web-1', isName),
          instanceSchema(types),
          table('instances by name, like: { a: {}, b: {} }'),
        )
        .refine((all) => Object.keys(all).length >= 2, expected('two instances or more')),
      measure: measure.optional(),
    },
    table('a topology: network, instances, measure'),
  );

/** @param file the name for messages. @throws TopologyError for the first thing that is wrong */
export function parseTopology(source: string, file: string, types: InstanceTypes): Topology {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const found: Found = { file, document: document as Document, lines };
  const [error] = document.errors;
  if (error !== undefined) throw TopologyError.ofSyntax(found, error);
  const result = schemaFor(types).safeParse(document.toJS());
  if (!result.success) throw TopologyError.ofIssues(found, result.error.issues);
  const clash = firstClash(result.data.instances, result.data.network?.router ?? DEFAULT_ROUTER);
  if (clash !== undefined) throw TopologyError.ofIssues(found, [clash]);
  const { network = {}, instances, measure: wanted = {} } = result.data;
  const [router = '', prefix] = (network.router ?? DEFAULT_ROUTER).split('/');
  return {
    network: { router, prefix: Number(prefix), mtu: network.mtu ?? 9001 },
    instances: Object.entries(instances).map(([name, instance]): Instance => {
      const { type = DEFAULT_TYPE, nic = 'ena', memory, ...rest } = instance;
      const given = Object.entries({ ...rest, memoryMb: memory }).filter(
        ([, v]) => v !== undefined,
      );
      return { name, type, nic, ...Object.fromEntries(given) };
    }),
    measure: {
      mtu: wanted.mtu ?? 1500,
      rounds: wanted.rounds ?? 3,
      seconds: wanted.seconds ?? 1,
      pings: wanted.pings ?? 250,
      compare: [...new Set(wanted.compare ?? COMPARABLE)],
    },
  };
}

/** The lab without a file: what examples/two-instances.yaml says. */
export function defaultTopology(types: InstanceTypes): Topology {
  const instances = 'instances: { a: { address: 10.0.0.10 }, b: { address: 10.0.0.11 } }';
  return parseTopology(instances, 'the built-in topology', types);
}

/** An address or MAC that another instance has too, or an address outside of the network. */
function firstClash(
  instances: Readonly<Record<string, { address?: string | undefined; mac?: string | undefined }>>,
  network: string,
): z.core.$ZodIssueCustom | undefined {
  const issue = (path: string[], what: string): z.core.$ZodIssueCustom => {
    return { code: 'custom', path: ['instances', ...path], message: `expected ${what}`, input: '' };
  };
  const [router = '', prefix] = network.split('/');
  const taken = new Map([[router, 'the router']]);
  for (const [name, { address, mac }] of Object.entries(instances)) {
    if (address !== undefined && !isWithin(address, router, Number(prefix)))
      return issue([name, 'address'], `an address of the network ${network}`);
    for (const [key, value] of Object.entries({ address, mac: mac?.toLowerCase() })) {
      if (value === undefined) continue;
      const owner = taken.get(value);
      if (owner !== undefined) return issue([name, key], `another one than that of ${owner}`);
      taken.set(value, name);
    }
  }
  return undefined;
}

function isWithin(address: string, router: string, prefix: number): boolean {
  const list = new BlockList();
  list.addSubnet(router, prefix);
  return list.check(address);
}

function typeProblem(types: InstanceTypes, name: string): string | undefined {
  if (!types.has(name)) {
    const near = types.near(name);
    const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
    return `expected an EC2 instance type, like ${DEFAULT_TYPE}${hint}`;
  }
  if (types.get(name).ena === 'unsupported')
    return `expected a type that has ENA, like ${DEFAULT_TYPE}`;
  return undefined;
}
