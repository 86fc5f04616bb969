/**
 * What an instance type makes of a NIC model: whether it has one, and then its link, its queues and
 * the generation of its card. Labs and `virtfn nic --type` ask here.
 */
import type { InstanceType } from '../../vpc/instance-type.ts';
import { cardGbps } from '../../vpc/types/cards.ts';
import { guestView } from '../../vpc/types/guest-view.ts';
import { nitroVersionOf } from '../../vpc/types/nitro-versions.ts';
import { type ModelName, modelOf } from '../dataplane/models.ts';
import type { FunctionSpec } from '../dataplane/nic-model.ts';

/** In the place of a profile's name: the one of the instance type's generation. */
export const PROFILE_OF_TYPE = 'type';

export function hasNic(type: InstanceType, model: ModelName): boolean {
  if (model === 'efa') return type.efaInterfaces > 0;
  return model === 'ena' ? type.ena !== 'unsupported' : type.vf82599;
}

/** Link and queues of a type that has the NIC; what is absent is the model's own choice. */
export function specOfType(
  type: InstanceType,
  model: ModelName,
): Pick<FunctionSpec, 'linkMbps' | 'queuePairs'> {
  if (model === 'efa') return { linkMbps: Math.round(cardGbps(type).peak * 1000) };
  const { linksMbps, defaultLinkMbps } = modelOf(model);
  if (linksMbps !== null) return { linkMbps: defaultLinkMbps };
  const { linkMbps, queuePairs } = guestView(type);
  return { linkMbps, ...(queuePairs !== null && { queuePairs }) };
}

/**
 * The profile of the type's generation; null: not known. EFA's first device came with Nitro v3, and
 * each version since has had the next one.
 */
export function profileOfType(type: InstanceType, model: ModelName): string | null {
  const { profiles } = modelOf(model);
  if (model === '82599vf') return profiles[0] ?? null;
  const nitro = nitroVersionOf(type)?.version ?? 0;
  const name = model === 'ena' ? `nitro-v${nitro}` : `efa${nitro - 3}`;
  return profiles.includes(name) ? name : null;
}

/** The profile that is meant, by its own name. */
export function resolveProfile(
  profile: string,
  type: InstanceType,
  model: ModelName,
): string | undefined {
  return profile === PROFILE_OF_TYPE
    ? (profileOfType(type, model) ?? undefined)
    : modelOf(model).profiles.find((name) => name === profile);
}

/** What was expected instead of a profile that cannot be; undefined: it can. */
export function profileProblem(
  profile: string,
  type: InstanceType,
  model: ModelName,
): string | undefined {
  if (resolveProfile(profile, type, model) !== undefined) return undefined;
  const { title, profiles } = modelOf(model);
  const names = profiles.join(', ');
  return profile === PROFILE_OF_TYPE
    ? `expected a profile of ${title} by its name, as the generation of ${type.name} is not known: ${names}`
    : `expected a profile of ${title}: ${names}; or ${PROFILE_OF_TYPE}: that of the instance type`;
}
