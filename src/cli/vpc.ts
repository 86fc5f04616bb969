/** `virtfn vpc`: what the VPC of a running lab is, what its guests reach, and another one instead. */
import type { Command } from 'commander';
import type { Control } from '../host/control/client.ts';
import type { VpcModel } from '../vpc/model.ts';
import { attach } from './attach.ts';
import { renderReach } from './reach-report.ts';
import { readVpc, readVpcOrLab } from './read-vpc.ts';
import { paintFor, widthOf } from './terminal.ts';
import { renderVpc } from './vpc-report.ts';

type Options = { at?: string; json?: boolean; reach?: boolean };

const help = `
A VPC is the section of a topology file that examples/three-tier-vpc.yaml shows with comments, or
its model as JSON. What is applied counts from one packet to the next: connections that are tracked
live on until they time out, others are judged by the new rules at once, as in EC2.

Examples:
  $ virtfn lab examples/three-tier-vpc.yaml --keep      in one terminal
  $ virtfn vpc reach                                    in another one
  $ virtfn vpc apply mine.yaml --reach
  $ virtfn vpc show mine.yaml --json > model.json       what virtfn makes of a file`;

export function defineVpc(vpc: Command, exit: (code: number) => void): void {
  vpc
    .description('Shows a VPC, changes the one of a running lab, asks what its instances reach.')
    .addHelpText('after', help);
  const at = ['--at <socket>', 'the control socket of the lab; the only one if absent'] as const;
  vpc
    .command('show')
    .description('Prints a VPC: that of a file, or that of a running lab.')
    .argument('[file]', 'a topology with a vpc section, or a model as JSON')
    .option('--json', 'the whole model as JSON')
    .option(...at)
    .action(async (file: string | undefined, options: Options) => exit(await show(file, options)));
  vpc
    .command('apply')
    .description('Gives the VPC of a running lab the rules of a file, without a packet being lost.')
    .argument('<file>', 'a topology with the same instances, or a model as JSON')
    .option('--reach', 'then ask what the instances reach')
    .option('--json', 'what is reached as JSON')
    .option(...at)
    .action(async (file: string, options: Options) => exit(await apply(file, options)));
  vpc
    .command('reach')
    .description('Has the instances of a running lab ask each other, with real packets.')
    .option('--json', 'as JSON')
    .option(...at)
    .action(async (options: Options) => exit(await withLab(options, (lab) => reach(lab, options))));
}

async function show(file: string | undefined, options: Options): Promise<number> {
  print(await readVpcOrLab(file, options.at), options);
  return 0;
}

function print(model: VpcModel, { json }: Options): void {
  if (json) console.log(JSON.stringify(model, null, 2));
  else
    for (const line of renderVpc(model, widthOf(process.stdout), paintFor(process.stdout)))
      console.log(line);
}

async function apply(file: string, options: Options): Promise<number> {
  const model = readVpc(file);
  return withLab(options, async (lab) => {
    const problems = await lab.apply(model);
    for (const problem of problems)
      console.error(`${paintFor(process.stderr).red('virtfn:')} ${problem}`);
    if (problems.length > 0) {
      console.error('Nothing has changed.');
      return 1;
    }
    process.stderr.write(`${file} counts from now on.\n`);
    return options.reach ? reach(lab, options) : 0;
  });
}

/** Exit code 1: not all is as the rules say. */
async function reach(lab: Control, { json }: Options): Promise<number> {
  const result = await lab.reach();
  if (json) console.log(JSON.stringify(result, null, 2));
  else
    for (const line of renderReach(result, widthOf(process.stdout), paintFor(process.stdout)))
      console.log(line);
  return result.probes.every(({ reached, expected }) => reached === expected) ? 0 : 1;
}

async function withLab<T>({ at }: Options, work: (lab: Control) => Promise<T>): Promise<T> {
  const lab = await attach(at);
  try {
    return await work(lab);
  } finally {
    lab.close();
  }
}
