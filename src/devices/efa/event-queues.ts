/**
 * Event queues: which completion queue has something new. A queue raises its vector once, then stays
 * silent until its driver arms it by EQ_DB; what was written meanwhile raises it then.
 */
import { createEqCmd, createEqResp, destroyEqCmd, STATUS } from '../../defs/efa-admin.ts';
import { eqe } from '../../defs/efa-io.ts';
import { EQ_DB_ARM, EQ_DB_EQN } from '../../defs/efa-regs.ts';
import type { FunctionHost } from '../../pci/function.ts';
import { GuestRing, isRingDepth } from '../../pci/guest-ring.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';

export const maxEventQueueDepth = 1024;
const entryBytes = 16;
const pow32 = 2 ** 32;

class EventQueue {
  readonly ring: GuestRing;
  readonly vector: number;
  /** Completion queues that report to it. */
  users = 0;
  armed = false;
  written = 0;
  /** Events since it was last armed. */
  pending = 0;

  constructor(ring: GuestRing, vector: number) {
    this.ring = ring;
    this.vector = vector;
  }
}

export class EventQueues {
  readonly #queues: (EventQueue | null)[];
  readonly #vectors: number;
  readonly #host: FunctionHost;
  readonly #refusals: Refusals;
  readonly #event = eqe.create();
  readonly #create = createEqCmd.create();
  readonly #answer = createEqResp.create();
  readonly #destroy = destroyEqCmd.create();

  constructor(count: number, vectors: number, host: FunctionHost, refusals: Refusals) {
    this.#queues = new Array<EventQueue | null>(count).fill(null);
    this.#vectors = vectors;
    this.#host = host;
    this.#refusals = refusals;
  }

  reset(): void {
    this.#queues.fill(null);
  }

  has(eqn: number): boolean {
    return (this.#queues[eqn] ?? null) !== null;
  }

  use(eqn: number, count: 1 | -1): void {
    const queue = this.#queues[eqn] ?? null;
    if (queue !== null) queue.users += count;
  }

  create(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#create;
    cmd.load(command, 0);
    const { depth, msix_vec: vector } = cmd;
    if (!isRingDepth(depth, maxEventQueueDepth) || cmd.entry_size_words !== entryBytes / 4)
      return this.#refusals.illegal(
        efaRules['eq-shape'],
        () => `depth ${depth}, ${cmd.entry_size_words} words`,
      );
    if (cmd.reserved !== 0 || cmd.event_bitmask > 1)
      return this.#refusals.illegal(efaRules['reserved-bits'], () => 'CREATE_EQ');
    if (vector >= this.#vectors)
      return this.#refusals.illegal(efaRules['eq-vector'], () => `vector ${vector}`);
    const eqn = this.#queues.indexOf(null);
    if (eqn < 0)
      return this.#refusals.full(efaRules['eq-limit'], () => `${this.#queues.length} exist`);
    const iova = cmd.ba_hi * pow32 + cmd.ba_lo;
    const ring = new GuestRing(this.#host.memory, iova, depth, entryBytes, 'write');
    if (!ring.attach())
      return this.#refusals.illegal(efaRules['eq-memory'], () => `0x${iova.toString(16)}`);
    this.#queues[eqn] = new EventQueue(ring, vector);
    const made = this.#answer;
    made.clear();
    made.eqn = eqn;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  destroy(command: Int32Array): number {
    const cmd = this.#destroy;
    cmd.load(command, 0);
    const { eqn } = cmd;
    const queue = this.#queues[eqn] ?? null;
    if (queue === null) return this.#refusals.illegal(efaRules['eq-unknown'], () => `${eqn}`);
    if (queue.users > 0)
      return this.#refusals.busy(efaRules['eq-in-use'], () => `by ${queue.users} queues`);
    this.#queues[eqn] = null;
    return STATUS.SUCCESS;
  }

  /** EQ_DB. */
  doorbell(value: number): void {
    const eqn = value & EQ_DB_EQN;
    const queue = this.#queues[eqn] ?? null;
    if (queue === null) {
      this.#host.diagnostics.refuse(efaRules['eq-unknown'], () => `doorbell of ${eqn}`);
      return;
    }
    if ((value & EQ_DB_ARM) === 0) return;
    queue.armed = true;
    if (queue.pending > 0) this.#raise(queue);
  }

  /** Completion queue `cqn` has something new. */
  report(eqn: number, cqn: number): void {
    const queue = this.#queues[eqn] ?? null;
    if (queue === null || !queue.ring.attach()) return;
    if (queue.pending >= queue.ring.depth) {
      this.#host.diagnostics.refuse(efaRules['eq-overrun'], () => `event queue ${eqn}`);
      return;
    }
    const { ring } = queue;
    const event = this.#event;
    event.clear();
    event.cqn = cqn;
    event.phase = ring.phase(queue.written);
    event.store(ring.words, ring.at(queue.written));
    ring.push(queue.written);
    queue.written++;
    queue.pending++;
    if (queue.armed) this.#raise(queue);
  }

  #raise(queue: EventQueue): void {
    queue.armed = false;
    queue.pending = 0;
    this.#host.interrupts.raise(queue.vector);
  }
}
