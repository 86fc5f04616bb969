/**
 * A process that does one thing, on request and for as long as it is told: a line with milliseconds
 * goes in, a line of JSON comes out. Each contender has its own, so that no one's memory, collector
 * or compiled code is another one's business.
 */
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { type Child, spawnChild } from '../qemu/process.ts';

/** Beyond what it was asked for; a slow start is none of its faults. */
const graceMs = 60_000;

export class SlicedProcess {
  readonly #name: string;
  readonly #child: Child;
  readonly #channel: Duplex;
  #said = '';
  #waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | null = null;
  #ended: string | null = null;

  /** Resolves when it is ready. @throws Error with what it says */
  static async start(
    name: string,
    command: string,
    args: readonly string[],
  ): Promise<SlicedProcess> {
    const process = new SlicedProcess(name, await spawnChild(command, args, 1));
    await process.#line(graceMs);
    return process;
  }

  private constructor(name: string, child: Child) {
    this.#name = name;
    this.#child = child;
    const [channel] = child.channels;
    if (channel === undefined) throw new Error('unreachable: one channel was asked for');
    this.#channel = channel;
    createInterface({ input: channel }).on('line', (line) => {
      this.#waiting?.resolve(line);
      this.#waiting = null;
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.#said = (this.#said + data.toString()).slice(-4000);
      });
    void child.exited.then((how) => {
      this.#ended = how;
      this.#waiting?.reject(this.#complaint(how));
      this.#waiting = null;
    });
  }

  /** `atMostMs`: where a slice takes longer than what is measured in it. */
  async slice<T>(ms: number, atMostMs = ms): Promise<T> {
    const line = this.#line(atMostMs + graceMs);
    this.#channel.write(`${ms}\n`);
    return JSON.parse(await line) as T;
  }

  async close(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  #line(patienceMs: number): Promise<string> {
    if (this.#ended !== null) return Promise.reject(this.#complaint(this.#ended));
    let timer: NodeJS.Timeout;
    return new Promise<string>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      timer = setTimeout(() => reject(this.#complaint('no answer')), patienceMs);
    }).finally(() => clearTimeout(timer));
  }

  #complaint(how: string): Error {
    const lines = this.#said.trim().split('\n');
    const error = lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
    return new Error(`${this.#name}: ${how}${error === '' ? '' : `: ${error.trim()}`}`);
  }
}
