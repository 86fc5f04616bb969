/**
 * Child processes that never outlive this one, and temporary directories that go with it: killed
 * by the kernel when this process dies in any way, by handlers when it ends or is told to.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, type Readable, type Writable } from 'node:stream';

export interface Child {
  pid: number;
  /** Where it was asked for. */
  stdin: Writable | null;
  stdout: Readable;
  stderr: Readable;
  /** Connected sockets whose other ends are the child's descriptors 3 and up. */
  channels: Duplex[];
  /** Resolves when the process has ended and its output is read: how, in words. */
  exited: Promise<string>;
  kill(): void;
}

const children = new Set<ChildProcess>();
const directories = new Set<string>();
let handlersInstalled = false;

/** Starts a command with `channels` socket pairs from descriptor 3 on. @throws when it cannot */
export async function spawnChild(
  command: string,
  args: readonly string[],
  channels: number,
  stdin: 'ignore' | 'pipe' = 'ignore',
): Promise<Child> {
  installHandlers();
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));
  const whole = [command, ...args];
  if (setpriv !== undefined) whole.unshift(setpriv, '--pdeathsig', 'KILL', '--');
  const [first = '', ...rest] = whole;
  const pipes = Array.from({ length: channels }, () => 'pipe' as const);
  const child = spawn(first, rest, { stdio: [stdin, 'pipe', 'pipe', ...pipes] });
  const exited = new Promise<string>((resolve) => {
    child.once('close', (code, signal) => {
      children.delete(child);
      resolve(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  children.add(child);
  child.on('error', () => {}); // a failed kill: it has ended
  const [, stdout, stderr, ...sockets] = child.stdio;
  for (const socket of sockets) socket?.on('error', () => {}); // told by 'exited'
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: stdout as Readable,
    stderr: stderr as Readable,
    channels: sockets.filter((socket): socket is Duplex => socket instanceof Duplex),
    exited,
    kill: () => void child.kill('SIGKILL'),
  };
}

/**
 * A directory that only this user can enter and that is removed with this process (or by the next
 * one that asks for a directory, where this one was killed).
 */
export function temporaryDirectory(): string {
  installHandlers();
  for (const name of readdirSync(tmpdir())) {
    const pid = /^virtfn-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  const directory = mkdtempSync(join(tmpdir(), `virtfn-${process.pid}-`));
  directories.add(directory);
  return directory;
}

export function removeTemporaryDirectory(directory: string): void {
  directories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}

const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux of this architecture

/** User and system time of a process with all its threads, in seconds; 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function cleanUp(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  children.clear();
  directories.clear();
}

/** Signals are passed on to whoever else listens; with nobody else, this process ends by them. */
function installHandlers(): void {
  if (handlersInstalled) return;
  handlersInstalled = true;
  process.on('exit', cleanUp);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const onSignal = (): void => {
      if (process.listenerCount(signal) > 1) return; // its listener closes what it started
      cleanUp();
      process.removeListener(signal, onSignal);
      process.kill(process.pid, signal);
    };
    process.on(signal, onSignal);
  }
}
