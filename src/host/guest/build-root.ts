/**
 * Compiles what no package has: the efa module of the distribution's own kernel source, and our MPI
 * program. It runs in a root of unpacked packages, in namespaces of its own (unshare(1), chroot(1)),
 * so that the machine needs neither a compiler nor root, and the result does not depend on it.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, runCommand } from '../packages/command.ts';
import { SetupError } from '../packages/errors.ts';

const limitMs = 10 * 60_000;

/** A directory of ours that stands for `/`, with the packages' `usr` in it. */
export class BuildRoot {
  readonly #packages: string;
  readonly #root: string;
  readonly #signal: AbortSignal | undefined;

  constructor(packages: string, root: string, signal?: AbortSignal) {
    this.#packages = packages;
    this.#root = root;
    this.#signal = signal;
    for (const name of ['usr', 'dev', 'proc', 'tmp', 'bin', 'build'])
      mkdirSync(join(root, name), { recursive: true });
    for (const name of ['lib', 'lib64', 'sbin']) symlinkSync(`usr/${name}`, join(root, name));
    for (const [name, program] of [
      ['sh', 'dash'],
      ['bash', 'bash'],
      ['awk', 'mawk'],
    ] as const)
      symlinkSync(`/usr/bin/${program}`, join(root, 'bin', name));
  }

  /** Where `/build` is. */
  get directory(): string {
    return join(this.#root, 'build');
  }

  write(name: string, content: string): void {
    writeFileSync(join(this.directory, name), content);
  }

  /** Runs shell text in `/build`. @throws SetupError with the end of what it said */
  async run(what: string, script: string): Promise<void> {
    const outer = [
      'mount --rbind "$1/usr" "$2/usr"',
      'mount --rbind /dev "$2/dev"',
      'mount --rbind /proc "$2/proc"',
      'exec chroot "$2" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/tmp LC_ALL=C sh -ec "$3"',
    ].join(' && ');
    const args = [
      '-rm',
      'sh',
      '-c',
      outer,
      'sh',
      this.#packages,
      this.#root,
      `cd /build\n${script}`,
    ];
    const result = await runCommand('unshare', args, { timeoutMs: limitMs, signal: this.#signal });
    if (result.code === 0) return;
    throw new SetupError(
      'broken-package',
      `${what} could not be compiled: ${lastLines(result.stderr || result.stdout)}; it needs user namespaces (unshare -rm).`,
    );
  }
}
