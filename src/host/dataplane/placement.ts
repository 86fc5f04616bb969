/** Which worker serves which function. */
import type { VpcModel } from '../../vpc/model.ts';
import type { FunctionConfig } from './config.ts';

/** Each two of them have a ring each way. */
export const maxWorkers = 16;
export const WORKERS_HELP = 'threads that instances are spread over; as many as there are at most';

/**
 * The worker of each function. Functions of an instance share limits and tracked connections, so they
 * are in one worker; EFAs talk to each other without a switch's queues, so all are in the first, with
 * what else their instances have. A cluster placement group says that its instances talk to each other
 * most of all: they fill one worker after the other. The rest go to whoever has fewest; who of them
 * talks to whom nobody has said. A worker that would have nothing to do is not there: the largest number
 * says how many there are.
 */
export function placeFunctions(
  functions: readonly FunctionConfig[],
  workers: number,
  vpc: VpcModel | null = null,
): number[] {
  const homes = new Map<string, number>();
  const served = Array<number>(workers).fill(0);
  const emptiest = (): number => served.indexOf(Math.min(...served));
  const put = (fn: FunctionConfig, worker: number): void => {
    const instance = instanceOf(fn);
    const home = homes.get(instance) ?? worker;
    homes.set(instance, home);
    served[home] = (served[home] as number) + 1;
  };
  const efas = new Set(functions.filter(({ model }) => model === 'efa').map(instanceOf));
  const others = functions.filter((fn) => !efas.has(instanceOf(fn)));
  for (const fn of functions) if (efas.has(instanceOf(fn))) put(fn, 0);
  const share = Math.ceil(functions.length / workers);
  const clusters = vpc === null ? [] : clustersOf(others, vpc);
  for (const cluster of clusters) {
    let home = emptiest();
    for (const fn of cluster) {
      if ((served[home] as number) >= share) home = emptiest();
      put(fn, home);
    }
  }
  const placed = new Set(clusters.flat());
  for (const fn of others) if (!placed.has(fn)) put(fn, emptiest());
  return functions.map((fn) => homes.get(instanceOf(fn)) ?? 0);
}

/** Functions whose interfaces are in a cluster placement group, by group, the largest first. */
function clustersOf(
  functions: readonly FunctionConfig[],
  { placementGroups, instances, interfaces }: VpcModel,
): FunctionConfig[][] {
  const owners = new Map(interfaces.map(({ mac, instance }) => [mac.toLowerCase(), instance]));
  const groups = new Map(instances.map(({ id, placementGroup }) => [id, placementGroup]));
  const groupOf = ({ mac }: FunctionConfig): string | undefined =>
    groups.get(owners.get(mac.toLowerCase()) ?? '');
  return placementGroups
    .filter(({ strategy }) => strategy === 'cluster')
    .map(({ id }) => functions.filter((fn) => groupOf(fn) === id))
    .sort((a, b) => b.length - a.length);
}

const instanceOf = ({ instance, name }: FunctionConfig): string => instance ?? name;
