/** Which worker serves which function. */
import type { FunctionConfig } from './config.ts';

/** Each two of them have a ring each way. */
export const maxWorkers = 16;
export const WORKERS_HELP = 'threads that instances are spread over; as many as there are at most';

/**
 * The worker of each function. Functions of an instance share limits and tracked connections, so they
 * are in one worker; EFAs talk to each other without a switch's queues, so all are in the first, with
 * what else their instances have. The others go to whoever has fewest. A worker that would have
 * nothing to do is not there: the largest number says how many there are.
 */
export function placeFunctions(functions: readonly FunctionConfig[], workers: number): number[] {
  const homes = new Map<string, number>();
  const served = Array<number>(workers).fill(0);
  const put = (fn: FunctionConfig, worker: number): void => {
    const instance = instanceOf(fn);
    const home = homes.get(instance) ?? worker;
    homes.set(instance, home);
    served[home] = (served[home] as number) + 1;
  };
  const efas = new Set(functions.filter(({ model }) => model === 'efa').map(instanceOf));
  for (const fn of functions) if (efas.has(instanceOf(fn))) put(fn, 0);
  for (const fn of functions)
    if (!efas.has(instanceOf(fn))) put(fn, served.indexOf(Math.min(...served)));
  return functions.map((fn) => homes.get(instanceOf(fn)) ?? 0);
}

const instanceOf = ({ instance, name }: FunctionConfig): string => instance ?? name;
