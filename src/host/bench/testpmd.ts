/**
 * DPDK's own drivers, by its testpmd with one forwarding core: two memif ports joined to each other,
 * around which frames go, or two null ports that copy what they make and what they take. Between
 * slices it does not forward, and sleeps.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, spawnChild } from '../qemu/process.ts';
import type { FigureSpec } from './figures.ts';
import { dpdkOptions, type PeerPrograms, threadNs } from './peer-programs.ts';
import type { Contender } from './turns.ts';

export type TestpmdKind = 'memif' | 'null';

const bootMs = 30_000;
const prompt = 'testpmd>';

/** @throws Error with what it says */
export async function testpmdContender(
  programs: PeerPrograms,
  directory: string,
  { kind, bytes }: { kind: TestpmdKind; bytes: number },
  figure: FigureSpec,
): Promise<Contender> {
  const own = join(directory, `testpmd-${kind}-${bytes}`);
  mkdirSync(own);
  const [command = '', ...prefix] = programs.command('usr/bin/dpdk-testpmd', own);
  const args = [
    ...['--lcores', '0@0,1@1', ...dpdkOptions],
    ...programs.plugins(['mempool_ring', 'net_memif', 'net_null']),
    ...devices(kind, bytes, own),
    ...['--', '-i', '--forward-mode=io', `--txpkts=${bytes}`, '--total-num-mbufs=16384'],
  ];
  // Its commands come by the socket that is its descriptor 3.
  // Without a terminal it would keep what it prints to itself.
  const shell = ['-c', 'exec stdbuf -oL "$@" <&3', 'sh', command, ...prefix, ...args];
  const pmd = new Testpmd(await spawnChild('/bin/sh', shell, 1));
  try {
    await pmd.until(prompt, bootMs);
  } catch (error) {
    await pmd.close();
    throw error;
  }
  // memif ports have nothing to forward but what is put in once.
  const start = kind === 'memif' ? 'start tx_first 8' : 'start';
  return {
    figures: [figure],
    measure: async (ms) => {
      const before = pmd.cpuNs();
      await pmd.ask(start, 'packets/burst');
      await sleep(ms);
      const text = await pmd.ask('stop', 'Done.');
      const ns = pmd.cpuNs() - before;
      const all = text.slice(text.indexOf('Accumulated forward statistics'));
      const frames = Number(/RX-packets: (\d+)/.exec(all)?.[1] ?? 0);
      if (frames === 0) throw new Error(`testpmd forwarded nothing: ${text.slice(-200)}`);
      return [(frames / ns) * 1e3];
    },
    close: () => pmd.close(),
  };
}

function devices(kind: TestpmdKind, bytes: number, directory: string): string[] {
  if (kind === 'null')
    return [0, 1].flatMap((n) => ['--vdev', `net_null${n},size=${bytes},copy=1`]);
  const socket = `socket=${join(directory, 'memif.sock')},socket-abstract=no`;
  const each = (n: number, role: string): string[] => [
    ...['--vdev', `net_memif${n},role=${role},id=0,${socket},rsize=10`],
  ];
  return [...each(0, 'server'), ...each(1, 'client')];
}

class Testpmd {
  readonly #child: Child;
  readonly #commands: Duplex;
  #said = '';
  #ended: string | null = null;

  constructor(child: Child) {
    this.#child = child;
    const [commands] = child.channels;
    if (commands === undefined) throw new Error('unreachable: one channel was asked for');
    this.#commands = commands;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.#said = (this.#said + data.toString()).slice(-60_000);
      });
    void child.exited.then((how) => {
      this.#ended = how;
    });
  }

  /** CPU time of all its threads so far. */
  cpuNs(): number {
    return threadNs(this.#child.pid);
  }

  /** Gives a command; what it printed until that word. */
  async ask(command: string, word: string): Promise<string> {
    this.#said = '';
    this.#commands.write(`${command}\n`);
    return this.until(word, 3_000);
  }

  /** @throws Error when it ends, or says nothing of the kind */
  async until(word: string, ms: number): Promise<string> {
    for (let waited = 0; waited < ms && this.#ended === null; waited += 5) {
      if (this.#said.includes(word)) return this.#said;
      await sleep(5);
    }
    const lines = this.#said.trim().split('\n');
    const error = lines.find((line) => /error|cannot|fail/i.test(line)) ?? lines.at(-1);
    throw new Error(`testpmd: ${this.#ended ?? 'no answer'}: ${error}`);
  }

  async close(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }
}
