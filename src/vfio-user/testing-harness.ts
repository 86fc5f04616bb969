/**
 * A server and a client in one thread, over a connection in memory: for tests and fuzzers.
 */
import { Diagnostics } from '../lib/diagnostics.ts';
import { type EndpointSpec, VfioUserEndpoint } from './endpoint.ts';
import type { Session } from './session.ts';
import { TestClient } from './testing-client.ts';
import { TestFunction, type TestFunctionOptions } from './testing-function.ts';
import { PipeEnd } from './testing-pipe.ts';

export type HarnessOptions = TestFunctionOptions & Partial<EndpointSpec>;

export class Harness {
  readonly diagnostics = new Diagnostics();
  readonly endpoint: VfioUserEndpoint;
  readonly fn: TestFunction;
  /** The client's end of the connection. */
  near: PipeEnd = new PipeEnd();
  /** The server's end. */
  far: PipeEnd = new PipeEnd();
  /** The server waits until its client reads. */
  waiting = false;
  #session: Session | null = null;
  readonly #deferred: (() => void)[] = [];

  constructor(options: HarnessOptions = {}) {
    this.fn = new TestFunction(options);
    this.endpoint = new VfioUserEndpoint({ diagnostics: this.diagnostics, ...options });
    this.endpoint.attach(this.fn);
  }

  /** A new client; `version` false leaves the handshake to the test. */
  connect(version = true): TestClient {
    const [near, far] = PipeEnd.pair();
    this.near = near;
    this.far = far;
    this.waiting = false;
    this.#session = this.endpoint.open(far, {
      awaitWritable: (waiting) => {
        this.waiting = waiting;
      },
      defer: (action) => this.#deferred.push(action),
      ended: () => {
        this.#session = null;
        far.close();
      },
    });
    const client = new TestClient(
      near,
      () => near.close(),
      () => this.turn(),
    );
    far.onWait = () => client.serveRemote();
    if (version) client.version();
    return client;
  }

  get connected(): boolean {
    return this.#session !== null;
  }

  /** One turn of the server's loop. */
  turn(): void {
    if (this.waiting) this.#session?.onWritable();
    else this.#session?.onReadable();
    for (const action of this.#deferred.splice(0)) action();
  }

  /** How often a rule was broken. */
  refused(rule: string): number {
    return this.diagnostics.counts()[`vfio-user/${rule}`] ?? 0;
  }
}
