/**
 * The `hpc` lab: MPI between guests over EFA, and over TCP on ENA in the same guests, in turns. It says
 * also what the EFA carried, so that nobody has to believe that it did.
 */
import { chooseAccelerator } from '../guest/accelerator.ts';
import { ensureRdmaImage } from '../guest/rdma-image.ts';
import { ensureTools } from '../guest/tools.ts';
import { cacheDirectory } from '../packages/cache.ts';
import type { Progress } from '../packages/progress.ts';
import { HpcCluster, type HpcOptions, type MpiResult, type MpiTransport } from './hpc-cluster.ts';
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
  /** What the first guest's EFA counted, by the names of its driver. */
  readonly efaCounters: Readonly<Record<string, number>>;
};

export type HpcRun = HpcOptions & {
  readonly ranksPerGuest: number;
  /** How often each transport has its turn. */
  readonly turns: number;
  readonly rounds: number;
};

/** @throws SetupError, HpcError */
export async function runHpc(
  run: HpcRun,
  progress: Progress,
  step: (text: string) => void,
  signal?: AbortSignal,
): Promise<HpcReport> {
  const cache = cacheDirectory();
  const { qemu } = await ensureTools({ kernels: [], progress, ...(signal && { signal }) });
  const image = await ensureRdmaImage(HPC_KERNEL, { cache, progress, signal });
  const { accelerator } = await chooseAccelerator('auto', { qemu, image, cache, progress });
  const { ranksPerGuest, turns, rounds, ...options } = run;
  step(`Booting ${options.guests} guests, each with an ENA and an EFA`);
  const cluster = await HpcCluster.start(options, { qemu, image, accelerator }, signal);
  try {
    const all: Record<MpiTransport, MpiResult[]> = { efa: [], tcp: [] };
    for (let turn = 0; turn < turns; turn++)
      for (const transport of HPC_TRANSPORTS) {
        signal?.throwIfAborted();
        step(`MPI over ${transport === 'efa' ? 'EFA' : 'TCP'}, turn ${turn + 1} of ${turns}`);
        all[transport].push(await cluster.mpi(transport, ranksPerGuest, rounds));
      }
    return {
      ...{ machine: hostFacts(), accelerator, kernel: image.kernelVersion, options },
      ranks: ranksPerGuest * options.guests,
      results: { efa: median(all.efa), tcp: median(all.tcp) },
      efaCounters: await cluster.counters(0),
    };
  } finally {
    await cluster.close();
  }
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
