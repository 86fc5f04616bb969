/**
 * What `virtfn hpc` insists on: that EFA can get from each guest to each other before any is booted, and
 * that it was the EFAs who carried what MPI says went over them.
 */
import { explainFabric } from '../../vpc/explain-fabric.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { HpcError } from './hpc-cluster.ts';

/** Payload that MPI's turns move at the very least, in each guest. */
const leastBytes = 1 << 16;

/** Whether all instances' EFAs reach each other, before anything is booted. @throws HpcError */
export function checkFabric(vpc: VpcModel): void {
  for (const { name: from } of vpc.instances)
    for (const { name: to } of vpc.instances) {
      if (from === to) continue;
      const { closed, hint } = explainFabric(vpc, from, to);
      if (closed !== null)
        throw new HpcError(
          `EFA does not get from ${from} to ${to}: it ends at the ${closed.gate} of ${closed.at}. ${hint?.text ?? ''}`,
        );
    }
}

/** Adds what EFAs have carried since `before`, by guest. @throws HpcError when one had nothing to do */
export function addCarried(
  sums: number[],
  before: readonly number[],
  after: readonly number[],
): void {
  for (const [i, sum] of sums.entries()) {
    const grown = (after[i] ?? 0) - (before[i] ?? 0);
    if (grown < leastBytes)
      throw new HpcError(
        `MPI said that it ran over EFA, but the EFA of guest ${i + 1} carried ${grown} bytes.`,
      );
    sums[i] = sum + grown;
  }
}
