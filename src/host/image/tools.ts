/**
 * The programs that read images: the machine's own where they will do, else those of the distribution's
 * packages. What they are given was made by strangers, so each run is bounded in time, output, memory
 * and what it may write, has no shell, and ends with this process.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, runCommand } from '../packages/command.ts';
import { ensureSet, type SetOptions } from '../packages/sets.ts';
import { atLeast, commandInRoot } from '../qemu/binary.ts';
import { spawnChild } from '../qemu/process.ts';
import { ImageError } from './errors.ts';

export type ToolName = 'grub-fstest' | 'qemu-img' | 'xz' | 'zstd' | 'lz4' | 'bzip2';

export interface ToolRun {
  timeoutMs: number;
  /** Most of what is taken from its output; it is stopped at more. */
  maxBytes: number;
  input?: Uint8Array;
  /** Most that it may write to a file; none if absent. */
  maxFileBytes?: number;
  /** Takes the output instead of its being collected; false: enough, stop it. */
  onData?: (data: Buffer) => boolean;
  /** Called now and then while it runs; false: stop it. */
  onTick?: () => boolean;
}

export interface ToolResult {
  how: 'ended' | 'tooSlow' | 'tooMuch' | 'stopped';
  code: number;
  stdout: Buffer;
  /** The end of its complaint. */
  complaint: string;
}

/** The oldest that is trusted with what strangers made; absent: any. */
const OLDEST: Partial<Record<ToolName, string>> = { 'grub-fstest': '2.12', 'qemu-img': '9.1' };
/** More than any of them needs: a zstd window of 2 GiB, twice. */
const MEMORY_BYTES = 5 * 2 ** 30;
const TICK_MS = 200;

export class ImageTools {
  readonly #options: SetOptions;
  readonly #found = new Map<ToolName, Promise<string[]>>();

  constructor(options: SetOptions) {
    this.#options = options;
  }

  /** Resolves however it ended. @throws SetupError where the tool cannot be had */
  async run(tool: ToolName, args: readonly string[], run: ToolRun): Promise<ToolResult> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    const [command = '', ...rest] = [...limits(run), ...(await this.#command(tool)), ...args];
    const child = await spawnChild(command, rest, 0, run.input === undefined ? 'ignore' : 'pipe');
    let how: ToolResult['how'] = 'ended';
    const stop = (why: ToolResult['how']): void => {
      if (how === 'ended') how = why;
      child.kill();
    };
    const parts: Buffer[] = [];
    let taken = 0;
    child.stdout.on('data', (data: Buffer) => {
      if (how !== 'ended') return;
      taken += data.length;
      if (taken > run.maxBytes) stop('tooMuch');
      else if (run.onData === undefined) parts.push(data);
      else if (!run.onData(data)) stop('stopped');
    });
    let complaint = '';
    child.stderr.on('data', (data: Buffer) => {
      complaint = (complaint + data.toString('latin1')).slice(-1000);
    });
    child.stdin?.on('error', () => {}); // it had enough: told by how it ends
    child.stdin?.end(run.input);
    const timer = setTimeout(() => stop('tooSlow'), run.timeoutMs);
    const ticker = setInterval(() => run.onTick?.() === false && stop('stopped'), TICK_MS);
    const onAbort = (): void => stop('stopped');
    signal?.addEventListener('abort', onAbort);
    const exit = await child.exited;
    clearTimeout(timer);
    clearInterval(ticker);
    signal?.removeEventListener('abort', onAbort);
    signal?.throwIfAborted();
    const code = Number(/^exit code (\d+)/.exec(exit)?.[1] ?? -1);
    const said = lastLines(complaint, 1).replace(/^.*grub-fstest: /, '');
    return { how, code, stdout: Buffer.concat(parts), complaint: said || exit };
  }

  /** Where it comes from is found out once, and only when it is needed. */
  #command(tool: ToolName): Promise<string[]> {
    const known = this.#found.get(tool) ?? this.#find(tool);
    this.#found.set(tool, known);
    return known;
  }

  async #find(tool: ToolName): Promise<string[]> {
    const own = onPath(tool);
    if (own !== undefined && (await isNewEnough(own, tool))) return [own];
    const { root } = await ensureSet('image', ({ sets }) => sets.image, this.#options);
    if (!existsSync(join(root, 'usr/bin', tool)))
      throw new ImageError(
        `Reading this image needs ${tool}, which the distribution's packages do not have: install it ` +
          `${OLDEST[tool] === undefined ? '' : `(${OLDEST[tool]} or newer) `}so that it is on PATH.`,
      );
    return commandInRoot(root, join('usr/bin', tool));
  }
}

function onPath(tool: ToolName): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(':')
    .filter((directory) => directory.startsWith('/'))
    .map((directory) => join(directory, tool))
    .find((path) => existsSync(path));
}

async function isNewEnough(command: string, tool: ToolName): Promise<boolean> {
  const oldest = OLDEST[tool];
  if (oldest === undefined) return true;
  const { stdout } = await runCommand(command, ['--version'], { timeoutMs: 5000 });
  const version = /(\d+(?:\.\d+)+)/.exec(stdout)?.[1];
  return version !== undefined && atLeast(version, oldest);
}

/** No file but what it is asked to make can grow: an image is not even written to by a broken tool. */
function limits({ maxFileBytes = 0, timeoutMs }: ToolRun): string[] {
  const find = (name: string): string | undefined =>
    ['/usr/bin', '/bin'].map((directory) => join(directory, name)).find((path) => existsSync(path));
  const [env, prlimit] = [find('env'), find('prlimit')];
  // their complaints are read, so they must be in one language
  const words = env === undefined ? [] : [env, 'LC_ALL=C'];
  if (prlimit === undefined) return words;
  const seconds = Math.ceil(timeoutMs / 1000);
  const bounds = [
    `--as=${MEMORY_BYTES}`,
    `--fsize=${maxFileBytes}`,
    `--cpu=${seconds}`,
    '--core=0',
  ];
  return [...words, prlimit, ...bounds, '--'];
}
