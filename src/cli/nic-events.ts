/** What `virtfn nic` tells while it runs: lines for a person, or JSON, one object a line. */
import type { Dataplane, DataplaneEvent } from '../host/dataplane/dataplane.ts';
import { type ChosenFunction, qemuArguments } from '../host/nic/functions.ts';
import { type Paint, paintFor } from './terminal.ts';

type Counters = ReturnType<Dataplane['counters']>;

export interface Teller {
  event(event: DataplaneEvent): void;
  /** Asked for while it runs, and told at the end. */
  counters(counters: Counters): void;
  /** The answer to a command; `ok`: it was understood. */
  answer(text: string, ok: boolean): void;
}

/** One JSON object a line: the data plane's events, with the time; `ready` names the functions. */
export class JsonTeller implements Teller {
  readonly #functions: readonly ChosenFunction[];
  readonly #accessReason: string | null;

  /** `accessReason`: why doorbells are rung as they are; null: somebody said how. */
  constructor(functions: readonly ChosenFunction[], accessReason: string | null) {
    this.#functions = functions;
    this.#accessReason = accessReason;
  }

  event(event: DataplaneEvent): void {
    if (event.kind !== 'ready') {
      this.#line(event);
      return;
    }
    const functions = this.#functions.map((fn) => {
      return { ...fn, qemu: qemuArguments(fn) };
    });
    this.#line({ kind: 'ready', functions, access_reason: this.#accessReason });
  }

  counters(counters: Counters): void {
    this.#line({ kind: 'counters', functions: counters });
  }

  answer(text: string, ok: boolean): void {
    this.#line({ kind: ok ? 'done' : 'not-understood', text });
  }

  #line(value: object): void {
    console.log(JSON.stringify({ time: new Date().toISOString(), ...value }));
  }
}

export class TextTeller implements Teller {
  readonly #functions: readonly ChosenFunction[];
  readonly #paint: Paint = paintFor(process.stdout);
  readonly #start = performance.now();
  readonly #accessReason: string | null;

  constructor(functions: readonly ChosenFunction[], accessReason: string | null) {
    this.#functions = functions;
    this.#accessReason = accessReason;
  }

  event(event: DataplaneEvent): void {
    const { green, yellow, red, dim } = this.#paint;
    switch (event.kind) {
      case 'ready':
        this.#ready();
        break;
      case 'attached':
        this.#say(event.function, green('a machine has attached'));
        break;
      case 'detached':
        this.#say(event.function, yellow('the machine has gone'));
        break;
      case 'refusal': {
        const times = event.count === 1 ? '' : ` (${event.count} times so far)`;
        this.#say(event.function, red(`refused: ${event.detail}${times}`));
        console.log(`${' '.repeat(10)}${event.rule}: ${event.text}`);
        break;
      }
      case 'refused':
        for (const [rule, count] of Object.entries(event.counts))
          this.#say(event.function, `refused in all: ${rule} ${count}`);
        break;
      case 'trace':
        this.#say(event.function, dim(event.line));
        break;
      case 'no-linear-memory':
        this.#say('all', yellow(`no fast path: ${event.why}`));
        break;
      case 'closed':
    }
  }

  counters(counters: Counters): void {
    for (const [name, counts] of Object.entries(counters)) {
      const list = Object.entries(counts).map(([key, value]) => `${key} ${value}`);
      console.log(`${this.#paint.bold(name)}  ${list.join('  ') || 'no traffic'}`);
    }
  }

  answer(text: string, ok: boolean): void {
    console.log(ok ? text : this.#paint.red(text));
  }

  #ready(): void {
    const { bold } = this.#paint;
    for (const fn of this.#functions) {
      const link = `${fn.linkMbps / 1000} Gbps`;
      console.log(`${bold(fn.name)}  ${fn.model}  ${fn.mac}  ${addressOf(fn)}  ${link}`);
      for (const [i, line] of qemuArguments(fn).entries())
        console.log(`    ${i === 0 ? 'qemu-system-x86_64 ' : '  '}${line} \\`);
      console.log('      ... your disk or kernel');
    }
    const ways = [...new Set(this.#functions.map(({ access }) => access))].join(', ');
    const why = this.#accessReason === null ? '' : `: ${this.#accessReason}`;
    console.log(`Doorbells are ${ways}${why}.`);
    console.log('Waiting for machines to attach. Stop with Ctrl-C.');
  }

  #say(name: string, text: string): void {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(3).padStart(8);
    console.log(`${seconds}  ${name}  ${text}`);
  }
}

/** An EFA is no network interface: it has no IP address. */
const addressOf = ({ model, address }: ChosenFunction): string =>
  model === 'efa' ? 'no IP' : `${address} by DHCP`;
