/**
 * The control plane's end of one worker: commands go by message plus an eventfd that wakes the
 * worker's loop, events come by message.
 */
import { Worker } from 'node:worker_threads';
import type { ClockOrigin } from '../../lib/clock.ts';
import { createEventFd, signalEventFd } from '../../sys/eventfd.ts';
import { closeFd } from '../../sys/fd.ts';
import type { DataplaneCommand, DataplaneConfig, DataplaneEvent } from './config.ts';
import type { TrunkLines } from './trunk-lines.ts';

/** What a worker is started with. */
export type WorkerData = {
  readonly config: DataplaneConfig;
  readonly wakeFd: number;
  /** All workers have the same time. */
  readonly origin: ClockOrigin;
  /** Its number, and that of each function's worker. */
  readonly number: number;
  readonly homes: readonly number[];
  readonly lines: TrunkLines;
};

export class WorkerThread {
  /** Resolves when it has ended, however it did. */
  readonly exited: Promise<void>;
  /** The fault by which it ended. */
  failure: Error | null = null;
  readonly #worker: Worker;
  readonly #wakeFd = createEventFd();
  #closing = false;

  constructor(data: Omit<WorkerData, 'wakeFd'>, hear: (event: DataplaneEvent) => void) {
    const workerData: WorkerData = { ...data, wakeFd: this.#wakeFd };
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData });
    this.#worker.on('message', hear);
    this.#worker.on('error', (error: Error) => {
      this.failure = error;
    });
    this.exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    void this.exited.then(() => {
      this.#closing = true;
      closeFd(this.#wakeFd);
    });
  }

  send(command: DataplaneCommand): void {
    if (this.#closing) return;
    this.#closing = command.kind === 'close';
    this.#worker.postMessage(command);
    signalEventFd(this.#wakeFd);
  }
}
