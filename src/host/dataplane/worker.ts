/**
 * A data-plane thread: functions, their sockets and a switch in one loop, and trunks to the others.
 *
 * The loop blocks in the poller until a client, a timer, another worker or the control plane wants something. It
 * goes back to the thread's event loop only now and then, which is when collected memory mappings
 * are unmapped.
 */
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import { MonotonicClock, nsPerMs } from '../../lib/clock.ts';
import type { Counters } from '../../lib/counters.ts';
import { PcapngWriter } from '../../lib/pcapng.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { PcapTap } from '../../switch/tap-pcap.ts';
import { VerdictTap } from '../../switch/tap-verdicts.ts';
import { drainEventFd } from '../../sys/eventfd.ts';
import { Poller } from '../../sys/poller.ts';
import { askForShortTurns } from '../../sys/scheduling.ts';
import { InstanceAllowances } from './allowances.ts';
import { captureOf } from './captures.ts';
import type { DataplaneCommand, DataplaneEvent, SharedCounts } from './config.ts';
import { openFastPath } from './fast-path.ts';
import { openLinearMemory } from './linear.ts';
import { napMs } from './nap.ts';
import { createNetwork, type ServedNetwork } from './network.ts';
import { portOf, ServedFunction } from './served-function.ts';
import { WorkerTrunks } from './trunk-lines.ts';
import type { WorkerData } from './worker-thread.ts';

const breathEveryMs = 200;
const pollsPerTurn = 64;
/** The least that the kernel takes. */
const shortTurnNs = 100_000;

type StartTracer = Extract<DataplaneCommand, { readonly kind: 'start-tracer' }>;

class DataplaneWorker {
  readonly #clock: MonotonicClock;
  readonly #poller = new Poller();
  readonly #control: MessagePort;
  readonly #trunks: WorkerTrunks;
  readonly #network: ServedNetwork;
  readonly #closeOutside: () => void;
  readonly #functions: ServedFunction[] = [];
  readonly #capture: PcapngWriter | null;
  readonly #tracers = new Map<number, VerdictTap>();
  #closing = false;
  /** Now, and when there was work for a polled guest last; as fields they would be objects, new in each turn. */
  readonly #now = new Float64Array(1);
  readonly #lastWork = new Float64Array(1);
  /** Frames that have come for those guests. */
  readonly #received = new Float64Array(1);

  constructor(control: MessagePort, data: WorkerData) {
    const { config, wakeFd, number } = data;
    this.#control = control;
    this.#clock = new MonotonicClock(data.origin);
    const { linear, without } = openLinearMemory(config.fastPath);
    if (without !== null) this.#tell({ kind: 'no-linear-memory', why: without });
    this.#trunks = new WorkerTrunks(data.lines, this.#poller, linear?.mapper);
    this.#network = createNetwork(config, this.#clock, {
      trunks: this.#trunks.to,
      ...(linear !== null && { arena: linear }),
    });
    this.#closeOutside = this.#network.openOutside(this.#poller);
    const network = this.#network.switch;
    if (linear !== null) openFastPath(network, linear);
    this.#capture = config.pcap === undefined ? null : this.#openCapture(config.pcap, number);
    if (this.#capture !== null) network.addTap(new PcapTap(this.#capture, this.#clock));
    const { trace } = config;
    const plan = 'plan' in config ? { plan: config.plan } : {};
    const allowances = new InstanceAllowances(this.#clock, this.#network.limit);
    const shared = {
      ...{ network, clock: this.#clock, poller: this.#poller, trace, allowances },
      ...plan,
      ...(linear !== null && { mapper: linear.mapper }),
    };
    /** Every worker has all ports, under the same numbers. */
    const elsewhere: SwitchPort[] = [];
    try {
      for (const [i, fn] of config.functions.entries()) {
        const trunk = this.#trunks.to[data.homes[i] ?? 0] ?? null;
        if (trunk !== null) elsewhere.push(network.addPort({ ...portOf(fn, shared.plan), trunk }));
        else this.#functions.push(new ServedFunction(fn, shared, (event) => this.#tell(event)));
      }
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#poller.add(wakeFd, () => {
      drainEventFd(wakeFd);
      this.#obey();
    });
    const counters: Record<string, SharedCounts[]> = {};
    for (const { name, port, own } of this.#functions) counters[name] = shown(port.counters, own);
    for (const { name, counters: lost } of elsewhere) counters[name] = shown(lost);
    this.#tell({ kind: 'ready', counters });
  }

  async run(): Promise<void> {
    let breath = 0;
    while (!this.#closing) {
      const dueMs = Math.min(this.#clock.runDue() / nsPerMs, breathEveryMs);
      const sleepMs = Math.min(dueMs, this.#poll());
      this.#poller.wait(sleepMs > 0 && this.#trunks.sleep() ? sleepMs : 0);
      if (sleepMs > 0) this.#trunks.wake();
      this.#clock.read(this.#now);
      const now = this.#now[0] as number;
      if (now - breath < breathEveryMs * nsPerMs) continue;
      breath = now;
      this.#capture?.flush();
      for (const fn of this.#functions) fn.publish();
      await new Promise(setImmediate);
    }
    this.#close();
    this.#tell({ kind: 'closed' });
    this.#control.close();
  }

  /**
   * Rings mapped doorbells and takes what other workers have sent, while there is something; returns
   * how long the loop may sleep then.
   */
  #poll(): number {
    this.#clock.read(this.#now);
    const start = this.#now[0] as number;
    let polled = false;
    let rung = false;
    let crossed = false;
    let received = 0;
    for (let i = 0; i < pollsPerTurn; i++) {
      crossed = this.#trunks.serve(this.#network.switch);
      let now = crossed;
      received = 0;
      for (const fn of this.#functions) {
        if (!fn.polls) continue;
        polled = true;
        received += fn.received;
        if (fn.poll()) now = true;
      }
      if (!now) break;
      rung = true;
    }
    if (crossed) return 0;
    if (!polled) return Infinity;
    if (rung || received !== this.#received[0]) this.#lastWork[0] = start;
    this.#received[0] = received;
    return napMs((start - (this.#lastWork[0] as number)) / nsPerMs);
  }

  #obey(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#control);
      if (received === undefined) return;
      this.#obeyOne(received.message);
    }
  }

  #obeyOne(command: DataplaneCommand): void {
    switch (command.kind) {
      case 'close':
        this.#closing = true;
        return;
      case 'set-vpc': {
        const problems = this.#network.setVpc(command.model);
        this.#tell({ kind: 'vpc-set', request: command.request, problems });
        return;
      }
      case 'start-tracer':
        this.#trace(command);
        return;
      case 'stop-tracer': {
        const tap = this.#tracers.get(command.tracer);
        if (tap !== undefined) this.#network.switch.removeTap(tap);
        tap?.close();
        this.#tracers.delete(command.tracer);
        return;
      }
      default:
        this.#functions.find(({ name }) => name === command.function)?.obey(command);
    }
  }

  #trace({ tracer, filter, perSecond }: StartTracer): void {
    const tap = new VerdictTap(this.#clock, { filter, perSecond }, (verdicts, leftOut) =>
      this.#tell({ kind: 'verdicts', tracer, verdicts, leftOut }),
    );
    this.#tracers.set(tracer, tap);
    this.#network.switch.addTap(tap);
  }

  #openCapture(path: string, number: number): PcapngWriter {
    return PcapngWriter.toFile(captureOf(path, number), {
      epochMs: Number(this.#clock.epochNs / 1_000_000n),
    });
  }

  #close(): void {
    for (const fn of this.#functions.splice(0)) fn.close();
    this.#closeOutside();
    this.#capture?.close();
  }

  #tell(event: DataplaneEvent): void {
    this.#control.postMessage(event);
  }
}

const shown = (...sets: readonly Counters[]): SharedCounts[] =>
  sets.map(({ names, values }) => ({ names, buffer: values.buffer as SharedArrayBuffer }));

askForShortTurns(shortTurnNs);
if (parentPort === null) throw new Error('this is a worker, not a program');
await new DataplaneWorker(parentPort, workerData).run();
