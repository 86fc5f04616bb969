/** What a topology leaves open is chosen here, from the instance types and the machine. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { InstanceTypes } from '../../vpc/instance-types.ts';
import { modelOf } from '../dataplane/models.ts';
import { type ChosenFunction, chooseFunctions } from '../nic/functions.ts';
import { firstAddress, interfaceOf } from '../vpc/members.ts';
import type { Topology } from './topology.ts';

/** A function per instance, whose sockets are in `directory`. @throws FunctionError */
export function functionsOf(topology: Topology, directory: string): ChosenFunction[] {
  const { instances, network, vpc } = topology;
  const types = InstanceTypes.load();
  const requests = instances.map(({ name, type, nic, profile, access, ...given }) => {
    const at = vpc === undefined ? null : interfaceOf(vpc, name);
    const { mac, address } = at === null ? given : { mac: at.mac, address: firstAddress(at) };
    const { queues } = types.get(type);
    const { linksMbps, defaultLinkMbps } = modelOf(nic);
    const followsType = linksMbps === null;
    return {
      ...{
        name,
        model: nic,
        socket: join(directory, `${name}.sock`),
        linkMbps: followsType ? types.linkMbps(type) : defaultLinkMbps,
      },
      ...(mac !== undefined && { mac }),
      ...(address !== undefined && { address }),
      ...(profile !== undefined && { profile }),
      ...(access !== undefined && { access }),
      ...(queues !== null && followsType && { queuePairs: queues }),
    };
  });
  return chooseFunctions(requests, vpc === undefined ? network : null);
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
