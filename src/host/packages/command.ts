/** Runs one command to its end: captured output, a deadline, lines of a status descriptor. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface CommandOptions {
  cwd?: string;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
  /** Called for each line which the command writes to descriptor 3. */
  onStatus?: (line: string) => void;
}

export interface CommandResult {
  /** Exit code; 127 when the command could not be started, 128 + n after signal n is -1 here. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Resolves whatever the exit code is; never rejects. Output is decoded as UTF-8. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      signal: options.signal,
    });
    const [, stdout, stderr, status] = child.stdio;
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    stdout?.on('data', (data: Buffer) => out.push(data));
    stderr?.on('data', (data: Buffer) => err.push(data));
    const lines = createInterface({ input: status as Readable });
    lines.on('line', (line) => options.onStatus?.(line));
    let failure = '';
    child.on('error', (error) => {
      failure = error.message;
      if (child.pid === undefined) resolve({ code: 127, stdout: '', stderr: failure });
    });
    child.on('close', (code) =>
      resolve({
        code: code ?? -1,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString() + failure,
      }),
    );
  });
}

/** The last lines of a command's complaint, for the end of an error message. */
export function lastLines(text: string, count = 3): string {
  return text.trim().split('\n').slice(-count).join('; ');
}
