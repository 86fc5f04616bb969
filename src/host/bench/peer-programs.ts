/**
 * The programs of peers: from the distribution's packages, unpacked into the cache and run through
 * their own loader; nothing is installed. All that they write goes into a directory of the bench's.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../packages/command.ts';
import { ensureSet, type SetOptions } from '../packages/sets.ts';
import { commandInRoot } from '../qemu/binary.ts';

export class PeerPrograms {
  readonly root: string;
  /** Names and versions of what was unpacked. */
  readonly versions: ReadonlyMap<string, string>;

  /** @throws SetupError */
  static async get(options: SetOptions): Promise<PeerPrograms> {
    const { root, packages } = await ensureSet('peers', ({ sets }) => sets.peers, options);
    return new PeerPrograms(root, new Map(packages.map(({ name, version }) => [name, version])));
  }

  private constructor(root: string, versions: ReadonlyMap<string, string>) {
    this.root = root;
    this.versions = versions;
  }

  /**
   * A command line that runs `program` with its files in `directory`, in a network namespace of its
   * own: a switch makes interfaces, and the machine's are none of its business. Ends with this process.
   */
  isolated(program: string, directory: string): string[] {
    const namespaces = ['/usr/bin/unshare', '-rn', 'setpriv', '--pdeathsig', 'KILL', '--'];
    return [...namespaces, ...this.command(program, directory)];
  }

  /** A command line that runs `program` with its files in `directory`. */
  command(program: string, directory: string): string[] {
    const names = ['OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR', 'OVS_SYSCONFDIR', 'RUNTIME_DIRECTORY'];
    const places = names.map((name) => `${name}=${directory}`);
    return ['/usr/bin/env', ...places, ...commandInRoot(this.root, program)];
  }

  /** Runs one to its end: what it printed. @throws Error with its complaint */
  async run(
    program: string,
    args: readonly string[],
    { directory, timeoutMs = 15_000 }: { directory: string; timeoutMs?: number },
  ): Promise<string> {
    const [command = '', ...prefix] = this.command(program, directory);
    const { code, stdout, stderr } = await runCommand(command, [...prefix, ...args], { timeoutMs });
    if (code !== 0) throw new Error(`${program} ${args[0] ?? ''}: ${stderr.trim().split('\n')[0]}`);
    return stdout;
  }

  /** Options that make DPDK load these of its drivers. @throws Error where one is not there */
  plugins(names: readonly string[]): string[] {
    const dpdk = join(this.root, 'usr/lib/x86_64-linux-gnu/dpdk');
    const directory = readdirSync(dpdk).find((name) => name.startsWith('pmds-')) ?? '';
    const files = readdirSync(join(dpdk, directory));
    return names.flatMap((name) => {
      const file = files.find((one) => one.startsWith(`librte_${name}.so`));
      if (file === undefined) throw new Error(`DPDK has no driver ${name} here`);
      return ['-d', join(dpdk, directory, file)];
    });
  }
}

/** Memory of ordinary pages, no device of the machine, and nothing outside of its own directory. */
export const dpdkOptions: readonly string[] = [
  ...['--no-huge', '--no-pci', '--no-shconf', '--no-telemetry', '-m', '1024'],
];

/** CPU time of one thread, or of all threads of a process so far, in nanoseconds (proc(5)). */
export function threadNs(pid: number, tid?: number): number {
  const tasks = `/proc/${pid}/task`;
  const which = tid === undefined ? readdirSync(tasks) : [`${tid}`];
  return which.reduce((sum, task) => {
    const [ns = '0'] = readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ');
    return sum + Number(ns);
  }, 0);
}

/** The thread of a process with this in its name. @throws Error where there is none */
export function threadNamed(pid: number, part: string): number {
  const tasks = `/proc/${pid}/task`;
  const found = readdirSync(tasks).find((task) =>
    readFileSync(join(tasks, task, 'comm'), 'utf8').includes(part),
  );
  if (found === undefined) throw new Error(`no thread is named ${part}`);
  return Number(found);
}
