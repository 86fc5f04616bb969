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
import { Switch } from '../../switch/switch.ts';
import { PcapTap } from '../../switch/tap-pcap.ts';
import { drainEventFd } from '../../sys/eventfd.ts';
import { Poller } from '../../sys/poller.ts';
import { attachNetwork } from '../../vpc/network.ts';
import type { DataplaneCommand, DataplaneEvent, PortCounts } from './config.ts';
import type { WorkerData } from './dataplane.ts';
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

class DataplaneWorker {
  readonly #clock = new MonotonicClock();
  readonly #poller = new Poller();
  readonly #control: MessagePort;
  readonly #functions: ServedFunction[] = [];
  readonly #capture: PcapngWriter | null;
  #closing = false;
  /** When a mapped doorbell was last rung. */
  #lastWork = 0;

  constructor(control: MessagePort, { config, wakeFd }: WorkerData) {
    this.#control = control;
    const network = new Switch({ clock: this.#clock });
    attachNetwork(network, config.plan, config.arp);
    this.#capture = config.pcap === undefined ? null : this.#openCapture(config.pcap);
    if (this.#capture !== null) network.addTap(new PcapTap(this.#capture, this.#clock));
    const { trace, plan } = config;
    const shared = { network, clock: this.#clock, poller: this.#poller, trace, plan };
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
    const counters: Record<string, PortCounts> = {};
    for (const { name, port } of this.#functions) {
      const { names, values } = port.counters;
      counters[name] = { names, buffer: values.buffer as SharedArrayBuffer };
    }
    this.#tell({ kind: 'ready', counters });
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
      const command: DataplaneCommand = received.message;
      if (command.kind === 'close') this.#closing = true;
      else this.#functions.find(({ name }) => name === command.function)?.obey(command);
    }
  }

  #openCapture(path: string): PcapngWriter {
    return PcapngWriter.toFile(path, { epochMs: Number(this.#clock.epochNs / 1_000_000n) });
  }

  #close(): void {
    for (const fn of this.#functions.splice(0)) fn.close();
    this.#capture?.close();
  }

  #tell(event: DataplaneEvent): void {
    this.#control.postMessage(event);
  }
}

if (parentPort === null) throw new Error('this is a worker, not a program');
await new DataplaneWorker(parentPort, workerData).run();
