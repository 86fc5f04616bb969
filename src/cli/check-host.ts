/** `virtfn check host`: this Linux, or a tree of another one's files. */
import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { valueIn } from '../check/fact.ts';
import { hostRules } from '../check/host/rules.ts';
import { check, type Report } from '../check/report.ts';
import { inspectHost } from '../host/inspect/host.ts';
import { addOutputOptions, exitCodes, type OutputOptions, runCheck } from './check-output.ts';
import { UsageError } from './usage-error.ts';

type HostOptions = OutputOptions & { root: string };

export function addCheckHost(check: Command, exit: (code: number) => void): void {
  const command = check
    .command('host')
    .summary('this machine: cards, drivers, queues, allowances, EFA')
    .description(
      'Reads what the kernel says of this machine, as an ordinary user; changes nothing.',
    )
    .option('--root <directory>', 'read this tree of files instead of /', '/');
  addOutputOptions(command)
    .addHelpText('after', exitCodes)
    .action(async (options: HostOptions) => exit(await runCheck(options, () => gather(options))));
}

async function gather({ root }: HostOptions): Promise<Report> {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--root ${root} is no directory`);
  const facts = inspectHost(root);
  const name = root === '/' ? hostname() : root;
  const detail = [valueIn(facts.product), valueIn(facts.kernel)].filter((text) => text !== null);
  const target = { kind: 'host' as const, name, detail: detail.join(', ') };
  return check(target, hostRules, facts, new Date().toISOString());
}
