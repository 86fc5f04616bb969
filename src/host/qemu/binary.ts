/**
 * Finding a QEMU that has the vfio-user client (10.1 and later), on PATH or among unpacked
 * packages, and running programs of such packages through their own loader.
 */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../packages/command.ts';

/** A QEMU that can be run: `command ...prefix ARGUMENTS`. */
export interface QemuBinary {
  command: string;
  prefix: string[];
  /** As it says itself: '11.1.3'. */
  version: string;
  source: 'path' | 'packages';
}

export const OLDEST_QEMU = '10.1';

/** A program of an unpacked root as a command line: its loader, libraries and path. */
export function commandInRoot(root: string, program: string): string[] {
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const loader = ['usr/lib64', 'lib64']
    .map((directory) => join(root, directory, 'ld-linux-x86-64.so.2'))
    .find((path) => existsSync(path));
  const path = join(root, program);
  return loader === undefined ? [path] : [loader, '--library-path', libraries, path];
}

/** The QEMU of an unpacked root, with its own firmware and without the machine's modules. */
export async function qemuInRoot(root: string): Promise<QemuBinary | undefined> {
  const [command = '', ...loaderArguments] = commandInRoot(root, 'usr/bin/qemu-system-x86_64');
  const data = ['qemu', 'seabios'].flatMap((name) => ['-L', join(root, 'usr/share', name)]);
  return probe({ command, prefix: [...loaderArguments, ...data], source: 'packages' });
}

/** The machine's own QEMU, when it is new enough and can be a vfio-user client. */
export async function qemuOnPath(): Promise<QemuBinary | undefined> {
  const command = (process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => join(directory, 'qemu-system-x86_64'))
    .find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  return command === undefined ? undefined : probe({ command, prefix: [], source: 'path' });
}

/** True when version `a` ('11.1.3') is `b` or newer. */
export function atLeast(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (const [index, part] of (right ?? []).entries()) {
    const difference = (left?.[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

async function probe(binary: Omit<QemuBinary, 'version'>): Promise<QemuBinary | undefined> {
  const ask = (...args: string[]): ReturnType<typeof runCommand> =>
    runCommand(binary.command, [...binary.prefix, ...args], { timeoutMs: 20_000 });
  const [version, devices] = await Promise.all([ask('--version'), ask('-device', 'help')]);
  const number = /version (\d+(?:\.\d+)+)/.exec(version.stdout)?.[1];
  if (number === undefined || !atLeast(number, OLDEST_QEMU)) return undefined;
  if (!devices.stdout.includes('"vfio-user-pci"')) return undefined;
  return { ...binary, version: number };
}
