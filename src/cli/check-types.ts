/** `virtfn check types --image DISK`: which instance types an image can run on, and why not the others. */
import type { Command } from 'commander';
import { printable } from '../check/printable.ts';
import { type Fit, fitOf } from '../check/types/fit.ts';
import { familyOf, type InstanceType } from '../vpc/instance-type.ts';
import { InstanceTypes } from '../vpc/instance-types.ts';
import { conditionsOf, select } from '../vpc/types/select.ts';
import { couldNotTell, readImage, targetOf } from './check-image.ts';
import { interruptible } from './interrupt.ts';
import { paintFor, widthOf, wrap } from './terminal.ts';
import { readTypes } from './types.ts';
import { UsageError } from './usage-error.ts';

type TypesOptions = { image: string; from?: string; json?: boolean; offline?: boolean };

const help = `
The image is read as virtfn check image does. PATTERN is a type, a family (c6in), or has * and ?; all
types of the catalogue if absent. --from takes the types of your own account instead:

  $ aws ec2 describe-instance-types --output json > mine.json

"slower" are types on which it runs, but not by the enhanced networking that they offer.
Exit code: 0 each type of PATTERN (without one: any type) runs it, 1 not, 2 could not tell.
With --json: { image, provenance, runs, slower, no, unknown, reasons: [{ rule, text, mend, types }],
withoutEfa }, lists of type names.

Examples:
  $ virtfn check types --image disk.raw
  $ virtfn check types c6in.large --image disk.qcow2
  $ virtfn check types 'm*' --image disk.raw --json | jq -r '.runs[]'`;

export function addCheckTypes(check: Command, exit: (code: number) => void): void {
  check
    .command('types')
    .summary('which instance types an image can run on, and why not the others')
    .description('Reads a disk image, and says which instance types can run it.')
    .argument('[pattern]', 'a type, a family, or a pattern with * and ?')
    .requiredOption('--image <disk>', 'a disk image, archive or directory')
    .option('--from <file>', 'the output of aws ec2 describe-instance-types instead')
    .option('--offline', 'fetch nothing: use what the machine or the cache has')
    .option('--json', 'the answer as one JSON document, on stdout')
    .addHelpText('after', help)
    .action(async (pattern: string | undefined, options: TypesOptions) => {
      const work = (signal: AbortSignal) => couldNotTell(() => runTypes(pattern, options, signal));
      exit(await interruptible(work));
    });
}

async function runTypes(
  pattern: string | undefined,
  options: TypesOptions,
  signal: AbortSignal,
): Promise<number> {
  const catalogue = options.from === undefined ? InstanceTypes.load() : readTypes(options.from);
  const types = chosen(catalogue, pattern);
  const facts = await readImage(options.image, options, signal);
  const fit = fitOf(facts, types, new Date().toISOString());
  const { name, detail } = targetOf(facts);
  if (options.json) {
    const image = { name: printable(name), detail: printable(detail) };
    console.log(JSON.stringify({ image, provenance: catalogue.provenance, ...fit }, null, 2));
  } else
    for (const line of render(`${printable(name)}  ${printable(detail)}`, fit, types))
      console.log(line);
  const good = fit.runs.length + fit.slower.length;
  if (pattern === undefined ? good > 0 : good === types.length) return 0;
  return fit.no.length > 0 && (pattern !== undefined || fit.unknown.length === 0) ? 1 : 2;
}

function chosen(catalogue: InstanceTypes, pattern: string | undefined): InstanceType[] {
  if (pattern === undefined) return catalogue.all();
  const { found } = select(catalogue.all(), conditionsOf({ pattern }));
  if (found.length > 0) return [...found];
  const near = catalogue.near(pattern);
  const hint = near.length === 0 ? 'virtfn types lists them' : `did you mean ${near.join(', ')}?`;
  throw new UsageError(`there is no instance type like '${pattern}'; ${hint}`);
}

function render(title: string, fit: Fit, types: readonly InstanceType[]): string[] {
  const { bold, dim, green, yellow, red } = paintFor(process.stdout);
  const width = Math.min(100, widthOf(process.stdout));
  const all = new Map(types.map((type) => [type.name, type]));
  const families = (names: readonly string[]): string => familyList(names, all);
  const block = (indent: string, text: string): string[] =>
    wrap(text, Math.max(30, width - indent.length)).map((line) => indent + line);
  const list = (mark: string, names: readonly string[], what: string): string[] =>
    names.length === 0
      ? []
      : [`  ${mark}  ${count(names)} ${what}`, ...block('         ', families(names))];
  return [
    bold(title),
    '',
    ...list(green('ok   '), fit.runs, 'can run it'),
    ...list(
      yellow('slow '),
      fit.slower,
      'can run it, without the enhanced networking that they offer',
    ),
    ...list(red('no   '), fit.no, 'cannot'),
    ...list(yellow('?    '), fit.unknown, 'could not be told'),
    ...(fit.reasons.length === 0 ? [] : ['', bold('why')]),
    ...fit.reasons.flatMap(({ text, types: names, mend, rule }) => [
      ...block('  ', `${text}: ${count(names)}`),
      ...block('         ', families(names)),
      ...mend.map((command) => `         ${dim('mend')}  ${command}`),
      `         ${dim('rule')}  ${rule}`,
    ]),
    ...(fit.withoutEfa.length === 0
      ? []
      : [
          '',
          ...block(
            '',
            `EFA: ${count(fit.withoutEfa)} of those have it, and the image has no driver for it.`,
          ),
        ]),
  ];
}

const count = (names: readonly string[]): string =>
  `${names.length} type${names.length === 1 ? '' : 's'}`;

/** A family by its name where all of it is meant, else its types. */
function familyList(names: readonly string[], all: ReadonlyMap<string, InstanceType>): string {
  const sizes = (list: Iterable<InstanceType>): Map<string, string[]> => {
    const families = new Map<string, string[]>();
    for (const type of list)
      families.set(familyOf(type), [...(families.get(familyOf(type)) ?? []), type.name]);
    return families;
  };
  const whole = sizes(all.values());
  const own = sizes(names.flatMap((name) => all.get(name) ?? []));
  return [...own]
    .map(([family, types]) => {
      const total = whole.get(family)?.length ?? 0;
      if (types.length <= 2) return types.join(' ');
      return types.length === total ? family : `${family} (${types.length} of ${total})`;
    })
    .join(' ');
}
