/**
 * The control plane's handle on a data-plane worker: a thread that owns functions, sockets and the
 * switch, and blocks in its own loop. Commands go by message plus an eventfd that wakes the loop;
 * counters are read from shared memory.
 */
import { Worker } from 'node:worker_threads';
import { Counters } from '../../lib/counters.ts';
import type { VerdictFilter, VerdictListener } from '../../switch/tap-verdicts.ts';
import { createEventFd, signalEventFd } from '../../sys/eventfd.ts';
import { closeFd } from '../../sys/fd.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type {
  DataplaneCommand,
  DataplaneConfig,
  DataplaneEvent,
  FunctionCommand,
} from './config.ts';
import { inlineWholePath } from './engine.ts';

export type {
  DataplaneCommand,
  DataplaneConfig,
  DataplaneEvent,
  FunctionCommand,
  FunctionConfig,
} from './config.ts';

/** What a worker is started with. */
export type WorkerData = { readonly config: DataplaneConfig; readonly wakeFd: number };

export class Dataplane {
  readonly #worker: Worker;
  readonly #wakeFd: number;
  readonly #listeners: ((event: DataplaneEvent) => void)[] = [];
  readonly #exited: Promise<void>;
  #counters: ReadonlyMap<string, readonly Counters[]> = new Map();
  #requests = 0;
  #epochNs = 0n;
  #closing = false;
  #failure: Error | null = null;

  private constructor(config: DataplaneConfig) {
    inlineWholePath();
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

  /**
   * By function: every counter of its port that is not zero, and of its model's own ones, which may be
   * a fifth of a second old.
   */
  counters(): Record<string, Partial<Record<string, number>>> {
    return Object.fromEntries(
      [...this.#counters].map(([name, sets]) => [
        name,
        Object.assign({}, ...sets.map((set) => set.snapshot())) as Record<string, number>,
      ]),
    );
  }

  /** Time 0 of verdicts: nanoseconds since 1970. */
  get epochNs(): bigint {
    return this.#epochNs;
  }

  /** Changes a function while its guest runs. */
  command(command: FunctionCommand): void {
    this.#send(command);
  }

  /**
   * Gives a running VPC another model, from one frame to the next. Resolves with what is wrong with
   * it, a sentence each: then nothing has changed.
   */
  async setVpc(model: VpcModel): Promise<readonly string[]> {
    const request = ++this.#requests;
    const answer = new Promise<readonly string[]>((resolve) => {
      const hear = (event: DataplaneEvent): void => {
        if (event.kind !== 'vpc-set' || event.request !== request) return;
        this.#forget(hear);
        resolve(event.problems);
      };
      this.#listeners.push(hear);
    });
    this.#send({ kind: 'set-vpc', request, model });
    const gone = this.#exited.then(() => {
      throw this.#failure ?? new Error('the data plane has ended');
    });
    return Promise.race([answer, gone]);
  }

  /** Tells the verdicts on frames that pass the filter, until what it returns is called. */
  trace(filter: VerdictFilter, perSecond: number, listener: VerdictListener): () => void {
    const tracer = ++this.#requests;
    const hear = (event: DataplaneEvent): void => {
      if (event.kind === 'verdicts' && event.tracer === tracer)
        listener(event.verdicts, event.leftOut);
    };
    this.#listeners.push(hear);
    this.#send({ kind: 'start-tracer', tracer, filter, perSecond });
    return () => {
      this.#forget(hear);
      this.#send({ kind: 'stop-tracer', tracer });
    };
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

  #forget(listener: (event: DataplaneEvent) => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  #send(command: DataplaneCommand): void {
    this.#worker.postMessage(command);
    signalEventFd(this.#wakeFd);
  }

  #hear(event: DataplaneEvent): void {
    if (event.kind === 'ready') {
      this.#epochNs = event.epochNs;
      this.#counters = new Map(
        Object.entries(event.counters).map(([name, sets]) => [
          name,
          sets.map(({ names, buffer }) => new Counters(names, buffer)),
        ]),
      );
    }
    for (const listener of [...this.#listeners]) listener(event);
  }
}
