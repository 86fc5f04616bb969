/**
 * The `hpc` lab: MPI between guests over EFA, and over TCP on ENA in the same guests, in turns; then
 * perftest over EFA and over Soft-RoCE on ENA. It looks at what the EFAs carried meanwhile, so that
 * nobody has to believe that they did.
 */
import { chooseAccelerator } from '../guest/accelerator.ts';
import { ensureRdmaImage } from '../guest/rdma-image.ts';
import { ensureTools } from '../guest/tools.ts';
import { cacheDirectory } from '../packages/cache.ts';
import type { Progress } from '../packages/progress.ts';
import { addCarried, checkFabric } from './hpc-checks.ts';
import { HpcCluster, type HpcOptions, type MpiResult, type MpiTransport } from './hpc-cluster.ts';
import {
  addSoftRoce,
  perftest,
  RDMA_TRANSPORTS,
  type RdmaResult,
  type RdmaTransport,
} from './hpc-perftest.ts';
import { hostFacts } from './machine.ts';

export const HPC_TRANSPORTS: readonly MpiTransport[] = ['efa', 'tcp'];
/** Kernel series that `efa.ko` is compiled for, the usual one first. */
export const HPC_KERNELS = ['6.12', '7'] as const;
export type HpcKernel = (typeof HPC_KERNELS)[number];

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
  readonly series?: HpcKernel;
};

const writers: readonly (string | undefined)[] = [undefined, 'efa2', 'efa3'];

/** @throws SetupError, HpcError: also when MPI ran, and its data went another way than by EFA */
export async function runHpc(
  run: HpcRun,
  progress: Progress,
  step: (text: string) => void,
  signal?: AbortSignal,
): Promise<HpcReport> {
  if (run.vpc !== undefined) checkFabric(run.vpc);
  const { ranksPerGuest, turns, rounds, series = HPC_KERNELS[0], ...options } = run;
  const cache = cacheDirectory();
  const { qemu } = await ensureTools({ kernels: [], progress, ...(signal && { signal }) });
  const image = await ensureRdmaImage(series, { cache, progress, signal });
  const { accelerator } = await chooseAccelerator('auto', { qemu, image, cache, progress });
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

/** By guest: bytes of payload, by the counters of its driver. */
async function carried(cluster: HpcCluster): Promise<number[]> {
  const all: number[] = [];
  for (const i of cluster.vms.keys()) {
    const { tx_bytes = 0, rx_bytes = 0 } = await cluster.counters(i);
    all.push(tx_bytes + rx_bytes);
  }
  return all;
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
