/** One command line, from its words to an exit code: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C. */
import { Command, CommanderError, Help } from 'commander';
import { SetupError } from '../host/packages/errors.ts';
import { commands } from './commands.ts';
import { paintFor } from './terminal.ts';
import { EXIT_USAGE, UsageError } from './usage-error.ts';
import { version } from './version.ts';

const description =
  'Gives virtual machines on any Linux box what EC2 Enhanced Networking gives EC2 instances: ' +
  'network functions (ENA, 82599 VF, EFA) that unmodified guest drivers bind to, on a fast virtual switch.';

const examples = `
Examples:
  $ virtfn lab                      two Linux guests over ENA, against QEMU's own NICs
  $ virtfn lab mine.yaml --keep     your instances, kept running until Ctrl-C
  $ virtfn lab --json > lab.json    the same result as one document
  $ virtfn nic --socket vf0.sock    one ENA function for a VMM of your own
  $ virtfn trace --dropped          what a running lab or nic loses, and why
  $ virtfn check host               is this machine ready for Enhanced Networking?
  $ virtfn check image disk.qcow2   will this image have its network on EC2?
  $ virtfn types c6in.large         what EC2 gives an instance of this type
  $ virtfn bench --quick            the data path beside its peers and what the machine can do
  $ virtfn help lab                 everything about a command`;

/** With all commands, of which those that the words name are defined, too. */
async function createProgram(
  words: readonly string[],
  exit: (code: number) => void,
): Promise<Command> {
  const terms = new Map<Command, string>();
  const program = new Command('virtfn')
    .description(description)
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', examples)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => console.log(text.trimEnd()),
      outputError: () => {}, // told by complain()
    })
    .configureHelp({
      subcommandTerm: (command) => terms.get(command) ?? new Help().subcommandTerm(command),
    })
    .showSuggestionAfterError(true);
  for (const { name, term, summary, load } of commands) {
    const command = program.command(name).summary(summary);
    terms.set(command, term);
    if (words.includes(name)) (await load())(command, exit);
  }
  return program;
}

/** Runs one command line; resolves with its exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let code = 0;
  try {
    const program = await createProgram(args, (given) => {
      code = given;
    });
    if (args.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return complain(error, args[0]);
  }
}

/** Tells what went wrong, on stderr, and what exit code that is. */
function complain(error: unknown, command: string | undefined): number {
  const { red } = paintFor(process.stderr);
  const say = (text: string): void => console.error(`${red('virtfn:')} ${text}`);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // --help, --version
    const of = command === undefined || command.startsWith('-') ? '' : `${command} `;
    say(`${error.message.replace(/^error: /, '').replaceAll('\n', ' ')}; see: virtfn ${of}--help`);
    return EXIT_USAGE;
  }
  if (error instanceof UsageError) {
    say(error.message);
    return EXIT_USAGE;
  }
  if (error instanceof SetupError) {
    say(error.message);
    if (command === 'lab' && !error.message.includes('--guest reference'))
      console.error('Without QEMU the same lab runs by: virtfn lab --guest reference');
  } else if (error instanceof Error && !process.env['VIRTFN_DEBUG']) say(error.message);
  else console.error(error);
  // 1 would say that what was checked is not ready: docs/check.md.
  return command === 'check' ? EXIT_USAGE : 1;
}
