/** What a topology leaves open is chosen here, from the instance types and the machine. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { type LimitValues, switchLimits } from '../../vpc/limits.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { type Cores, unknownCores } from '../nic/access.ts';
import { type ChosenFunction, chooseFunctions } from '../nic/functions.ts';
import { resolveProfile, specOfType } from '../nic/of-type.ts';
import { firstAddress, interfaceOf, isPlaced } from '../vpc/members.ts';
import { limitsOf } from './limits.ts';
import type { Instance, Topology } from './topology.ts';

/**
 * A function per instance, whose sockets are in `directory`. `cores` decide how doorbells are rung
 * where the topology leaves that open. @throws FunctionError
 */
export function functionsOf(
  topology: Topology,
  directory: string,
  cores: Cores = unknownCores,
): ChosenFunction[] {
  const { instances, network, vpc } = topology;
  const types = InstanceTypes.load();
  const requests = instances.map((instance) => {
    const { name, type, nic, profile, access, limits, express, ...given } = instance;
    const at = vpc === undefined ? null : interfaceOf(vpc, name);
    const { mac, address } = at === null ? given : { mac: at.mac, address: firstAddress(at) };
    const instanceType = types.get(type);
    const resolved = profile && (resolveProfile(profile, instanceType, nic) ?? profile);
    return {
      ...{ name, model: nic, socket: join(directory, `${name}.sock`) },
      ...specOfType(instanceType, nic),
      ...(mac !== undefined && { mac }),
      ...(address !== undefined && { address }),
      ...(resolved !== undefined && { profile: resolved }),
      ...(access !== undefined && { access }),
      ...(express !== undefined && { express }),
      ...limited(instance, limitsOf(instanceType, limits), vpc),
    };
  });
  return chooseFunctions(requests, vpc === undefined ? network : null, cores);
}

/** What the data plane is told of an instance's limits; nothing when it has none. */
function limited(
  { name, express }: Instance,
  values: LimitValues | null,
  vpc: VpcModel | undefined,
) {
  if (values === null) return {};
  const placed = vpc !== undefined && isPlaced(vpc, name);
  const { egressFragmentsPps } = values;
  return {
    limits: switchLimits(values, { placed, express: express !== undefined }),
    ...(typeof egressFragmentsPps === 'number' && { egressFragmentsPps }),
  };
}

/**
 * Virtual CPUs of each guest: the type's, but no more than the machine has for it when one core is
 * left to the data plane.
 */
export function cpusOf({ instances }: Topology): number[] {
  const types = InstanceTypes.load();
  const share = Math.max(1, Math.floor((cpus().length - 1) / instances.length));
  return instances.map(({ type, cpus }) => cpus ?? Math.min(types.get(type).vcpus, share));
}
