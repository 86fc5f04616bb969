/** `virtfn hpc`: MPI between guests over EFA, beside TCP over ENA in the same guests. */
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FaultSpec } from '../host/dataplane/nic-model.ts';
import {
  HPC_KERNELS,
  type HpcKernel,
  type HpcReport,
  type HpcRun,
  runHpc,
} from '../host/lab/hpc.ts';
import { HpcError } from '../host/lab/hpc-cluster.ts';
import { TopologyError } from '../host/lab/topology-error.ts';
import { FABRIC_HELP, parseFabric } from '../host/nic/fabric.ts';
import { parseHpc } from '../host/vpc/load.ts';
import type { VpcModel } from '../vpc/model.ts';
import { interruptible } from './interrupt.ts';
import { Steps } from './steps.ts';
import { renderTable } from './table.ts';
import { paintFor, widthOf } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { whole } from './whole.ts';

type HpcCliOptions = {
  guests?: number;
  ranks: number;
  turns: number;
  rounds: number;
  access?: 'llq' | 'polled' | 'posted';
  kernel: HpcKernel;
  profile?: string;
  fabric?: FaultSpec;
  json?: boolean;
};

const help = `
Each guest is a Linux with the stock efa driver (compiled from the distribution's kernel source),
rdma-core, libfabric and Open MPI of the distribution, and has an ENA and an EFA. The program checks
a ring, allreduce and all-to-all, and measures between ranks 0 and 1; then perftest measures EFA beside
Soft-RoCE on ENA. It needs user namespaces to compile the driver once. With a file the guests are the
instances of a VPC, whose groups have to let EFA through. The exit code is 1 when a result was wrong, or
when the EFAs did not carry it.

Examples:
  $ virtfn hpc
  $ virtfn hpc --guests 4 --ranks 2
  $ virtfn hpc examples/hpc-cluster.yaml
  $ virtfn hpc --fabric loss=1%,jitter=50us,seed=3      the same on a bad fabric`;

export function defineHpc(command: Command, exit: (code: number) => void): void {
  command
    .description('Boots guests with an ENA and an EFA each, and runs MPI over both, in turns.')
    .argument('[file]', 'a topology with a vpc section whose instances have EFAs')
    .option('--guests <n>', 'two to four; of a file: its instances', whole(2, 4))
    .option('--ranks <n>', 'MPI ranks in each guest', whole(1, 4), 1)
    .option(
      '--turns <n>',
      'how often each transport is measured; the median counts',
      whole(1, 9),
      3,
    )
    .option('--rounds <n>', 'rounds of each measurement', whole(10, 100_000), 100)
    .addOption(
      new Option('--access <how>', 'how guests reach the EFA').choices(['llq', 'polled', 'posted']),
    )
    .addOption(
      new Option('--kernel <series>', 'of the guests').choices(HPC_KERNELS).default(HPC_KERNELS[0]),
    )
    .option('--profile <name>', 'generation of the EFA: efa0 to efa3')
    .option('--fabric <faults>', FABRIC_HELP, fabric)
    .option('--json', 'print one JSON document on stdout (progress goes to stderr)')
    .addHelpText('after', help)
    .action(async (file: string | undefined, options: HpcCliOptions) => {
      const vpc = file === undefined ? undefined : readHpc(file);
      if (vpc !== undefined && options.guests !== undefined)
        throw new UsageError('--guests and a file were both given; expected one of them');
      const steps = new Steps();
      const onFirst = (): void => {
        steps.stopped();
        process.stderr.write('Interrupted: cleaning up. (Ctrl-C again: at once.)\n');
      };
      exit(await interruptible((signal) => hpc(vpc, options, steps, signal), { onFirst }));
    });
}

function fabric(text: string): FaultSpec {
  const parsed = parseFabric(text);
  if (typeof parsed === 'string') throw new InvalidArgumentError(parsed);
  return parsed;
}

/** @throws UsageError */
function readHpc(file: string): VpcModel {
  try {
    return parseHpc(readFileSync(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof TopologyError) throw new UsageError(error.message);
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw error;
    throw new UsageError(
      `${file}: there is no such file; expected one like examples/hpc-cluster.yaml`,
    );
  }
}

async function hpc(
  vpc: VpcModel | undefined,
  options: HpcCliOptions,
  steps: Steps,
  signal: AbortSignal,
): Promise<number> {
  const { guests = 2, ranks, turns, rounds, access, profile, fabric: faults, json } = options;
  const series = options.kernel;
  const run: HpcRun = {
    ...{ guests: vpc?.instances.length ?? guests, ...(vpc !== undefined && { vpc }) },
    ...{ series, ranksPerGuest: ranks, turns, rounds },
    ...(access !== undefined && { access }),
    ...(profile !== undefined && { profile }),
    ...(faults !== undefined && { fabric: faults }),
  };
  let report: HpcReport;
  try {
    const progress = (name: string, fraction: number | undefined, text: string): void =>
      steps.detail(`${name}: ${text}`, fraction);
    steps.step('Setting up');
    report = await runHpc(run, progress, (text) => steps.step(text), signal);
  } catch (error) {
    steps.failed();
    if (!(error instanceof HpcError)) throw error;
    console.error(`virtfn: ${error.message}`);
    return 1;
  }
  steps.done();
  if (json) console.log(JSON.stringify(report, null, 2));
  else for (const line of render(report)) console.log(line);
  const { efa, tcp } = report.results;
  return efa.wrong + tcp.wrong === 0 ? 0 : 1;
}

function render(report: HpcReport): string[] {
  const { machine, results, rdma, carriedBytes, efaCounters, fabricCounters } = report;
  const row = (name: string, { wrong, latencyUs, bandwidthMBs }: typeof results.efa): string[] => [
    name,
    wrong === 0 ? 'right' : `${wrong} WRONG`,
    `${latencyUs.toFixed(0)} µs`,
    `${bandwidthMBs.toFixed(0)} MB/s`,
  ];
  const sent = ['send_wrs', 'rdma_read_wrs', 'rdma_write_wrs'].map(
    (name) => `${name} ${efaCounters[name] ?? 0}`,
  );
  return [
    '',
    ...renderTable(
      [
        { title: 'MPI over', align: 'left' },
        { title: 'results', align: 'left' },
        { title: 'latency, 8 B', align: 'right' },
        { title: 'bandwidth, 1 MiB', align: 'right' },
      ],
      [row('EFA (libfabric)', results.efa), row('TCP on ENA', results.tcp)],
      widthOf(process.stdout),
      paintFor(process.stdout).bold,
    ),
    '',
    ...(rdma === null ? [] : rdmaTable(rdma)),
    `${report.ranks} ranks in ${report.options.guests} guests. During MPI's turns over EFA each guest's EFA carried ${carriedBytes.map((bytes) => (bytes / 1e6).toFixed(0)).join(', ')} MB.`,
    `The EFA of the first one: ${sent.join(', ')}; lost by the fabric ${fabricCounters['fabric_lost'] ?? 0}, sent again ${fabricCounters['efa_retrans_pkts'] ?? 0}.`,
    `On ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, guests of Linux ${report.kernel} with ${report.accelerator === 'tcg' ? 'TCG (emulated CPUs)' : 'KVM'}.`,
    '',
  ];
}

function rdmaTable({ srd, rxe }: NonNullable<HpcReport['rdma']>): string[] {
  const row = (name: string, { latencyUs, bandwidthMBs }: typeof srd): string[] => [
    ...[name, `${latencyUs.toFixed(0)} µs`, `${bandwidthMBs.toFixed(0)} MB/s`],
  ];
  return [
    ...renderTable(
      [
        { title: 'perftest over', align: 'left' },
        { title: 'send, 64 B', align: 'right' },
        { title: 'RDMA write, 64 KiB', align: 'right' },
      ],
      [row('EFA (SRD)', srd), row('Soft-RoCE on ENA (RC)', rxe)],
      widthOf(process.stdout),
      paintFor(process.stdout).bold,
    ),
    '',
  ];
}
