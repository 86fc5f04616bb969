/**
 * The control plane's handle on a data plane: one worker or several, each a thread that owns
 * functions, sockets and a switch, and blocks in its own loop. Commands and events go by message;
 * counters are read from shared memory, where each worker counts what it decides.
 */
import { clockOrigin } from '../../lib/clock.ts';
import { Counters } from '../../lib/counters.ts';
import type { VerdictFilter, VerdictListener } from '../../switch/tap-verdicts.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type {
  DataplaneCommand,
  DataplaneConfig,
  DataplaneEvent,
  FunctionCommand,
  SharedCounts,
} from './config.ts';
import { tuneEngine } from './engine.ts';
import { placeFunctions } from './placement.ts';
import { createTrunkLines } from './trunk-lines.ts';
import { WorkerThread } from './worker-thread.ts';

export type {
  DataplaneCommand,
  DataplaneConfig,
  DataplaneEvent,
  FunctionCommand,
  FunctionConfig,
} from './config.ts';

type Ready = Extract<DataplaneEvent, { readonly kind: 'ready' }>;

export class Dataplane {
  readonly #workers: readonly WorkerThread[];
  /** The worker of each function, by its name. */
  readonly #homes: ReadonlyMap<string, number>;
  readonly #listeners: ((event: DataplaneEvent) => void)[] = [];
  readonly #exited: Promise<void>;
  readonly #origin = clockOrigin();
  readonly #ready: Ready[] = [];
  #counters: ReadonlyMap<string, readonly Counters[]> = new Map();
  #requests = 0;
  #left: number;

  private constructor(config: DataplaneConfig) {
    tuneEngine();
    const { functions } = config;
    const homes = placeFunctions(
      functions,
      config.workers ?? 1,
      'vpc' in config ? config.vpc : null,
    );
    const count = Math.max(0, ...homes) + 1;
    const { lines, close } = createTrunkLines(count);
    this.#homes = new Map(functions.map(({ name }, i) => [name, homes[i] ?? 0]));
    this.#left = count;
    const origin = this.#origin;
    this.#workers = lines.map((own, number) => {
      const data = { config, origin, number, homes, lines: own };
      return new WorkerThread(data, (event) => this.#hear(event));
    });
    // Without one of them the network is none.
    for (const worker of this.#workers)
      void worker.exited.then(() => this.#send({ kind: 'close' }));
    this.#exited = Promise.all(this.#workers.map(({ exited }) => exited)).then(close);
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

  /** Resolves when all workers have ended; rejects when one did by a fault of ours. */
  async ended(): Promise<void> {
    await this.#exited;
    if (this.#failure !== null) throw this.#failure;
  }

  /**
   * By function: every counter of its port that is not zero, from all workers together, and of its
   * model's own ones, which may be a fifth of a second old.
   */
  counters(): Record<string, Partial<Record<string, number>>> {
    return Object.fromEntries([...this.#counters].map(([name, sets]) => [name, sumOf(sets)]));
  }

  /** Time 0 of verdicts: nanoseconds since 1970. */
  get epochNs(): bigint {
    return this.#origin.epochNs;
  }

  /** Changes a function while its guest runs. */
  command(command: FunctionCommand): void {
    this.#workers[this.#homes.get(command.function) ?? 0]?.send(command);
  }

  /**
   * Gives a running VPC another model, in each worker from one frame to the next. Resolves with what
   * is wrong with it, a sentence each: then nothing has changed.
   */
  async setVpc(model: VpcModel): Promise<readonly string[]> {
    const request = ++this.#requests;
    let waiting = this.#workers.length;
    const answer = new Promise<readonly string[]>((resolve) => {
      const hear = (event: DataplaneEvent): void => {
        if (event.kind !== 'vpc-set' || event.request !== request || --waiting > 0) return;
        this.#forget(hear);
        resolve(event.problems); // all workers find the same
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
    const share = Math.ceil(perSecond / this.#workers.length);
    this.#send({ kind: 'start-tracer', tracer, filter, perSecond: share });
    return () => {
      this.#forget(hear);
      this.#send({ kind: 'stop-tracer', tracer });
    };
  }

  /** Sockets and captures are closed and removed when this resolves. */
  async close(): Promise<void> {
    this.#send({ kind: 'close' });
    await this.#exited;
  }

  get #failure(): Error | null {
    return this.#workers.find(({ failure }) => failure !== null)?.failure ?? null;
  }

  #forget(listener: (event: DataplaneEvent) => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  #send(command: DataplaneCommand): void {
    for (const worker of this.#workers) worker.send(command);
  }

  #hear(event: DataplaneEvent): void {
    if (event.kind === 'ready') {
      this.#ready.push(event);
      if (this.#ready.length < this.#workers.length) return;
      const names = [...this.#homes.keys()];
      const counters = merged(
        names,
        this.#ready.map((one) => one.counters),
      );
      this.#counters = new Map(
        Object.entries(counters).map(([name, sets]) => [name, sets.map(read)]),
      );
      this.#tell({ kind: 'ready', counters });
    } else if (event.kind !== 'closed') this.#tell(event);
    else if (--this.#left === 0) this.#tell(event);
  }

  #tell(event: DataplaneEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

type SharedByName = Readonly<Record<string, readonly SharedCounts[]>>;

const read = ({ names, buffer }: SharedCounts): Counters => new Counters(names, buffer);

/** What each worker counts of each function, in their order. */
function merged(
  names: readonly string[],
  all: readonly SharedByName[],
): Record<string, SharedCounts[]> {
  return Object.fromEntries(names.map((name) => [name, all.flatMap((one) => one[name] ?? [])]));
}

function sumOf(sets: readonly Counters[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const set of sets)
    for (const [name, value = 0] of Object.entries(set.snapshot()))
      sum[name] = (sum[name] ?? 0) + value;
  return sum;
}
