/**
 * The control plane's handle on a data-plane worker: a thread that owns functions, sockets and the
 * switch, and blocks in its own loop. Commands go by message plus an eventfd that wakes the loop;
 * counters are read from shared memory.
 */
import { Worker } from 'node:worker_threads';
import { Counters } from '../../lib/counters.ts';
import { createEventFd, signalEventFd } from '../../sys/eventfd.ts';
import { closeFd } from '../../sys/fd.ts';
import type { DataplaneCommand, DataplaneConfig, DataplaneEvent } from './config.ts';

export type {
  DataplaneCommand,
  DataplaneConfig,
  DataplaneEvent,
  FunctionConfig,
} from './config.ts';

/** What a worker is started with. */
export type WorkerData = { readonly config: DataplaneConfig; readonly wakeFd: number };

export class Dataplane {
  readonly #worker: Worker;
  readonly #wakeFd: number;
  readonly #listeners: ((event: DataplaneEvent) => void)[] = [];
  readonly #exited: Promise<void>;
  #counters: ReadonlyMap<string, Counters> = new Map();
  #closing = false;
  #failure: Error | null = null;

  private constructor(config: DataplaneConfig) {
    this.#wakeFd = createEventFd();
    const workerData: WorkerData = { config, wakeFd: this.#wakeFd };
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
    this.#worker.on('message', (event: DataplaneEvent) => this.#hear(event));
    this.#worker.on('error', (error: Error) => {
      this.#failure = error;
    });
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
  }

  /** Resolves when every socket is listened on; rejects with the worker's own error. */
  static async start(
    config: DataplaneConfig,
    listener?: (event: DataplaneEvent) => void,
  ): Promise<Dataplane> {
    const dataplane = new Dataplane(config);
    if (listener !== undefined) dataplane.listen(listener);
    await new Promise<void>((resolve, reject) => {
      dataplane.listen((event) => {
        if (event.kind === 'ready') resolve();
      });
      void dataplane.#exited.then(() => {
        reject(dataplane.#failure ?? new Error('the data plane stopped before it was ready'));
      });
    });
    return dataplane;
  }

  listen(listener: (event: DataplaneEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves when the worker has ended; rejects when it ended by a fault of ours. */
  async ended(): Promise<void> {
    await this.#exited;
    if (this.#failure !== null) throw this.#failure;
  }

  /** By function: every counter of its port that is not zero. */
  counters(): Record<string, Partial<Record<string, number>>> {
    return Object.fromEntries([...this.#counters].map(([name, set]) => [name, set.snapshot()]));
  }

  /** Changes a function while its guest runs. */
  command(command: Exclude<DataplaneCommand, { kind: 'close' }>): void {
    this.#send(command);
  }

  /** Sockets and captures are closed and removed when this resolves. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#send({ kind: 'close' });
      void this.#exited.then(() => closeFd(this.#wakeFd));
    }
    await this.#exited;
  }

  #send(command: DataplaneCommand): void {
    this.#worker.postMessage(command);
    signalEventFd(this.#wakeFd);
  }

  #hear(event: DataplaneEvent): void {
    if (event.kind === 'ready')
      this.#counters = new Map(
        Object.entries(event.counters).map(([name, { names, buffer }]) => [
          name,
          new Counters(names, buffer),
        ]),
      );
    for (const listener of this.#listeners) listener(event);
  }
}
