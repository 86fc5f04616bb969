/** The C programs of the bench, compiled by the machine's own compiler where there is one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLines, runCommand } from '../packages/command.ts';
import type { FigureSpec } from './figures.ts';
import type { Slice } from './path-spec.ts';
import { SlicedProcess } from './sliced-process.ts';
import type { Contender } from './turns.ts';

export type NativeName = 'yardstick' | 'limits' | 'blast';

/** Programs that have been compiled, by name; or why there is none. */
export type Native = { readonly directory: string } | { readonly why: string };

/** Where the sources are, seen from `src/host/bench` and from `dist/src/host/bench`. */
function sourceDirectory(): string {
  const depth = import.meta.url.endsWith('.ts') ? '../../..' : '../../../..';
  return fileURLToPath(new URL(`${depth}/bench`, import.meta.url));
}

/** Compiles all of them into `directory`. */
export async function compileNative(directory: string, signal: AbortSignal): Promise<Native> {
  const compiler = ['cc', 'gcc', 'clang'].find(isOnPath);
  if (compiler === undefined) return { why: 'there is no C compiler on PATH (cc, gcc, clang)' };
  for (const name of ['yardstick', 'limits', 'blast'] satisfies NativeName[]) {
    const source = join(sourceDirectory(), `${name}.c`);
    const args = ['-O3', '-pthread', '-o', join(directory, name), source];
    const { code, stderr } = await runCommand(compiler, args, { signal });
    signal.throwIfAborted();
    if (code !== 0) return { why: `${compiler} cannot compile ${name}.c: ${lastLines(stderr)}` };
  }
  return { directory };
}

export function isOnPath(command: string): boolean {
  const path = process.env['PATH'] ?? '';
  return path.split(':').some((directory) => existsSync(join(directory, command)));
}

/** A program that counts what it does in a slice. `value` makes the figure of one. */
export async function nativeContender(
  [command, args]: readonly [command: string, args: readonly string[]],
  figure: FigureSpec,
  value: (slice: Slice) => number,
): Promise<Contender> {
  const process = await SlicedProcess.start(figure.title, command, args);
  return {
    figures: [figure],
    measure: async (ms) => [value(await process.slice<Slice>(ms))],
    close: () => process.close(),
  };
}

/** A compiled program. @throws Error where there is none */
export function programOf(native: Native, name: NativeName): string {
  if ('why' in native) throw new Error(native.why);
  return join(native.directory, name);
}

export const mpps = ({ frames, ns }: Slice): number => (frames / ns) * 1e3;
export const nsEach = ({ frames, ns }: Slice): number => ns / frames;
