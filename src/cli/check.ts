/** `virtfn check`: is it ready for Enhanced Networking? A command per kind of target. */
import type { Command } from 'commander';
import { allRules, catalogue, kinds } from '../check/catalogue.ts';
import { addCheckAccount } from './check-account.ts';
import { addCheckHost } from './check-host.ts';
import { addCheckImage } from './check-image.ts';
import { exitCodes, explainRules, rulesNamed } from './check-output.ts';
import { addCheckTypes } from './check-types.ts';
import { renderTable } from './table.ts';
import { paintFor, widthOf } from './terminal.ts';

const help = `${exitCodes}

Examples:
  $ virtfn check host                          this machine: cards, drivers, queues, allowances
  $ virtfn check image disk.qcow2              a disk image, before anybody launches it
  $ virtfn check account --region eu-west-1    what an account has, by Describe calls only
  $ virtfn check types --image disk.qcow2      which instance types can run it, and why not others
  $ virtfn check host --json | jq .readiness
  $ virtfn check host --format sarif --output check.sarif
  $ virtfn check rules                         all rules; with a name: what it demands and why`;

export function defineCheck(check: Command, exit: (code: number) => void): void {
  check
    .description('Looks, without changing anything, and judges what it saw by small rules.')
    .enablePositionalOptions()
    .addHelpText('after', help);
  addCheckHost(check, exit);
  addCheckImage(check, exit);
  addCheckAccount(check, exit);
  addCheckTypes(check, exit);
  check
    .command('rules')
    .summary('list all rules, or explain some')
    .description('Lists all rules; explains those that are named.')
    .argument('[rules...]', 'rules to explain')
    .option('--json', 'as JSON')
    .action((ids: string[], options: { json?: boolean }) => exit(runRules(ids, options)));
}

function runRules(ids: readonly string[], { json }: { json?: boolean }): number {
  if (json) {
    const chosen = ids.length === 0 ? allRules : rulesNamed(ids);
    const plain = chosen.map(({ id, group, severity, title, reason, source, mend }) => {
      return { id, group, severity, title, reason, source, mend };
    });
    console.log(JSON.stringify(plain, null, 2));
    return 0;
  }
  if (ids.length > 0) return explainRules(ids);
  const columns = ['rule', 'severity', 'demands'].map((title) => ({
    title,
    align: 'left' as const,
  }));
  const rows = kinds.flatMap((kind) =>
    catalogue[kind].map(({ id, severity, title }) => [id, severity, title]),
  );
  const { bold } = paintFor(process.stdout);
  for (const line of renderTable(columns, rows, widthOf(process.stdout), bold)) console.log(line);
  return 0;
}
