/**
 * Whether the EFA interfaces of a model are ones that EC2 would attach: "Elastic Fabric Adapter for AI/ML
 * and HPC workloads on Amazon EC2" and "Maximize network bandwidth with multiple network cards", EC2 User
 * Guide; InterfaceType, EC2 API reference.
 */
import type { Problems } from './check-addresses.ts';
import type { NetworkInterface, VpcModel } from './model.ts';

export const checkEfas = (model: VpcModel): Problems => [
  ...model.interfaces.flatMap(checkEfaOnly),
  ...model.instances.flatMap(({ id }) =>
    checkCards(
      id,
      model.interfaces.filter(({ instance }) => instance === id),
    ),
  ),
];

/** Whether an interface has an EFA, alone or beside an ENA. */
export const hasEfa = ({ interfaceType = 'interface' }: NetworkInterface): boolean =>
  interfaceType !== 'interface';

/** Whether it is the one that an instance is launched with and always has. */
export const isPrimary = ({ deviceIndex = 0, networkCardIndex = 0 }: NetworkInterface): boolean =>
  deviceIndex === 0 && networkCardIndex === 0;

function checkEfaOnly(at: NetworkInterface): Problems {
  const { id, interfaceType, addresses, ipv6Addresses = [], instance } = at;
  if (interfaceType !== 'efa-only') return [];
  const problems: string[] = [];
  const [address] = [...addresses.map((one) => one.address), ...ipv6Addresses];
  if (address !== undefined)
    problems.push(
      `${id} is efa-only and has the address ${address}: an EFA alone has none, take it away or choose efa`,
    );
  if (instance !== undefined && isPrimary(at))
    problems.push(
      `${id} is efa-only and the primary interface of ${instance}: give it a device index above 0`,
    );
  return problems;
}

/** "One EFA per network card." */
function checkCards(instance: string, own: readonly NetworkInterface[]): Problems {
  const holders = new Map<number, string>();
  return own.filter(hasEfa).flatMap(({ id, networkCardIndex = 0 }) => {
    const other = holders.get(networkCardIndex);
    holders.set(networkCardIndex, id);
    if (other === undefined) return [];
    return [
      `${id}: network card ${networkCardIndex} of ${instance} has ${other}'s EFA: a card has one, choose another`,
    ];
  });
}
