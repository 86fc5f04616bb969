/** The instances of a model as a lab's guests: their interfaces, and what of them must stay. */
import { hasEfa, isPrimary } from '../../vpc/check-efa.ts';
import type { NetworkInterface, VpcModel } from '../../vpc/model.ts';

/** The interface of an instance. Throws when it has none. */
export function interfaceOf(model: VpcModel, name: string): NetworkInterface {
  const found = findInterface(model, name);
  if (found === undefined) throw new Error(`the instance ${name} has no network interface`);
  return found;
}

export function findInterface(
  { instances, interfaces }: VpcModel,
  name: string,
): NetworkInterface | undefined {
  const id = instances.find((instance) => instance.name === name)?.id;
  return interfaces.find((at) => at.instance !== undefined && at.instance === id && isPrimary(at));
}

/** The interface of an instance that has an EFA; undefined: none has. */
export function findEfa(
  { instances, interfaces }: VpcModel,
  name: string,
): NetworkInterface | undefined {
  const id = instances.find((instance) => instance.name === name)?.id;
  return interfaces.find((at) => at.instance !== undefined && at.instance === id && hasEfa(at));
}

/** Whether an instance is in a cluster placement group. */
export function isPlaced({ instances, placementGroups }: VpcModel, name: string): boolean {
  const group = instances.find((instance) => instance.name === name)?.placementGroup;
  return placementGroups.some(({ id, strategy }) => id === group && strategy === 'cluster');
}

/** The one that DHCP tells. */
export const firstAddress = ({ addresses }: NetworkInterface): string =>
  addresses[0]?.address ?? '';

/**
 * Why a model cannot take the place of the one that runs, a sentence each: guests that run keep
 * their NIC and their first address, as instances in EC2 do, and others do not boot by themselves.
 */
export function objectionsTo(running: VpcModel, next: VpcModel): string[] {
  const names = running.instances.map(({ name }) => name);
  const others = next.instances.filter(({ name }) => !names.includes(name));
  return [
    ...names.flatMap((name) => {
      const was = interfaceOf(running, name);
      const is = findInterface(next, name);
      if (is === undefined) return [`${name} runs, and has no interface in the new VPC`];
      const efas = [findEfa(running, name)?.mac, findEfa(next, name)?.mac] as const;
      return [
        ...(efas[0] === efas[1]
          ? []
          : [`${name} runs, and its EFA stays as it is: ${efas[0] ?? 'none'}, not ${efas[1]}`]),
        ...(is.mac === was.mac ? [] : [`${name} has the MAC ${was.mac} and cannot get ${is.mac}`]),
        ...(firstAddress(is) === firstAddress(was)
          ? []
          : [
              `${name} has the address ${firstAddress(was)} and cannot get ${firstAddress(is)}: a primary address stays`,
            ]),
      ];
    }),
    ...others.map(({ name }) => `${name} does not run: end the lab and start it with the new file`),
  ];
}
