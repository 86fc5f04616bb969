/** `virtfn check account`: one Region of an account, or of anything that speaks EC2's API. */
import type { Command } from 'commander';
import { accountRules } from '../check/account/rules.ts';
import { isKnown } from '../check/fact.ts';
import { check, type Report } from '../check/report.ts';
import { gatherAccount } from '../host/account/account.ts';
import { NoAccountError } from '../host/account/ask.ts';
import { addOutputOptions, exitCodes, type OutputOptions, runCheck } from './check-output.ts';
import { UsageError } from './usage-error.ts';

type AccountOptions = OutputOptions & { endpointUrl?: string; region?: string; profile?: string };

const help = `${exitCodes}

It asks, by DescribeXxx actions only, and cannot change anything; the managed policy
AmazonEC2ReadOnlyAccess is more than enough. What may not be asked could not be told. Credentials and
Region are found as by the AWS CLI: environment, profile, metadata of the instance.

Examples:
  $ virtfn check account --region eu-central-1
  $ virtfn check account --profile audit --format junit --output account.xml
  $ virtfn check account --endpoint-url http://localhost:5000 --region us-east-1   # an emulator`;

export function addCheckAccount(check: Command, exit: (code: number) => void): void {
  const command = check
    .command('account')
    .summary('an account: instances, images, interfaces, EFA groups, ACLs, quotas')
    .description('Asks EC2 about one Region of an account, without changing anything.')
    .option('--endpoint-url <url>', 'whom to ask in place of AWS')
    .option('--region <region>', "the Region; the environment's or profile's if absent")
    .option('--profile <name>', 'a profile of ~/.aws');
  addOutputOptions(command)
    .addHelpText('after', help)
    .action(async (options: AccountOptions) =>
      exit(await runCheck(options, () => gather(options))),
    );
}

async function gather({ endpointUrl, region, profile }: AccountOptions): Promise<Report> {
  if (endpointUrl !== undefined && !/^https?:\/\/[^/\s]+/.test(endpointUrl))
    throw new UsageError(`--endpoint-url ${endpointUrl} is no URL: expected http:// or https://`);
  try {
    const facts = await gatherAccount({
      ...(endpointUrl === undefined ? {} : { endpointUrl }),
      ...(region === undefined ? {} : { region }),
      ...(profile === undefined ? {} : { profile }),
    });
    const count = isKnown(facts.instances) ? `${facts.instances.value.length} instances` : '';
    const name = endpointUrl === undefined ? facts.region : `${facts.region} at ${endpointUrl}`;
    const target = { kind: 'account' as const, name, detail: count };
    return check(target, accountRules, facts, new Date().toISOString());
  } catch (error) {
    if (error instanceof NoAccountError) throw new UsageError(error.message);
    if (error instanceof Error && /region is missing/i.test(error.message))
      throw new UsageError('no Region is set: give --region, or set AWS_REGION');
    throw error;
  }
}
