/**
 * The host's side of the guest agent (its other side: AGENT_SCRIPT): runs commands in a guest over
 * a byte stream. Lines of text, base64 inside; a line that is not ours, or is broken, is skipped.
 *
 *     host -> guest   @vf - 0 hello              @vf BOOT ID run BASE64     @vf BOOT ID kill
 *     guest -> host   @vf BOOT 0 ready KERNEL    @vf BOOT ID out|err BASE64
 *                     @vf BOOT ID end CODE OUTBYTES ERRBYTES
 *
 * BOOT names one boot of the guest, so that nothing meant for one reaches the next.
 */

import type { Duplex } from 'node:stream';

export interface ExecResult {
  /** Exit code; 128 + n after signal n. */
  code: number;
  stdout: string;
  stderr: string;
  /** The same output where it is not text. */
  stdoutBytes: Buffer;
}

export interface ExecOptions {
  /** After this long the command is killed and `exec` rejects. Default 30 s. */
  timeoutMs?: number;
}

/** A command that could not be carried through, or (from `run`) whose exit code was not 0. */
export class GuestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'GuestError';
  }
}

export interface Agent {
  /** Runs shell text in the guest. @throws GuestError on a deadline, a reboot, or the guest's end */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Resolves when an agent answers whose boot is not `after`. @throws GuestError */
  ready(timeoutMs: number, after?: string): Promise<{ boot: string; kernel: string }>;
  /** The boot that answers now, or undefined before the first one. */
  boot(): string | undefined;
}

interface Job {
  command: string;
  out: Buffer[];
  err: Buffer[];
  finish(code: number, lost: boolean): void;
  fail(reason: string): void;
}

const HELLO_MS = 500;
const KILL_GRACE_MS = 2_000;
const MAX_LINE = 64 * 1024;

/** A message of the guest, or undefined for anything else. */
export function parseAgentLine(
  line: string,
): { boot: string; id: number; verb: string; rest: string } | undefined {
  const match = /^@vf ([0-9a-f]{8}) (\d{1,9}) (ready|out|err|end)(?: (\S.*))?$/.exec(
    line.trimEnd(),
  );
  const [, boot = '', id = '', verb = '', rest = ''] = match ?? [];
  return match === null ? undefined : { boot, id: Number(id), verb, rest };
}

/** Text lines of a byte stream; a line that grows over the limit is dropped. */
export function boundedLines(limit: number, onLine: (line: string) => void): (d: Buffer) => void {
  let pending = '';
  return (data) => {
    const lines = (pending + data.toString('latin1')).split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > limit) pending = '';
    for (const line of lines) if (line.length <= limit) onLine(line);
  };
}

/** @param name the guest's name, for messages */
export function connectAgent(name: string, stream: Duplex): Agent {
  const jobs = new Map<number, Job>();
  const waiters = new Set<() => void>();
  let current: { boot: string; kernel: string } | undefined;
  let gone = false;
  let nextId = 1;

  const send = (line: string): void => void (gone || stream.write(`\n${line}\n`));
  const wake = (): void => {
    for (const waiter of [...waiters]) waiter();
  };
  const failJobs = (reason: string): void => {
    for (const job of [...jobs.values()]) job.fail(reason);
  };

  const onLine = (line: string): void => {
    const message = parseAgentLine(line);
    if (message === undefined) return;
    const { boot, id, verb, rest } = message;
    if (verb === 'ready') {
      if (current?.boot !== boot) failJobs('the guest rebooted');
      current = { boot, kernel: rest };
      wake();
      return;
    }
    const job = jobs.get(id);
    if (job === undefined || boot !== current?.boot) return;
    if (verb === 'out') job.out.push(Buffer.from(rest, 'base64'));
    if (verb === 'err') job.err.push(Buffer.from(rest, 'base64'));
    if (verb === 'end') {
      const [code = -1, out = 0, err = 0] = rest.split(' ').map(Number);
      job.finish(code, size(job.out) !== out || size(job.err) !== err);
    }
  };
  stream.on('data', boundedLines(MAX_LINE, onLine));
  const onGone = (): void => {
    gone = true;
    failJobs('the guest has ended');
    wake();
  };
  stream.on('close', onGone);
  stream.on('error', onGone);

  const ready: Agent['ready'] = (timeoutMs, after) =>
    new Promise((resolve, reject) => {
      const hello = setInterval(() => send('@vf - 0 hello'), HELLO_MS);
      const finish = (act: () => void): void => {
        clearInterval(hello);
        clearTimeout(timer);
        waiters.delete(check);
        act();
      };
      const check = (): void => {
        const found = current;
        if (gone) finish(() => reject(new GuestError(`${name} ended before its agent answered.`)));
        else if (found !== undefined && found.boot !== after) finish(() => resolve(found));
      };
      const timer = setTimeout(
        () =>
          finish(() =>
            reject(new GuestError(`${name} did not answer within ${timeoutMs / 1000} s.`)),
          ),
        timeoutMs,
      );
      waiters.add(check);
      check();
    });

  const exec: Agent['exec'] = async (command, { timeoutMs = 30_000 } = {}) => {
    if (current === undefined) await ready(timeoutMs);
    const boot = current?.boot;
    const id = nextId++;
    return new Promise<ExecResult>((resolve, reject) => {
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      let late: NodeJS.Timeout | undefined;
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        clearTimeout(late);
        jobs.delete(id);
        act();
      };
      const fail = (reason: string): void =>
        settle(() => {
          const said = Buffer.concat([...out, ...err])
            .toString()
            .trim()
            .slice(-500);
          const tail = said === '' ? '' : `; it had said: ${said}`;
          reject(new GuestError(`${name}: '${short(command)}' failed: ${reason}${tail}`));
        });
      const timer = setTimeout(() => {
        const reason = `no end within ${timeoutMs / 1000} s`;
        const job = jobs.get(id);
        if (job) job.finish = () => fail(reason);
        send(`@vf ${boot} ${id} kill`);
        late = setTimeout(() => fail(reason), KILL_GRACE_MS);
      }, timeoutMs);
      const finish = (code: number, lost: boolean): void => {
        if (lost) {
          fail('part of its output was lost (more than 8 MiB, or a broken line)');
          return;
        }
        const stdoutBytes = Buffer.concat(out);
        const stderr = Buffer.concat(err).toString();
        settle(() => resolve({ code, stdout: stdoutBytes.toString(), stderr, stdoutBytes }));
      };
      jobs.set(id, { command, out, err, finish, fail });
      if (gone) fail('the guest has ended');
      else send(`@vf ${boot} ${id} run ${Buffer.from(command).toString('base64')}`);
    });
  };
  return { exec, ready, boot: () => current?.boot };
}

function size(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function short(command: string): string {
  const line = command.trim().replace(/\s+/g, ' ');
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
