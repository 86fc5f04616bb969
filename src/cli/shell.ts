/** `virtfn shell`: runs commands in a guest of a lab that is kept running. */
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { type DoorAnswer, findDoors, knock } from '../host/lab/door.ts';
import { UsageError } from './usage-error.ts';

const help = `
Each line is a shell command of its own: there is no state between them, and no terminal.

Examples:
  $ virtfn shell a ip -br addr          one command, with its exit code
  $ virtfn shell a                      commands from the keyboard or a pipe, until Ctrl-D`;

export function defineShell(command: Command, exit: (code: number) => void): void {
  command
    .description('Runs commands in a guest of a lab that was started with --keep.')
    .argument('<guest>', "the instance's name, or the path of its socket")
    .argument('[command...]', 'what to run; lines of stdin if absent')
    .passThroughOptions()
    .addHelpText('after', help)
    .action(async (guest: string, words: string[]) => {
      const { run, close } = await open(guest);
      try {
        if (words.length > 0) exit(print(await run(words.join(' '))));
        else exit(await converse(guest, run));
      } finally {
        close();
      }
    });
}

function open(guest: string): ReturnType<typeof knock> {
  if (guest.includes('/')) return knock(guest);
  const [socket, ...more] = findDoors(guest);
  if (socket === undefined)
    throw new UsageError(`no running lab has a guest '${guest}'; start one: virtfn lab --keep`);
  if (more.length > 0)
    throw new UsageError(
      `several labs have a guest '${guest}'; give one of: ${[socket, ...more].join(', ')}`,
    );
  return knock(socket);
}

/** Commands from stdin, until its end; returns the last one's exit code. */
async function converse(
  guest: string,
  run: (command: string) => Promise<DoorAnswer>,
): Promise<number> {
  const isTerminal = process.stdin.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
    terminal: isTerminal,
  });
  lines.setPrompt(isTerminal ? `${guest}# ` : '');
  lines.prompt();
  let code = 0;
  for await (const line of lines) {
    if (line.trim() !== '') code = print(await run(line));
    lines.prompt();
  }
  return code;
}

function print({ code, stdout, stderr }: DoorAnswer): number {
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  return code;
}
