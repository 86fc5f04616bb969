/** `virtfn hpc`: MPI between guests over EFA, beside TCP over ENA in the same guests. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FaultSpec } from '../host/dataplane/nic-model.ts';
import { type HpcReport, type HpcRun, runHpc } from '../host/lab/hpc.ts';
import { FABRIC_HELP, parseFabric } from '../host/nic/fabric.ts';
import { interruptible } from './interrupt.ts';
import { Steps } from './steps.ts';
import { renderTable } from './table.ts';
import { paintFor, widthOf } from './terminal.ts';

type HpcCliOptions = {
  guests: number;
  ranks: number;
  turns: number;
  rounds: number;
  access?: 'llq' | 'polled' | 'posted';
  profile?: string;
  fabric?: FaultSpec;
  json?: boolean;
};

const help = `
Each guest is a Linux with the stock efa driver (compiled from the distribution's kernel source),
rdma-core, libfabric and Open MPI of the distribution, and has an ENA and an EFA. The program checks
a ring, allreduce and all-to-all, and measures between ranks 0 and 1. It needs user namespaces to
compile the driver once.

Examples:
  $ virtfn hpc
  $ virtfn hpc --guests 4 --ranks 2
  $ virtfn hpc --fabric loss=1%,jitter=50us,seed=3      the same on a bad fabric`;

export function addHpcCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('hpc')
    .summary('boot Linux guests with EFA, run MPI over it and over TCP on ENA')
    .description('Boots guests with an ENA and an EFA each, and runs MPI over both, in turns.')
    .option('--guests <n>', 'two to four', whole(2, 4), 2)
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
    .option('--profile <name>', 'generation of the EFA: efa0 to efa3')
    .option('--fabric <faults>', FABRIC_HELP, fabric)
    .option('--json', 'print one JSON document on stdout (progress goes to stderr)')
    .addHelpText('after', help)
    .action(async (options: HpcCliOptions) => {
      const steps = new Steps();
      exit(await interruptible((signal) => hpc(options, steps, signal)));
    });
}

const whole =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };

function fabric(text: string): FaultSpec {
  const parsed = parseFabric(text);
  if (typeof parsed === 'string') throw new InvalidArgumentError(parsed);
  return parsed;
}

async function hpc(options: HpcCliOptions, steps: Steps, signal: AbortSignal): Promise<number> {
  const { guests, ranks, turns, rounds, access, profile, fabric: faults, json } = options;
  const run: HpcRun = {
    ...{ guests, ranksPerGuest: ranks, turns, rounds },
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
    throw error;
  }
  steps.done();
  if (json) console.log(JSON.stringify(report, null, 2));
  else for (const line of render(report)) console.log(line);
  const { efa, tcp } = report.results;
  return efa.wrong + tcp.wrong === 0 ? 0 : 1;
}

function render(report: HpcReport): string[] {
  const { machine, results, efaCounters } = report;
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
    `${report.ranks} ranks in ${report.options.guests} guests. The EFA of the first one: ${sent.join(', ')}.`,
    `On ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, guests of Linux ${report.kernel} with ${report.accelerator === 'tcg' ? 'TCG (emulated CPUs)' : 'KVM'}.`,
    '',
  ];
}
