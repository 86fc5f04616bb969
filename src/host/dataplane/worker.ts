/**
 * The data-plane thread: functions, their sockets and the switch in one loop.
 *
 * The loop blocks in the poller until a client, a timer or the control plane wants something. It
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
import { PcapngWriter } from '../../lib/pcapng.ts';
import { PcapTap } from '../../switch/tap-pcap.ts';
import { VerdictTap } from '../../switch/tap-verdicts.ts';
import { drainEventFd } from '../../sys/eventfd.ts';
import { Poller } from '../../sys/poller.ts';
import { askForShortTurns } from '../../sys/scheduling.ts';
import { InstanceAllowances } from './allowances.ts';
import type { DataplaneCommand, DataplaneEvent, SharedCounts } from './config.ts';
import type { WorkerData } from './dataplane.ts';
import { createNetwork, type ServedNetwork } from './network.ts';
import { ServedFunction } from './served-function.ts';

const breathEveryMs = 200;
/**
 * Mapped doorbells make no sound. After work the loop spins for `spinMs`, then looks every `napMs`
 * and, when nothing has come for `dozeMs`, every `breathMs`: an idle guest costs next to nothing,
 * and its first frame waits that long.
 */
const spinMs = 0.05;
const napMs = 0.05;
const dozeMs = 100;
const breathMs = 1;
const pollsPerTurn = 64;
/** The least that the kernel takes. */
const shortTurnNs = 100_000;

type StartTracer = Extract<DataplaneCommand, { readonly kind: 'start-tracer' }>;

class DataplaneWorker {
  readonly #clock = new MonotonicClock();
  readonly #poller = new Poller();
  readonly #control: MessagePort;
  readonly #network: ServedNetwork;
  readonly #closeOutside: () => void;
  readonly #functions: ServedFunction[] = [];
  readonly #capture: PcapngWriter | null;
  readonly #tracers = new Map<number, VerdictTap>();
  #closing = false;
  /** When a mapped doorbell was last rung. */
  #lastWork = 0;

  constructor(control: MessagePort, { config, wakeFd }: WorkerData) {
    this.#control = control;
    this.#network = createNetwork(config, this.#clock);
    this.#closeOutside = this.#network.openOutside(this.#poller);
    const network = this.#network.switch;
    this.#capture = config.pcap === undefined ? null : this.#openCapture(config.pcap);
    if (this.#capture !== null) network.addTap(new PcapTap(this.#capture, this.#clock));
    const { trace } = config;
    const plan = 'plan' in config ? { plan: config.plan } : {};
    const allowances = new InstanceAllowances(this.#clock, this.#network.limit);
    const shared = {
      ...{ network, clock: this.#clock, poller: this.#poller, trace, allowances },
      ...plan,
    };
    try {
      for (const fn of config.functions)
        this.#functions.push(new ServedFunction(fn, shared, (event) => this.#tell(event)));
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#poller.add(wakeFd, () => {
      drainEventFd(wakeFd);
      this.#obey();
    });
    const counters: Record<string, SharedCounts[]> = {};
    for (const { name, port, own } of this.#functions)
      counters[name] = [port.counters, own].map(({ names, values }) => {
        return { names, buffer: values.buffer as SharedArrayBuffer };
      });
    this.#tell({ kind: 'ready', counters, epochNs: this.#clock.epochNs });
  }

  async run(): Promise<void> {
    let breath = 0;
    while (!this.#closing) {
      const dueMs = Math.min(this.#clock.runDue() / nsPerMs, breathEveryMs);
      const sleepMs = this.#pollDoorbells(this.#clock.now());
      this.#poller.wait(Math.min(dueMs, sleepMs));
      const now = this.#clock.now();
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

  /** Rings mapped doorbells while there is work; returns how long the loop may sleep then. */
  #pollDoorbells(start: number): number {
    let polled = false;
    let rung = false;
    for (let i = 0; i < pollsPerTurn; i++) {
      let now = false;
      for (const fn of this.#functions) {
        if (!fn.polls) continue;
        polled = true;
        if (fn.poll()) now = true;
      }
      if (!now) break;
      rung = true;
    }
    if (!polled) return Infinity;
    if (rung) this.#lastWork = start;
    const idleMs = (start - this.#lastWork) / nsPerMs;
    if (idleMs < spinMs) return 0;
    return idleMs < dozeMs ? napMs : breathMs;
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

  #openCapture(path: string): PcapngWriter {
    return PcapngWriter.toFile(path, { epochMs: Number(this.#clock.epochNs / 1_000_000n) });
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

askForShortTurns(shortTurnNs);
if (parentPort === null) throw new Error('this is a worker, not a program');
await new DataplaneWorker(parentPort, workerData).run();
