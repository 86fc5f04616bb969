/** The NICs that virtfn has: one entry each. Everything that lists or makes them reads this table. */
import { randomFillSync } from 'node:crypto';
import { EfaFunction } from '../../devices/efa/efa-function.ts';
import { efaProfiles } from '../../devices/efa/profile.ts';
import { efaRules } from '../../devices/efa/rules.ts';
import { EnaFunction } from '../../devices/ena/ena-function.ts';
import { enaProfiles } from '../../devices/ena/profile.ts';
import { enaRules } from '../../devices/ena/rules.ts';
import { IxgbevfFunction, linkSpeeds } from '../../devices/ixgbevf/ixgbevf-function.ts';
import { ixgbevfProfiles } from '../../devices/ixgbevf/profile.ts';
import { ixgbevfRules } from '../../devices/ixgbevf/rules.ts';
import { macBytes, parseMac } from '../../net/ethernet.ts';
import type { FunctionSpec, NicModel, ServedNic, Site } from './nic-model.ts';

export const nicModels = {
  ena: {
    title: 'ENA',
    driver: 'ena',
    profiles: namesOf(enaProfiles),
    access: ['posted', 'llq', 'polled'],
    defaultLinkMbps: 12_500,
    defaultType: 'c6i.large',
    linksMbps: null,
    maxMtu: 9216,
    spoofCheck: { byDefault: false, ofAddresses: true },
    maxFunctions: 64,
    isFabric: false,
    hasParent: false,
    rules: Object.values(enaRules),
    create: (spec, profile, { host, port }) => {
      const { linkMbps, queuePairs, access, egressFragmentsPps } = spec;
      const options = {
        ...{ mac: macBytes(parseMac(spec.mac)), linkMbps, profile: named(enaProfiles, profile) },
        ...(queuePairs !== undefined && { queuePairs }),
        ...(access !== undefined && { access }),
        ...(egressFragmentsPps !== undefined && { egressFragmentsPps }),
      };
      return new EnaFunction(options, host, port);
    },
  },
  '82599vf': {
    title: '82599 VF',
    driver: 'ixgbevf',
    profiles: namesOf(ixgbevfProfiles),
    access: ['posted', 'polled'],
    defaultLinkMbps: 10_000,
    defaultType: 'c4.large',
    linksMbps: [...linkSpeeds.keys()],
    maxMtu: 9710,
    spoofCheck: { byDefault: true, ofAddresses: false },
    maxFunctions: 63,
    isFabric: false,
    hasParent: true,
    rules: Object.values(ixgbevfRules),
    create: (spec, profile, { host, port }) => {
      const { linkMbps, queuePairs, access, spoofCheck, parent } = spec;
      const options = {
        ...{ mac: macBytes(parseMac(spec.mac)), linkMbps },
        profile: named(ixgbevfProfiles, profile),
        ...(queuePairs !== undefined && { queuePairs }),
        ...(access === 'polled' && { access }),
        parent: { ...parent, ...(spoofCheck !== undefined && { spoofCheck }) },
      };
      return new IxgbevfFunction(options, host, port);
    },
  },
  efa: {
    title: 'EFA',
    driver: 'efa',
    profiles: namesOf(efaProfiles),
    access: ['llq', 'posted', 'polled'],
    defaultLinkMbps: 100_000,
    defaultType: 'c5n.18xlarge',
    linksMbps: null,
    maxMtu: 9216,
    spoofCheck: { byDefault: true, ofAddresses: false },
    maxFunctions: 64,
    isFabric: true,
    hasParent: false,
    rules: Object.values(efaRules),
    create: (spec, profile, { host, port }) => {
      const { linkMbps, access, fabric } = spec;
      const options = {
        ...{ mac: parseMac(spec.mac), linkMbps, profile: named(efaProfiles, profile) },
        secret: randomFillSync(new Uint32Array(4)),
        ...(access !== undefined && { access }),
        ...(fabric !== undefined && { faults: fabric }),
      };
      return new EfaFunction(options, host, port);
    },
  },
} as const satisfies Record<string, NicModel>;

export type ModelName = keyof typeof nicModels;

/** Those that a guest has a network interface on. */
export type EthernetName = Exclude<ModelName, 'efa'>;

export const ethernetNames = Object.keys(nicModels).filter(
  (name): name is EthernetName => name !== 'efa',
);

/** Throws a RangeError for a model that carries no frames of a guest. */
export function ethernetModel(name: ModelName): EthernetName {
  if (name === 'efa') throw new RangeError('an EFA is no network interface');
  return name;
}

export const modelNames = Object.keys(nicModels) as ModelName[];

export const isModel = (name: string): name is ModelName => Object.hasOwn(nicModels, name);

export const modelOf = (name: ModelName): NicModel => nicModels[name];

/** Throws for a profile that does not exist, or for what no such card can be. */
export function createNic(model: ModelName, spec: FunctionSpec, site: Site): ServedNic {
  const { title, profiles, create } = modelOf(model);
  const profile = spec.profile ?? (profiles[0] as string);
  if (!profiles.includes(profile))
    throw new Error(
      `${spec.name}: no ${title} profile is named '${profile}'; there are: ${profiles.join(', ')}`,
    );
  return create(spec, profile, site);
}

function namesOf(profiles: readonly { readonly name: string }[]): string[] {
  return profiles.map(({ name }) => name);
}

function named<P extends { readonly name: string }>(profiles: readonly P[], name: string): P {
  const found = profiles.find((profile) => profile.name === name);
  if (found === undefined) throw new Error(`unreachable: ${name} is one of the profiles`);
  return found;
}
