/**
 * The `hpc` lab: MPI between guests over EFA, and over TCP on ENA in the same guests, in turns; then
 * perftest over EFA and over Soft-RoCE on ENA. It looks at what the EFAs carried meanwhile, so that
 * nobody has to believe that they did.
 */
import { explainFabric } from '../../vpc/explain-fabric.ts';
import type { VpcModel } from '../../vpc/model.ts';
import { chooseAccelerator } from '../guest/accelerator.ts';
import { ensureRdmaImage } from '../guest/rdma-image.ts';
import { ensureTools } from '../guest/tools.ts';
import { cacheDirectory } from '../packages/cache.ts';
import type { Progress } from '../packages/progress.ts';
import {
  HpcCluster,
  HpcError,
  type HpcOptions,
  type MpiResult,
  type MpiTransport,
} from './hpc-cluster.ts';
import {
  addSoftRoce,
  perftest,
  RDMA_TRANSPORTS,
  type RdmaResult,
  type RdmaTransport,
} from './hpc-perftest.ts';
import { hostFacts } from './machine.ts';

export const HPC_TRANSPORTS: readonly MpiTransport[] = ['efa', 'tcp'];
/** The kernel series that `efa.ko` is compiled for. */
export const HPC_KERNEL = '6.12';

export type HpcReport = {
  readonly machine: ReturnType<typeof hostFacts>;
  readonly accelerator: string;
  readonly kernel: string;
  readonly options: HpcOptions;
  readonly ranks: number;
  /** By transport: the median of the rounds. */
  readonly results: Readonly<Record<MpiTransport, MpiResult>>;
  /** Between the first two guests; null: the generation of their EFA has no RDMA write. */
  readonly rdma: Readonly<Record<RdmaTransport, RdmaResult>> | null;
  /** By guest: payload that its EFA sent and received during MPI's turns over it. */
  readonly carriedBytes: readonly number[];
  /** What the first guest's EFA counted, by the names of its driver. */
  readonly efaCounters: Readonly<Record<string, number>>;
  /** What our side counts of it: what the fabric lost, what was sent again. */
  readonly fabricCounters: Readonly<Record<string, number>>;
};

export type HpcRun = HpcOptions & {
  readonly ranksPerGuest: number;
  /** How often each transport has its turn. */
  readonly turns: number;
  readonly rounds: number;
};

/** Payload that MPI's turns move at the very least, in each guest. */
const leastBytes = 1 << 16;
const writers: readonly (string | undefined)[] = [undefined, 'efa2', 'efa3'];

/** @throws SetupError, HpcError: also when MPI ran, and its data went another way than by EFA */
export async function runHpc(
  run: HpcRun,
  progress: Progress,
  step: (text: string) => void,
  signal?: AbortSignal,
): Promise<HpcReport> {
  if (run.vpc !== undefined) checkFabric(run.vpc);
  const cache = cacheDirectory();
  const { qemu } = await ensureTools({ kernels: [], progress, ...(signal && { signal }) });
  const image = await ensureRdmaImage(HPC_KERNEL, { cache, progress, signal });
  const { accelerator } = await chooseAccelerator('auto', { qemu, image, cache, progress });
  const { ranksPerGuest, turns, rounds, ...options } = run;
  step(`Booting ${options.guests} guests, each with an ENA and an EFA`);
  const cluster = await HpcCluster.start(options, { qemu, image, accelerator }, signal);
  // a measurement need not be waited for: without guests it ends too
  const abort = (): void => void cluster.close();
  signal?.addEventListener('abort', abort);
  try {
    const all: Record<MpiTransport, MpiResult[]> = { efa: [], tcp: [] };
    const carriedBytes = cluster.vms.map(() => 0);
    for (let turn = 0; turn < turns; turn++)
      for (const transport of HPC_TRANSPORTS) {
        signal?.throwIfAborted();
        step(`MPI over ${transport === 'efa' ? 'EFA' : 'TCP'}, turn ${turn + 1} of ${turns}`);
        const before = await carried(cluster);
        all[transport].push(await cluster.mpi(transport, ranksPerGuest, rounds));
        const after = await carried(cluster);
        if (transport === 'efa') addCarried(carriedBytes, before, after);
      }
    const rdma = writers.includes(options.profile)
      ? await measureRdma(cluster, rounds, step)
      : null;
    return {
      ...{ machine: hostFacts(), accelerator, kernel: image.kernelVersion, options },
      ranks: ranksPerGuest * cluster.vms.length,
      results: { efa: median(all.efa), tcp: median(all.tcp) },
      ...{ rdma, carriedBytes, efaCounters: await cluster.counters(0) },
      fabricCounters: cluster.ownCounters(0),
    };
  } finally {
    signal?.removeEventListener('abort', abort);
    await cluster.close();
  }
}

/** Whether all instances' EFAs reach each other, before anything is booted. @throws HpcError */
function checkFabric(vpc: VpcModel): void {
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

/** By guest: bytes of payload, by the counters of its driver. */
async function carried(cluster: HpcCluster): Promise<number[]> {
  const all: number[] = [];
  for (const i of cluster.vms.keys()) {
    const { tx_bytes = 0, rx_bytes = 0 } = await cluster.counters(i);
    all.push(tx_bytes + rx_bytes);
  }
  return all;
}

/** @throws HpcError when an EFA had nothing to do with it */
function addCarried(sums: number[], before: readonly number[], after: readonly number[]): void {
  for (const [i, sum] of sums.entries()) {
    const grown = (after[i] ?? 0) - (before[i] ?? 0);
    if (grown < leastBytes)
      throw new HpcError(
        `MPI said that it ran over EFA, but the EFA of guest ${i + 1} carried ${grown} bytes.`,
      );
    sums[i] = sum + grown;
  }
}

async function measureRdma(
  cluster: HpcCluster,
  rounds: number,
  step: (text: string) => void,
): Promise<Record<RdmaTransport, RdmaResult>> {
  await addSoftRoce(cluster);
  const results: Partial<Record<RdmaTransport, RdmaResult>> = {};
  for (const transport of RDMA_TRANSPORTS) {
    step(`perftest over ${transport === 'srd' ? 'EFA' : 'Soft-RoCE on ENA'}`);
    results[transport] = await perftest(cluster, transport, rounds);
  }
  return results as Record<RdmaTransport, RdmaResult>;
}

function median(results: readonly MpiResult[]): MpiResult {
  const middle = (pick: (result: MpiResult) => number): number => {
    const sorted = results.map(pick).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  return {
    ranks: results[0]?.ranks ?? 0,
    hosts: results[0]?.hosts ?? 0,
    wrong: results.reduce((sum, { wrong }) => sum + wrong, 0),
    latencyUs: middle(({ latencyUs }) => latencyUs),
    bandwidthMBs: middle(({ bandwidthMBs }) => bandwidthMBs),
  };
}
