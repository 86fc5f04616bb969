/** `virtfn types`: finds EC2 instance types by their network, and explains one of them. */
import { readFileSync, statSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { nearest } from '../lib/nearest.ts';
import { networkAllowance } from '../vpc/allowance.ts';
import { familyOf, type InstanceType } from '../vpc/instance-type.ts';
import { InstanceTypes } from '../vpc/instance-types.ts';
import { DescribedTypesError, readDescribedTypes } from '../vpc/types/described.ts';
import { guestView } from '../vpc/types/guest-view.ts';
import { nitroVersionOf } from '../vpc/types/nitro-versions.ts';
import { notesOn } from '../vpc/types/notes.ts';
import { conditionsOf, select, type Wishes } from '../vpc/types/select.ts';
import { paintFor, widthOf } from './terminal.ts';
import { renderTypePage } from './type-page.ts';
import { isSortKey, renderMisses, renderTypes, sorted, sortKeys } from './types-table.ts';
import { UsageError } from './usage-error.ts';

type TypesOptions = Omit<Wishes, 'vf82599' | 'pattern'> & {
  '82599vf'?: boolean;
  sort: string;
  limit?: number;
  from?: string;
  json?: boolean;
};

const help = `
PATTERN is a type (c6in.large: everything about it), a family (c6in), or has * and ? (c6*.metal).
Without --from it is the catalogue of this package, made from published results of EC2's API; with
it only what that file holds, so what your account can have in its Region:

  $ aws ec2 describe-instance-types --output json > mine.json
  $ virtfn types --from mine.json --efa

Figures in Gbps are those of all network cards together. baseline is what it always has, peak may be a burst
on credits. queues are ENA queue pairs of an interface, as launched/at most; -: not published.
The exit code is 0 when there is a type, 1 when none is as wanted: then it says what is in the way.
With --json: { provenance, count, types } with every field of a type, or for one type
{ provenance, type, nitro, guest, allowance, notes }, each limit of its allowance with value,
provenance (published, measured, assumed) and source; see docs/instance-types.md.

Examples:
  $ virtfn types --min-gbps 50 --max-vcpus 16 --arch arm64
  $ virtfn types --ena supported                Xen types that can have ENA
  $ virtfn types --82599vf --family 'c*'
  $ virtfn types --efa --sort -gbps --limit 5
  $ virtfn types m5.large
  $ virtfn types m5.large --json | jq .allowance.packetsPerSecond`;

const DEFAULT_LIMIT = 25;
/** All of EC2's types are 6 MB; a larger file is something else. */
const MAX_FILE_BYTES = 64 * 2 ** 20;

export function defineTypes(command: Command, exit: (code: number) => void): void {
  command
    .description("Finds instance types by their network, and explains one type's limits.")
    .argument('[pattern]', 'a type, a family, or a pattern with * and ?')
    .addOption(choice('--ena <support>', 'ENA', ['required', 'supported', 'unsupported']))
    .option('--efa', 'with EFA')
    .option('--no-efa', 'without')
    .option('--82599vf', 'with enhanced networking by the 82599 VF')
    .addOption(choice('--hypervisor <kind>', 'what it runs on', ['nitro', 'xen', 'metal']))
    .option('--min-nitro <version>', 'of a Nitro version from this one on, where known', whole)
    .option('--arch <name>', 'x86_64, arm64, i386, ...')
    .option('--family <pattern>', "family, like m5 or 'c*'")
    .option('--min-gbps <n>', 'peak bandwidth', number)
    .option('--min-baseline-gbps <n>', 'bandwidth that it always has', number)
    .option('--min-vcpus <n>', 'virtual CPUs', whole)
    .option('--max-vcpus <n>', 'virtual CPUs', whole)
    .option('--min-memory-gib <n>', 'memory', number)
    .option('--min-interfaces <n>', 'network interfaces', whole)
    .option('--min-queues <n>', 'ENA queue pairs that an interface can have', whole)
    .option('--ena-express', 'with ENA Express')
    .option('--encryption', 'with encryption in transit')
    .option('--sort <column>', `${sortKeys.join(', ')}; with - before it: largest first`, 'name')
    .option('--limit <n>', `rows at most; 0: all (default: ${DEFAULT_LIMIT}; with --json 0)`, whole)
    .option('--from <file>', 'the output of aws ec2 describe-instance-types instead')
    .option('--json', 'the answer as one JSON document, on stdout')
    .addHelpText('after', help)
    .action((pattern: string | undefined, options: TypesOptions) =>
      exit(runTypes(pattern, options)),
    );
}

function choice(flags: string, what: string, choices: string[]): Option {
  return new Option(flags, `${what}: ${choices.join(', ')}`).choices(choices);
}

function number(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('Expected a number, like 12.5.');
  return Number(text);
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}

function runTypes(pattern: string | undefined, options: TypesOptions): number {
  const types = options.from === undefined ? InstanceTypes.load() : readTypes(options.from);
  const { sort, limit, from: _from, json = false, '82599vf': vf82599, ...rest } = options;
  if (!isSortKey(sort))
    throw new UsageError(
      `--sort ${sort}: there is no such column; expected ${sortKeys.join(', ')}`,
    );
  const named = pattern === undefined ? undefined : namedBy(pattern, types, options.from);
  const conditions = conditionsOf({
    ...(pattern !== undefined && { pattern }),
    ...rest,
    ...(vf82599 !== undefined && { vf82599 }),
  });
  if (named !== undefined && conditions.length === 1) return explainType(named, types, json);
  const { found, misses } = select(types.all(), conditions);
  const rows = sorted(found, sort);
  const most = limit ?? (json ? 0 : DEFAULT_LIMIT);
  const shown = most === 0 ? rows : rows.slice(0, most);
  if (json) {
    const document = { provenance: types.provenance, count: found.length, types: shown };
    console.log(JSON.stringify({ ...document, types: shown.map(withNitro) }, null, 2));
  } else if (found.length === 0) {
    const all = types.all();
    for (const line of renderMisses(all, conditions, misses)) console.log(line);
  } else {
    const paint = paintFor(process.stdout);
    for (const line of renderTypes(shown, widthOf(process.stdout), paint)) console.log(line);
    if (shown.length < found.length)
      console.log(`${shown.length} of ${found.length} types; --limit 0 shows all`);
  }
  return found.length === 0 ? 1 : 0;
}

/** The one type that a pattern names. @throws UsageError where it can name none */
function namedBy(
  pattern: string,
  types: InstanceTypes,
  from: string | undefined,
): InstanceType | undefined {
  const name = pattern.toLowerCase();
  if (types.has(name)) return types.get(name);
  if (/[*?]/.test(name)) return undefined;
  const families = [...new Set(types.all().map(familyOf))];
  if (families.includes(name)) return undefined;
  if (from !== undefined && InstanceTypes.load().has(name))
    throw new UsageError(`${from} has no ${name}; without --from it is found`);
  const near = name.includes('.') ? types.near(name) : nearest(name, families);
  const [family = ''] = name.split('.');
  const others = families.includes(family)
    ? `virtfn types ${family} has its family`
    : "a pattern, like 'c6*', finds more than one";
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : `; ${others}`;
  throw new UsageError(`'${pattern}' is no instance type and no family${hint}`);
}

function explainType(type: InstanceType, types: InstanceTypes, json: boolean): number {
  const relatives = types.all().filter((other) => familyOf(other) === familyOf(type));
  const page = {
    type,
    nitro: nitroVersionOf(type),
    guest: guestView(type),
    allowance: networkAllowance(type),
    notes: notesOn(type, relatives),
  };
  if (json) {
    console.log(JSON.stringify({ provenance: types.provenance, ...page }, null, 2));
    return 0;
  }
  const width = widthOf(process.stdout);
  for (const line of renderTypePage(page, width, paintFor(process.stdout))) console.log(line);
  return 0;
}

const withNitro = (type: InstanceType) => ({
  ...type,
  nitro: nitroVersionOf(type)?.version ?? null,
});

/** A person's own list of types. @throws UsageError */
export function readTypes(file: string): InstanceTypes {
  let text: string;
  let asOf: string;
  try {
    const { size, mtime } = statSync(file);
    if (size > MAX_FILE_BYTES)
      throw new UsageError(`${file}: ${size} bytes are too many for a list of instance types`);
    text = readFileSync(file, 'utf8');
    asOf = mtime.toISOString().slice(0, 10);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
    throw new UsageError(`${file}: ${why}; expected the output of aws ec2 describe-instance-types`);
  }
  const own = InstanceTypes.load();
  const has82599 = (name: string): boolean => own.has(name) && own.get(name).vf82599;
  try {
    const types = readDescribedTypes(text, file, { has82599, asOf });
    return new InstanceTypes(types, `${file}, a file of ${asOf}; 82599 VF from the catalogue`);
  } catch (error) {
    if (error instanceof DescribedTypesError) throw new UsageError(error.message);
    throw error;
  }
}
