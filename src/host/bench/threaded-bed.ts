/**
 * The data path as it is used: functions and switch have a thread of their own, which polls the
 * doorbells that guests store into mapped memory; the guests have another one (`load-thread.ts`).
 * Drivers set the functions up in this thread, then hand their rings over. Every frame must arrive,
 * and every 1009th is compared byte by byte.
 */

import { once } from 'node:events';
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { bigCount } from '../../lib/big-count.ts';
import { MonotonicClock } from '../../lib/clock.ts';
import type { ServedNic } from '../dataplane/nic-model.ts';
import { BusyTime } from './busy-time.ts';
import { makeFabric } from './fabrics.ts';
import { loadedPair } from './load-ends.ts';
import {
  type LoadAnswer,
  type LoadCommand,
  type LoadData,
  type LoadReply,
  type Paced,
  sharedWords,
  word,
} from './load-words.ts';
import type { PathSpec, ThreadedSlice } from './path-spec.ts';
import { ServedNumbers } from './served-numbers.ts';
import { threadTimes } from './thread-times.ts';
import { warmUp } from './warm-up.ts';

const usuallyEvery = 1009;
/** Polls between two looks at what else there is. */
const lookEvery = 64;
/** Beyond what the guests were asked for. */
const patienceNs = 10e9;
/** So long without a turn of the event loop: as in the data-plane thread. */
const breathNs = 200e6;

export class ThreadedBed {
  readonly spec: PathSpec;
  readonly clock = new MonotonicClock();
  /** The first frame of the first sender, in its own memory. */
  readonly firstFrame: Uint8Array;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * sharedWords));
  readonly #functions: readonly ServedNic[];
  readonly #busy = new BusyTime(this.clock);
  readonly #time = new Float64Array(1);
  readonly #numbers = new ServedNumbers(this.#words, this.clock);
  #commands = 0;
  #arrived: number = bigCount;

  static async start(spec: PathSpec, checkEvery = usuallyEvery): Promise<ThreadedBed> {
    const bed = new ThreadedBed(spec, checkEvery);
    await Promise.race([once(bed.#port, 'message'), failure(bed.#worker)]);
    bed.#port.removeAllListeners().unref();
    return bed;
  }

  private constructor(spec: PathSpec, checkEvery: number) {
    this.spec = spec;
    this.#arrived = 0;
    const fabric = makeFabric(spec, this.clock);
    const made = Array.from({ length: spec.pairs }, (_, i) =>
      loadedPair(i, spec, { fabric, clock: this.clock, checkEvery }),
    );
    this.#functions = made.flatMap(({ functions }) => functions);
    this.firstFrame = made[0]?.firstFrame ?? new Uint8Array(0);
    const shared = this.#words.buffer as SharedArrayBuffer;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const data: LoadData = { shared, port: port2, pairs: made.map(({ load }) => load) };
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./load-thread.${ending}`, import.meta.url), {
      ...{ workerData: data, transferList: [port2] },
    });
  }

  /** Until the code is compiled, and each flow is known. */
  warmUp(): void {
    const { flows, pairs } = this.spec;
    warmUp(
      (ms) => this.run(ms),
      () => this.#arrived >= flows * pairs,
    );
  }

  /** Carries as much as goes for so long. Throws when a frame is lost or changed. */
  run(ms: number): ThreadedSlice {
    this.#busy.reset();
    const start = this.clock.now();
    const { cpuNs } = threadTimes();
    this.#command({ kind: 'flood' });
    this.#poll(start + ms * 1e6);
    const { frames, busyNs: guestsNs } = this.#stop();
    const realNs = this.clock.now() - start;
    this.#arrived += frames;
    this.#busy.end(false);
    const { ns: busyNs, napNs } = this.#busy;
    const ns = (threadTimes().cpuNs - cpuNs) * (busyNs / (realNs - napNs));
    return { frames, ns, realNs, guestsNs };
  }

  /**
   * Carries frames, or numbers, each due at its time; a turn of the event loop now and then. Those of the
   * first milliseconds do not count. What is told of waiting is that of both threads.
   */
  async pace(ms: number, rate: number, of: Paced, leadMs = 0): Promise<LoadAnswer> {
    const end = this.clock.now() + ms * 1e6;
    const waited = threadTimes().waitedNs;
    this.#numbers.nsEach = 1 / (2 * rate);
    this.#command({ kind: 'pace', rate, of, leadNs: leadMs * 1e6 });
    for (let now = this.clock.now(); now < end; now = this.clock.now()) {
      this.#poll(Math.min(end, now + breathNs), of);
      await new Promise(setImmediate);
    }
    const answer = this.#stop(of);
    const waitedNs = (answer.waitedNs ?? 0) + threadTimes().waitedNs - waited;
    return { ...answer, waitedNs };
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #command(command: LoadCommand): void {
    Atomics.store(this.#words, word.stop, 0);
    this.#port.postMessage(command);
    this.#commands = Atomics.add(this.#words, word.commands, 1) + 1;
    Atomics.notify(this.#words, word.commands);
  }

  /** Goes on until the guests have all that they sent. */
  #stop(of?: Paced): LoadAnswer {
    Atomics.store(this.#words, word.stop, 1);
    if (!this.#poll(this.clock.now() + patienceNs, of))
      throw new Error('the guests have not ended');
    const reply = receiveMessageOnPort(this.#port)?.message as LoadReply;
    if ('error' in reply) throw new Error(reply.error);
    return reply;
  }

  /** Polls doorbells until then; true at once when the guests have ended. */
  #poll(end: number, of?: Paced): boolean {
    const naps = of === undefined;
    const time = this.#time;
    const words = this.#words;
    const functions = this.#functions;
    for (let turn = 1; ; turn++) {
      if (naps) this.#busy.begin();
      let isRung = false;
      if (of === 'lines') Atomics.store(words, word.back, Atomics.load(words, word.there));
      else if (of === 'served') this.#numbers.serve();
      else
        for (let i = 0; i < functions.length; i++)
          if ((functions[i] as ServedNic).poll()) isRung = true;
      if (naps) this.#busy.end(isRung);
      if (turn % lookEvery !== 0) continue;
      if (Atomics.load(words, word.done) === this.#commands) return true;
      this.clock.read(time);
      if ((time[0] as number) >= end) return false;
      this.clock.runDue();
    }
  }
}

/** Rejects with what a thread ended by. */
const failure = (worker: Worker): Promise<never> =>
  once(worker, 'exit').then(() => {
    throw new Error('the guests have gone');
  });
