/**
 * A function as vfio-user serves it, client or none. It comes first: it makes the memory and the
 * interrupts that the function is constructed with, and is then given the function.
 */
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { Interrupts, PciFunction } from '../pci/function.ts';
import { GuestMemory } from '../pci/guest-memory.ts';
import { mapFile } from '../sys/memory.ts';
import { Irqs } from './irqs.ts';
import { Session, type SessionHooks, type SessionOptions } from './session.ts';
import type { Transport } from './transport.ts';

export type EndpointSpec = Partial<SessionOptions> & { readonly diagnostics: Diagnostics };

const defaults: SessionOptions = {
  patienceMs: 500,
  writeMultiple: false,
  requireSealedMemory: false,
  mapper: mapFile,
};

export class VfioUserEndpoint {
  /** The client's memory; without windows while there is no client. */
  readonly memory = new GuestMemory();
  readonly diagnostics: Diagnostics;
  readonly #irqs = new Irqs();
  readonly #options: SessionOptions;
  #fn: PciFunction | null = null;
  #session: Session | null = null;

  constructor(spec: EndpointSpec) {
    this.diagnostics = spec.diagnostics;
    this.#options = { ...defaults, ...spec };
  }

  /** Drops what is raised while the client has not set the vector up. */
  get interrupts(): Interrupts {
    return this.#irqs;
  }

  /** Interrupts that were raised and reached nobody. */
  get droppedInterrupts(): number {
    return this.#irqs.dropped;
  }

  /** Names the function that is served: once, before the first client. */
  attach(fn: PciFunction): void {
    if (this.#fn !== null) throw new Error('this endpoint has a function');
    this.#fn = fn;
    this.#irqs.setVectors(fn.vectors);
  }

  get session(): Session | null {
    return this.#session;
  }

  /** Starts to serve a client; there must be none. The caller drives the session. */
  open(transport: Transport, hooks: SessionHooks): Session {
    if (this.#fn === null) throw new Error('this endpoint has no function');
    if (this.#session !== null) throw new Error('this endpoint has a client');
    const { memory, diagnostics } = this;
    const served = { fn: this.#fn, memory, irqs: this.#irqs, diagnostics };
    const session = new Session(served, transport, this.#options, {
      ...hooks,
      ended: () => {
        this.#session = null;
        hooks.ended();
      },
    });
    this.#session = session;
    return session;
  }

  /** Asks the client to unplug the device; false when there is none, or it does not listen. */
  requestRelease(): boolean {
    return this.#irqs.requestRelease();
  }
}
