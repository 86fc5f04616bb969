/**
 * The data path on one thread or on two at once, in real time: pairs of functions with their drivers,
 * each end in a thread, in a VPC with gates, tracking and shaping. Where a pair's ends are in two
 * threads its frames cross a trunk. A sender goes on while no more of its frames are under way than can
 * wait anywhere, so that nothing is lost; every frame must arrive, and some are compared whole.
 */
import { Worker } from 'node:worker_threads';
import { DmaArena } from '../../drivers/dma-arena.ts';
import { MonotonicClock } from '../../lib/clock.ts';
import type { Switch } from '../../switch/switch.ts';
import { Poller } from '../../sys/poller.ts';
import { createTrunkLines, type TrunkLines, WorkerTrunks } from '../dataplane/trunk-lines.ts';
import { makeFabric, receiverAt, senderAt } from './fabrics.ts';
import { Pair } from './path-bed.ts';
import { type End, makeEnd } from './path-ends.ts';
import type { PathSpec, Slice } from './path-spec.ts';
import { warmUp } from './warm-up.ts';

/** Which pairs have their ends in two workers: none, every other one, or all. */
export const MIXES = ['within', 'half', 'across'] as const;
export type Mix = (typeof MIXES)[number];

export type WorkersSpec = { readonly workers: 1 | 2; readonly mix: Mix; readonly bytes: number };

/** What the second thread is started with. */
export type SecondData = {
  readonly spec: WorkersSpec;
  readonly lines: TrunkLines;
  readonly control: SharedArrayBuffer;
};

const pairCount = 4;
const flowsOfPair = 64;
const burst = 32;
/** Under way of one pair: they fit into a lane of the receiver's port and its receive ring. */
const windowBytes = 512 * 1024;
/** Where the other thread has no core, ours should not take its time by waiting for it. */
const idleTurns = 500;
const napMs = 0.05;
const checkEvery = 1009;
const lookEvery = 32;
const patienceNs = 20e9;

/**
 * What both threads see: who does what now, and what each pair has sent and received. Each of these is on
 * a pair of cache lines of its own: else pairs that have nothing to do with each other would wait here.
 */
const apart = 32;
const phase = { idle: 0, run: 1, drain: 2, end: 3 } as const;
const word = { phase: 0, ready: apart, failed: 2 * apart, nap: 3 * apart } as const;
const sentWord = (pair: number): number => (4 + pair) * apart;
const receivedWord = (pair: number): number => (4 + pairCount + pair) * apart;
const controlWords = (4 + 2 * pairCount) * apart;

/** `arrived`: of its frames, when that was last looked at. */
type Sender = { readonly pair: Pair; readonly number: number; arrived: number };

/** In which worker an end of a pair is. */
function homeOf({ workers, mix }: WorkersSpec, pair: number, isReceiver: boolean): number {
  if (workers === 1) return 0;
  const crosses = mix === 'across' || (mix === 'half' && pair >= pairCount / 2);
  return (pair + (isReceiver && crosses ? 1 : 0)) % 2;
}

/** One thread's ends of the pairs, and its switch. */
export class WorkersHalf {
  readonly #network: Switch;
  readonly #trunks: WorkerTrunks;
  readonly #poller = new Poller();
  readonly #control: Int32Array;
  readonly #senders: Sender[] = [];
  readonly #receivers: { readonly pair: Pair; readonly number: number }[] = [];
  readonly #windowFrames: number;
  /** Turns in which there was nothing to do. */
  #idle = 0;

  constructor(spec: WorkersSpec, me: number, lines: TrunkLines, control: SharedArrayBuffer) {
    this.#control = new Int32Array(control);
    this.#windowFrames = Math.floor(windowBytes / (spec.bytes + 64));
    const clock = new MonotonicClock();
    const path: PathSpec = {
      ...{ nic: 'ena', fabric: 'vpc', bytes: spec.bytes },
      ...{ pairs: pairCount, flows: flowsOfPair },
    };
    const fabric = makeFabric(path, clock);
    const { network, hopTo, linear } = fabric;
    this.#network = network;
    this.#trunks = new WorkerTrunks(lines, this.#poller, linear?.mapper);
    for (const trunk of this.#trunks.to) if (trunk !== null) network.trunks.push(trunk);
    for (let number = 0; number < pairCount; number++) {
      const ends = [senderAt(number), receiverAt(number)].map((place, side): End => {
        const trunk = this.#trunks.to[homeOf(spec, number, side === 1)] ?? null;
        const index = 2 * number + side;
        if (trunk === null) return makeEnd(path, { place, index, fabric, clock });
        network.addPort({ name: `port${index}`, mac: place.mac, trunk });
        return absent(place);
      }) as [End, End];
      const pair = new Pair(path, ends, hopTo(ends[1].place), checkEvery);
      if (homeOf(spec, number, false) === me) this.#senders.push({ pair, number, arrived: 0 });
      if (homeOf(spec, number, true) === me) this.#receivers.push({ pair, number });
    }
  }

  get phase(): number {
    return Atomics.load(this.#control, word.phase);
  }

  /** A burst of each pair that may send, and what has arrived of each. */
  turn(sends: boolean): void {
    const control = this.#control;
    let moved = false;
    const most = this.#windowFrames - burst;
    for (const sender of sends ? this.#senders : []) {
      const { pair, number } = sender;
      if (((pair.sent - sender.arrived) | 0) > most) {
        sender.arrived = Atomics.load(control, receivedWord(number));
        if (((pair.sent - sender.arrived) | 0) > most) continue;
      }
      moved = true;
      pair.send(burst);
      Atomics.store(control, sentWord(number), pair.sent);
    }
    this.#trunks.serve(this.#network);
    for (const { pair, number } of this.#receivers) {
      const before = pair.received;
      pair.receive();
      if (pair.received === before) continue;
      moved = true;
      Atomics.store(control, receivedWord(number), pair.received);
    }
    this.#idle = moved ? 0 : this.#idle + 1;
    if (this.#idle > idleTurns) Atomics.wait(control, word.nap, 0, napMs);
  }
}

/** The thread that measures; with two workers it starts the other one. */
export class WorkersBed {
  readonly #control = new SharedArrayBuffer(controlWords * 4);
  readonly #words = new Int32Array(this.#control);
  readonly #clock = new MonotonicClock();
  readonly #half: WorkersHalf;

  constructor(spec: WorkersSpec) {
    const { lines } = createTrunkLines(spec.workers);
    const [mine, theirs] = lines;
    if (mine === undefined) throw new Error('unreachable: there is one worker at least');
    if (theirs !== undefined) {
      const workerData: SecondData = { spec, lines: theirs, control: this.#control };
      new Worker(new URL('./workers-second.js', import.meta.url), { workerData }).unref();
    }
    this.#half = new WorkersHalf(spec, 0, mine, this.#control);
    if (theirs !== undefined && Atomics.wait(this.#words, word.ready, 0, 60_000) === 'timed-out')
      throw new Error('the second worker did not start');
  }

  warmUp(): void {
    const enough = pairCount * flowsOfPair;
    warmUp(
      (ms) => this.run(ms),
      () => this.#sum(receivedWord) >= enough,
    );
  }

  /** In real time. Throws when a frame is lost or changed. */
  run(ms: number): Slice {
    const before = this.#sum(receivedWord);
    this.#enter(phase.run);
    const start = this.#clock.now();
    const end = start + ms * 1e6;
    let now = start;
    do {
      for (let i = 0; i < lookEvery; i++) this.#half.turn(true);
      now = this.#clock.now();
    } while (now < end);
    const frames = this.#sum(receivedWord) - before;
    this.#enter(phase.drain);
    while (this.#sum(receivedWord) !== this.#sum(sentWord)) {
      this.#half.turn(false);
      if (Atomics.load(this.#words, word.failed) !== 0) throw new Error('the second worker failed');
      if (this.#clock.now() - now > patienceNs)
        throw new Error(`${this.#sum(sentWord)} frames sent, ${this.#sum(receivedWord)} arrived`);
    }
    this.#enter(phase.idle);
    return { frames, ns: now - start };
  }

  /** The other thread's work ends with this one's. */
  close(): void {
    this.#enter(phase.end);
  }

  #enter(next: number): void {
    Atomics.store(this.#words, word.phase, next);
    Atomics.notify(this.#words, word.phase);
  }

  #sum(wordOf: (pair: number) => number): number {
    let sum = 0;
    for (let i = 0; i < pairCount; i++) sum += Atomics.load(this.#words, wordOf(i));
    return sum;
  }
}

/** The other thread: sleeps while nobody is measured. */
export function runSecond({ spec, lines, control }: SecondData): void {
  const words = new Int32Array(control);
  try {
    const half = new WorkersHalf(spec, 1, lines, control);
    Atomics.store(words, word.ready, 1);
    Atomics.notify(words, word.ready);
    for (;;) {
      Atomics.wait(words, word.phase, phase.idle);
      const now = half.phase;
      if (now === phase.end) return;
      half.turn(now === phase.run);
    }
  } catch (error) {
    Atomics.store(words, word.failed, 1);
    throw error;
  }
}

/** An end that is in the other thread: here it only has a place. */
const absent = (place: End['place']): End => ({
  place,
  arena: new DmaArena(1 << 20, 0),
  tx: { send: () => false, kick: () => {}, reap: () => {} },
  rx: {
    ...{ length: 0, pieces: 0, starts: [], lengths: [] },
    next: () => false,
    replenish: () => {},
  },
});
