/** The other process's side of protocol.ts: finds what runs, asks it, listens to it. */
import { readdirSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { VerdictFilter, VerdictListener } from '../../switch/tap-verdicts.ts';
import type { VpcModel } from '../../vpc/model.ts';
import type { Reachability } from '../lab/report.ts';
import { type Answer, CONTROL_SOCKET, type Facts, type Request } from './protocol.ts';

/** Control sockets of this person's labs and functions that are running. */
export function findControls(): string[] {
  return readdirSync(tmpdir()).flatMap((entry) => {
    const [, pid] = /^virtfn-(\d+)-/.exec(entry) ?? [];
    if (pid === undefined || !isAlive(Number(pid))) return [];
    try {
      const directory = join(tmpdir(), entry);
      return readdirSync(directory).includes(CONTROL_SOCKET)
        ? [join(directory, CONTROL_SOCKET)]
        : [];
    } catch {
      return []; // somebody else's, or gone meanwhile
    }
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A connection to something that runs; one question at a time. */
export class Control {
  readonly #connection: Socket;
  #answer: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;
  #listener: VerdictListener | null = null;
  /** Resolves when the other side has ended, or this one was closed. */
  readonly ended: Promise<void>;

  private constructor(connection: Socket) {
    this.#connection = connection;
    this.ended = new Promise((resolve) => connection.once('close', () => resolve()));
    connection.on('error', () => {}); // told by 'close'
    connection.on('close', () => this.#answer?.reject(new Error('What was asked has ended.')));
    createInterface({ input: connection }).on('line', (line) =>
      this.#hear(JSON.parse(line) as Answer),
    );
  }

  /** @throws Error when nothing listens there */
  static async connect(socket: string): Promise<Control> {
    const connection = createConnection(socket);
    await new Promise<void>((resolve, reject) => {
      connection.once('connect', resolve);
      connection.once('error', reject);
    });
    return new Control(connection);
  }

  async describe(): Promise<Facts> {
    const answer = await this.#ask({ do: 'describe' });
    if (!('facts' in answer)) throw new Error('it did not say who it is');
    return answer.facts;
  }

  /** What is wrong with the model; nothing: it counts. */
  async apply(model: VpcModel): Promise<readonly string[]> {
    const answer = await this.#ask({ do: 'apply', model });
    if (!('problems' in answer)) throw new Error('it did not say what became of the model');
    return answer.problems;
  }

  /** Has the guests ask each other what they reach. */
  async reach(): Promise<Reachability> {
    const answer = await this.#ask({ do: 'reach' });
    if (!('reachability' in answer)) throw new Error('it did not say what is reached');
    return answer.reachability;
  }

  /** Until it is closed. */
  trace(filter: VerdictFilter, perSecond: number, listener: VerdictListener): void {
    this.#listener = listener;
    this.#send({ do: 'trace', filter, perSecond });
  }

  close(): void {
    this.#connection.destroy();
  }

  async #ask(request: Request): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
    this.#send(request);
    const given = await answer.finally(() => {
      this.#answer = null;
    });
    if ('error' in given) throw new Error(given.error);
    return given;
  }

  #send(request: Request): void {
    this.#connection.write(`${JSON.stringify(request)}\n`);
  }

  #hear(answer: Answer): void {
    if ('verdicts' in answer) this.#listener?.(answer.verdicts, answer.leftOut);
    else this.#answer?.resolve(answer);
  }
}
