/** What all of `virtfn check` have in common: formats, where they go, explanations, exit codes. */
import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { allRules, catalogue } from '../check/catalogue.ts';
import { toJson } from '../check/formats/json.ts';
import { toJunit } from '../check/formats/junit.ts';
import { toSarif } from '../check/formats/sarif.ts';
import { exitCodeOf, type Report } from '../check/report.ts';
import type { RuleInfo } from '../check/rule.ts';
import { nearest } from '../lib/nearest.ts';
import { renderReport, renderRule } from './check-report.ts';
import { paintFor, widthOf } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { version } from './version.ts';

const formats = ['table', 'json', 'junit', 'sarif'] as const;
type Format = (typeof formats)[number];

export type OutputOptions = {
  json?: boolean;
  format: Format;
  output?: string;
  all?: boolean;
  explain?: string;
};

export const exitCodes = `
Exit code: 0 ready, 1 not ready (a rule of severity "error" failed), 2 could not tell. What was not
looked at is never counted as well.`;

export function addOutputOptions(command: Command): Command {
  return command
    .option('--json', 'the report as one JSON document; the same as --format json')
    .addOption(new Option('--format <format>', 'how to report').choices(formats).default('table'))
    .option('--output <file>', 'put the format into a file; the table is printed as well')
    .option('--all', 'list also what does not apply')
    .option('--explain <rule>', 'say what a rule demands and why, and check nothing');
}

/** `gather` reads the facts and judges them; it is not asked where only an explanation is wanted. */
export async function runCheck(
  options: OutputOptions,
  gather: () => Promise<Report>,
): Promise<number> {
  if (options.explain !== undefined) return explainRules([options.explain]);
  const report = await gather();
  const format = options.json ? 'json' : options.format;
  if (options.output !== undefined) {
    writeFileSync(options.output, textOf(report, format, options.all));
    printTable(report, options.all);
  } else if (format === 'table') printTable(report, options.all);
  else console.log(textOf(report, format, options.all).trimEnd());
  return exitCodeOf(report);
}

export function explainRules(ids: readonly string[]): number {
  const look = { width: widthOf(process.stdout), paint: paintFor(process.stdout) };
  for (const rule of rulesNamed(ids)) for (const line of renderRule(rule, look)) console.log(line);
  return 0;
}

/** Throws a UsageError for a rule that does not exist. */
export function rulesNamed(ids: readonly string[]): RuleInfo[] {
  return ids.map((id) => {
    const rule = allRules.find((one) => one.id === id);
    if (rule === undefined) throw new UsageError(unknownRule(id));
    return rule;
  });
}

function printTable(report: Report, all = false): void {
  const look = { width: widthOf(process.stdout), paint: paintFor(process.stdout), all };
  for (const line of renderReport(report, look)) console.log(line);
}

function textOf(report: Report, format: Format, all = false): string {
  switch (format) {
    case 'json':
      return toJson(report);
    case 'junit':
      return toJunit(report);
    case 'sarif':
      return toSarif(report, catalogue[report.target.kind], version());
    case 'table': {
      const plain = {
        width: Number.POSITIVE_INFINITY,
        paint: paintFor({ write: () => true }),
        all,
      };
      return `${renderReport(report, plain).join('\n')}\n`;
    }
  }
}

function unknownRule(id: string): string {
  const near = nearest(
    id,
    allRules.map((rule) => rule.id),
  );
  const hint = near.length === 0 ? 'see virtfn check rules' : `did you mean ${near.join(', ')}?`;
  return `there is no rule '${id}'; ${hint}`;
}
