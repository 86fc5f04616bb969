/** `virtfn bench`: measures the data path beside its peers and the machine's limits. */
import { type Command, Option } from 'commander';
import { type BenchRequest, PARTS, type Part, runBench } from '../host/bench/bench.ts';
import { recordRun } from '../host/bench/history.ts';
import { renderBench } from './bench-report.ts';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.ts';
import { Steps } from './steps.ts';
import { paintFor, widthOf } from './terminal.ts';
import { whole } from './whole.ts';

type BenchOptions = {
  json?: boolean;
  only?: Part[];
  quick?: boolean;
  rounds?: number;
  latency?: number;
  record?: boolean;
  offline?: boolean;
};

type Extent = Omit<BenchRequest, 'parts' | 'offline'> & { readonly without: readonly Part[] };

const full: Extent = { rounds: 5, sliceMs: 200, latencySeconds: 60, without: [] };
const quick: Extent = { rounds: 3, sliceMs: 60, latencySeconds: 3, without: ['guests'] };

const help = `
Parts:
  limits     what one core can tell another, and how soon
  path       guest to guest, on a thread of their own or in one with all else: sizes, flows, functions
  peers      the path beside Open vSwitch with DPDK, DPDK's drivers, and Linux's own routing
  workers    two threads of the data plane beside one, in real time
  latency    frames' time on their way at half load, beside the bare machine's; collections
  guests     ENA, 82599 VF and QEMU's own NICs between two Linux guests

Every figure is taken by turns with its peers, so that what else happens on the machine hits all of
them; a ratio is taken round by round. What is compiled needs a C compiler (cc); what is not there is
named. A run is worth as much as the machine is quiet.

Examples:
  $ virtfn bench --quick
  $ virtfn bench --only path --rounds 11
  $ virtfn bench --json | jq .targets
  $ virtfn bench --record          docs/performance.md and docs/performance-history.jsonl`;

export function defineBench(command: Command, exit: (code: number) => void): void {
  command
    .description(
      'Measures what frames cost on their way through functions and switch, by turns with peers ' +
        'that do the same job and with what this machine can do at best, and tells which of the ' +
        "project's goals are reached.",
    )
    .option('--json', 'print one JSON document on stdout (progress goes to stderr)')
    .addOption(new Option('--only <part...>', 'these parts only').choices(PARTS))
    .option('--quick', 'short slices, few rounds, no guests unless asked for: to see that it works')
    .option('--rounds <n>', 'how often everybody has a turn', whole(1, 1000))
    .option('--latency <seconds>', 'how long half load is watched', whole(1, 3600))
    .option('--record', 'write the result into docs/ of this checkout')
    .option('--offline', 'fetch nothing: peers that are not there are left out')
    .addHelpText('after', help)
    .action(async (options: BenchOptions) => {
      const steps = new Steps();
      const onFirst = (): void => {
        steps.stopped();
        process.stderr.write('Interrupted: cleaning up.\n');
      };
      exit(await interruptible((signal) => bench(options, steps, signal), { onFirst }));
    });
}

async function bench(options: BenchOptions, steps: Steps, signal: AbortSignal): Promise<number> {
  const base = options.quick === true ? quick : full;
  const request: BenchRequest = {
    parts: PARTS.filter((part) => options.only?.includes(part) ?? !base.without.includes(part)),
    rounds: options.rounds ?? base.rounds,
    sliceMs: base.sliceMs,
    latencySeconds: options.latency ?? base.latencySeconds,
    offline: options.offline ?? false,
  };
  try {
    const report = await runBench(request, steps, signal);
    steps.done();
    if (options.json) console.log(JSON.stringify(report, null, 2));
    else
      for (const line of renderBench(report, widthOf(process.stdout), paintFor(process.stdout)))
        console.log(line);
    if (options.record) process.stderr.write(`Recorded in ${recordRun(report).join(' and ')}.\n`);
  } catch (error) {
    steps.failed();
    throw error;
  }
  return signal.aborted ? EXIT_INTERRUPTED : 0;
}
