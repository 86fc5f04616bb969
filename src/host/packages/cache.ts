/**
 * The cache directory: where it is, whole directories that appear at once or not at all, and the
 * lock that keeps two runs from doing the same work. The place follows the XDG base directories.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** `$VIRTFN_CACHE`, else `virtfn` below `$XDG_CACHE_HOME` or `~/.cache`. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['VIRTFN_CACHE'];
  if (own) return own;
  const xdg = environment['XDG_CACHE_HOME'];
  return join(xdg?.startsWith('/') ? xdg : join(homedir(), '.cache'), 'virtfn');
}

/**
 * Fills a directory under a temporary name and moves it to `path` when `fill` is through, so that
 * it is never seen half done. What was at `path` is replaced.
 */
export async function createDirectory(
  path: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  sweepTemporaries(dirname(path));
  const temporary = temporaryName(path);
  await mkdir(temporary, { recursive: true });
  try {
    await fill(temporary);
    await rm(path, { recursive: true, force: true });
    await rename(temporary, path);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Writes a file by way of a temporary name: readers see the old content or the new one. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, content);
  await rename(temporary, path);
}

/** The parsed JSON file, or undefined when there is none or it is broken. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Runs `work` while no other process does so under the same lock. A lock whose owner is dead is
 * taken over. (Two takers of one dead lock may both get it; what they write is whole either way.)
 */
export async function withLock<T>(
  path: string,
  onWait: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  const mine = `${process.pid} ${startTime(process.pid)} ${randomBytes(4).toString('hex')}`;
  mkdirSync(dirname(path), { recursive: true });
  for (let told = false; !tryCreate(path, mine); ) {
    const owner = readText(path);
    const [pid = '0', started] = owner.split(' ');
    if (owner !== '' && startTime(Number(pid)) !== started) {
      if (readText(path) === owner) rmSync(path, { force: true });
      continue;
    }
    if (!told) onWait(Number(pid));
    told = true;
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    if (readText(path) === mine) rmSync(path, { force: true });
  }
}

function tryCreate(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** When a process started, in clock ticks since boot: tells a pid's later owners apart. */
function startTime(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

const TEMPORARY = /\.tmp-(\d+)-[0-9a-f]+$/;

function temporaryName(path: string): string {
  return `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Removes what runs that were killed have left behind. */
function sweepTemporaries(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(directory)) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid !== undefined && startTime(Number(pid)) === undefined)
      rmSync(join(directory, name), { recursive: true, force: true });
  }
}
