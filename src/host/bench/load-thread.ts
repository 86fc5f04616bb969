/**
 * The guests' thread: maps the memory of all guests and the doorbells of their functions, and drives
 * them when it is told to. Between two commands it sleeps.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { MonotonicClock } from '../../lib/clock.ts';
import { BusyTime } from './busy-time.ts';
import { Histogram } from './histogram.ts';
import { LoadPair } from './load-pair.ts';
import { mappedGuest } from './load-rings.ts';
import {
  type LoadAnswer,
  type LoadCommand,
  type LoadData,
  type LoadReply,
  word,
} from './load-words.ts';
import { threadTimes } from './thread-times.ts';

/** Turns of the loop between two looks at what it was told. */
const lookEvery = 16;
/**
 * A frame that has not arrived so long after the last one was sent is lost; unless the machine stood
 * still meanwhile, so that there were few looks.
 */
const patienceNs = 2e9;
const patientLooks = 2000;
/** At once, of those that are due. */
const mostDue = 32;

class LoadThread {
  readonly #port: MessagePort;
  readonly #words: Int32Array;
  readonly #pairs: readonly LoadPair[];
  readonly #clock = new MonotonicClock();
  readonly #busy = new BusyTime(this.#clock);
  readonly #histogram = new Histogram();
  readonly #time = new Float64Array(1);
  #line = 0;
  /** So many of a paced run do not count. */
  #lead = 0;

  constructor({ port, shared, pairs }: LoadData) {
    this.#port = port;
    this.#words = new Int32Array(shared);
    this.#pairs = pairs.map(
      ({ spec, from, to }) => new LoadPair(spec, mappedGuest(from), mappedGuest(to)),
    );
  }

  run(): void {
    this.#port.postMessage('ready');
    for (let seen = 0; ; seen++) {
      Atomics.wait(this.#words, word.commands, seen);
      const command = receiveMessageOnPort(this.#port)?.message as LoadCommand;
      this.#port.postMessage(this.#reply(command));
      Atomics.store(this.#words, word.done, seen + 1);
    }
  }

  #reply(command: LoadCommand): LoadReply {
    try {
      return this.#obey(command);
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  #obey(command: LoadCommand): LoadAnswer {
    if (command.kind === 'flood') return this.#flood();
    this.#histogram.clear();
    const { rate, of, leadNs } = command;
    this.#lead = Math.ceil(leadNs * rate);
    const waited = threadTimes().waitedNs;
    const frames = of === 'frames' ? this.#pace(rate) : this.#paceLines(rate);
    const waitedNs = threadTimes().waitedNs - waited;
    const { counts, max } = this.#histogram;
    return { frames, busyNs: 0, latency: { counts: counts.slice(), max }, waitedNs };
  }

  get #isStopped(): boolean {
    return Atomics.load(this.#words, word.stop) === 1;
  }

  /** All pairs in turn, a burst at a time. */
  #flood(): LoadAnswer {
    const pairs = this.#pairs;
    let frames = 0;
    this.#busy.reset();
    for (let turn = 1; turn % lookEvery !== 0 || !this.#isStopped; turn++) {
      this.#busy.begin();
      let moved = 0;
      for (let i = 0; i < pairs.length; i++) {
        const pair = pairs[i] as LoadPair;
        moved += pair.receive() + pair.reap();
        const sent = pair.send();
        frames += sent;
        moved += sent;
      }
      this.#busy.end(moved > 0);
    }
    this.#settle();
    this.#busy.end(false);
    return { frames, busyNs: this.#busy.ns };
  }

  /** Takes what is still on its way. @throws Error when that does not come */
  #settle(): void {
    const end = this.#clock.now() + patienceNs;
    let late = this.#late();
    for (let looks = 0; late !== undefined; looks++) {
      this.#busy.begin();
      let moved = 0;
      for (const pair of this.#pairs) moved += pair.receive() + pair.reap();
      this.#busy.end(moved > 0);
      late = this.#late();
      if (looks > patientLooks && this.#clock.now() > end)
        throw new Error(`${late?.underway} bytes have not arrived`);
    }
  }

  #late(): LoadPair | undefined {
    return this.#pairs.find((pair) => !pair.isQuiet);
  }

  /** Each frame at its time, whether those before it are late or not. */
  #pace(rate: number): number {
    const [pair] = this.#pairs as [LoadPair];
    const clock = this.#clock;
    const time = this.#time;
    const start = clock.now();
    let sent = 0;
    let seen = 0;
    let isEnding = false;
    for (let turn = 1; !isEnding || seen < sent; turn++) {
      const arrived = pair.receive();
      clock.read(time);
      const now = (time[0] as number) - start;
      if (arrived > 0) seen = this.#note(now, seen, arrived, rate);
      const due = Math.floor(now * rate) - sent;
      if (due > 0 && !isEnding) {
        pair.reap();
        sent += pair.sendUpTo(Math.min(due, mostDue));
      }
      if (turn % lookEvery === 0) isEnding = this.#isStopped;
    }
    this.#settle();
    return sent;
  }

  /** What is due goes to the other thread as a number, and is back when that has said it. */
  #paceLines(rate: number): number {
    const words = this.#words;
    const clock = this.#clock;
    const time = this.#time;
    const first = this.#line;
    const start = clock.now();
    let seen = 0;
    for (let turn = 1; turn % lookEvery !== 0 || !this.#isStopped; turn++) {
      const arrived = (Atomics.load(words, word.back) - first - seen) | 0;
      clock.read(time);
      const now = (time[0] as number) - start;
      if (arrived > 0) seen = this.#note(now, seen, arrived, rate);
      const due = (first + Math.floor(now * rate)) | 0;
      if (due === this.#line) continue;
      this.#line = due;
      Atomics.store(words, word.there, due);
    }
    return seen;
  }

  /** Those from `from` on were due each at the end of its own interval, and are all there now. */
  #note(now: number, from: number, count: number, rate: number): number {
    const gap = 1 / rate;
    const end = from + count;
    for (let i = Math.max(from, this.#lead); i < end; i++) this.#histogram.add(now - (i + 1) * gap);
    return end;
  }
}

new LoadThread(workerData as LoadData).run();
