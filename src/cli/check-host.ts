/** `virtfn check host`: this Linux, or a tree of another one's files. */
import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { valueIn } from '../check/fact.ts';
import { hostRules } from '../check/host/rules.ts';
import { check, type Report } from '../check/report.ts';
import { collectorScript } from '../host/inspect/collector.ts';
import { inspectHost } from '../host/inspect/host.ts';
import { addOutputOptions, exitCodes, type OutputOptions, runCheck } from './check-output.ts';
import { UsageError } from './usage-error.ts';

type HostOptions = OutputOptions & { root: string; interval: number; collector?: boolean };

const help = `${exitCodes}

Where virtfn does not run, a shell script collects what it would read, and it is judged here:

  $ virtfn check host --collector | ssh HOST sh > host.tar
  $ mkdir host && tar xf host.tar -C host && virtfn check host --root host`;

export function addCheckHost(check: Command, exit: (code: number) => void): void {
  const command = check
    .command('host')
    .summary('this machine: cards, drivers, queues, allowances, EFA')
    .description(
      'Reads what the kernel says of this machine, as an ordinary user; changes nothing.',
    )
    .option('--root <directory>', 'read this tree of files instead of /', '/')
    .option('--interval <time>', 'watch counters for so long: 1s, 500ms; 0: not', interval, 1000);
  command.option('--collector', 'print a shell script that collects a tree for --root elsewhere');
  addOutputOptions(command)
    .addHelpText('after', help)
    .action(async (options: HostOptions) => {
      if (options.collector) console.log(collectorScript().trimEnd());
      exit(options.collector ? 0 : await runCheck(options, () => gather(options)));
    });
}

function interval(text: string): number {
  const [, value = '', unit] = /^(\d+(?:\.\d+)?)(s|ms)?$/.exec(text) ?? [];
  const ms = Number(value) * (unit === 'ms' ? 1 : 1000);
  if (value === '' || ms > 3_600_000)
    throw new InvalidArgumentError('Expected a time up to an hour: 1s, 500ms, 0.');
  return ms;
}

async function gather({ root, interval: intervalMs }: HostOptions): Promise<Report> {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--root ${root} is no directory`);
  const facts = await inspectHost(root, intervalMs);
  const name = root === '/' ? hostname() : root;
  const detail = [valueIn(facts.product), valueIn(facts.kernel)].filter((text) => text !== null);
  const target = { kind: 'host' as const, name, detail: detail.join(', ') };
  return check(target, hostRules, facts, new Date().toISOString());
}
