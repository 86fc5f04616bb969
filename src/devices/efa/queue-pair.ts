/**
 * One queue pair: its state, the send queue in the card's memory, the receive queue in the guest's.
 *
 * A request that cannot be carried out completes with a status and disturbs no other: SRD has no
 * connection that could break. Only what the card cannot make sense of at all moves the pair to the
 * error state, in which everything is flushed.
 */
import { QP_STATE, QP_TYPE } from '../../defs/efa-admin.ts';
import { COMP_STATUS, OP, QUEUE_TYPE, rxDesc, TX_WQE_BYTES } from '../../defs/efa-io.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import type { Completion, CompletionQueue } from './completion-queues.ts';
import type { DataPath } from './data-path.ts';
import { efaRules } from './rules.ts';
import { type EfaCounts, newCounts } from './stats.ts';
import { WorkRequest } from './work-request.ts';

export type QpShape = {
  readonly index: number;
  readonly number: number;
  readonly type: number;
  readonly pd: number;
  readonly uar: number;
  readonly serviceLevel: number;
  readonly unsolicited: boolean;
  readonly sqDepth: number;
  /** Descriptors; 0: it receives nothing. */
  readonly rqDepth: number;
  readonly rqIova: number;
  readonly sendCq: CompletionQueue;
  readonly sendSub: number;
  readonly recvCq: CompletionQueue;
  readonly recvSub: number;
};

const wqeWords = TX_WQE_BYTES / 4;
const rxDescBytes = 16;
const maxRecvSges = 8;

/** A receive request that was taken from the queue. */
export class ReceiveRequest {
  requestId = 0;
  buffers = 0;
  /** Bytes of all buffers. */
  capacity = 0;
  readonly lkeys = new Uint32Array(maxRecvSges);
  readonly addresses = new Float64Array(maxRecvSges);
  readonly lengths = new Uint32Array(maxRecvSges);
}

export class QueuePair {
  readonly shape: QpShape;
  state: number = QP_STATE.RESET;
  qkey = 0;
  psn = 0;
  rnrRetry = 0;
  readonly counts: EfaCounts = newCounts();
  readonly received = new ReceiveRequest();
  readonly #path: DataPath;
  readonly #sq: Int32Array;
  readonly #rq: GuestRing | null;
  readonly #wqe = new Int32Array(wqeWords);
  readonly #desc = rxDesc.create();
  /** Requests that are not under way; at most as many as the queue is deep are made. */
  readonly #free: WorkRequest[] = [];
  readonly #all: WorkRequest[] = [];
  /** Free-running: consumed and posted, in requests and in descriptors. */
  #sqHead = 0;
  #sqTail = 0;
  #rqHead = 0;
  #rqTail = 0;

  /** `sq`: the words of its slice of the card's memory. */
  constructor(shape: QpShape, sq: Int32Array, path: DataPath) {
    this.shape = shape;
    this.#sq = sq;
    this.#path = path;
    this.#rq =
      shape.rqDepth === 0
        ? null
        : new GuestRing(path.memory, shape.rqIova, shape.rqDepth, rxDescBytes, 'read');
  }

  attach(): boolean {
    return this.#rq === null || this.#rq.attach();
  }

  get isSrd(): boolean {
    return this.shape.type === QP_TYPE.SRD;
  }

  /** Whether messages of peers are taken. */
  get receives(): boolean {
    return this.state >= QP_STATE.RTR && this.state <= QP_STATE.SQE;
  }

  get outstanding(): number {
    return this.#all.length - this.#free.length;
  }

  /** Requests of the send queue that are under way. */
  busy(): WorkRequest[] {
    return this.#all.filter((request) => request.isBusy);
  }

  // The send queue.

  /** The driver's index, 16 bits: true when there is something to do. */
  ringSend(value: number): boolean {
    const posted = (value - this.#sqHead) & 0xffff;
    if (posted > this.shape.sqDepth)
      return this.#refuse(
        efaRules['doorbell-range'],
        () => `send queue at ${this.#sqHead}, ${value}`,
      );
    if (this.state < QP_STATE.RTS)
      return this.#refuse(efaRules['doorbell-state'], () => `send queue in state ${this.state}`);
    const before = this.#sqTail;
    this.#sqTail = this.#sqHead + posted;
    const batch = this.#path.maxBatch;
    if (batch > 0 && this.#sqTail - before > batch)
      this.#path.diagnostics.refuse(efaRules['tx-batch'], () => `${this.#sqTail - before} at once`);
    return posted > 0;
  }

  /** Carries out posted requests, `budget` at most; how many it took. */
  run(budget: number): number {
    let done = 0;
    if (this.state === QP_STATE.ERR) return this.#flushSends(budget);
    if (this.state !== QP_STATE.RTS) return 0;
    while (this.#sqHead !== this.#sqTail && done < budget) {
      const request = this.#take();
      if (request === null) break; // as many are under way as there may be
      const index = this.#sqHead++;
      this.#load(index);
      done++;
      const phase = (index & this.shape.sqDepth) === 0 ? 0 : 1;
      const status = this.#path.start(this, request, this.#wqe, phase);
      if (status !== COMP_STATUS.OK) this.complete(request, status);
      if (status === COMP_STATUS.LOCAL_ERROR_QP_INTERNAL_ERROR) {
        this.fail();
        break;
      }
    }
    return done;
  }

  get hasWork(): boolean {
    return this.#sqHead !== this.#sqTail;
  }

  /** Reads one request out of memory that the guest may write at any time: once. */
  #load(index: number): void {
    const at = (index & (this.shape.sqDepth - 1)) * wqeWords;
    for (let i = 0; i < wqeWords; i++) this.#wqe[i] = this.#sq[at + i] as number;
  }

  #take(): WorkRequest | null {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#all.length >= this.shape.sqDepth) return null;
    const made = new WorkRequest(this);
    this.#all.push(made);
    return made;
  }

  /** A request is over. */
  complete(request: WorkRequest, status: number): void {
    this.#free.push(request);
    if (status === COMP_STATUS.OK && !request.wantsCompletion) return;
    const entry = this.#path.completion;
    entry.clear();
    entry.req_id = request.requestId;
    entry.status = status;
    entry.q_type = QUEUE_TYPE.SEND;
    entry.op_type = request.op;
    entry.qp_num = this.shape.number;
    this.shape.sendCq.push(this.shape.sendSub, entry);
  }

  #flushSends(budget: number): number {
    let done = 0;
    while (this.#sqHead !== this.#sqTail && done < budget) {
      const request = this.#take();
      if (request === null) break;
      this.#load(this.#sqHead++);
      request.requestId = (this.#wqe[0] as number) & 0xffff;
      request.op = ((this.#wqe[0] as number) >>> 16) & 0xf;
      done++;
      this.complete(request, COMP_STATUS.FLUSHED);
    }
    return done;
  }

  // The receive queue.

  ringReceive(value: number): void {
    const posted = (value - this.#rqHead) & 0xffff;
    if (this.#rq === null || posted > this.shape.rqDepth) {
      this.#refuse(efaRules['doorbell-range'], () => `receive queue at ${this.#rqHead}, ${value}`);
      return;
    }
    if (this.state === QP_STATE.RESET) {
      this.#refuse(efaRules['doorbell-state'], () => 'receive queue in state 0');
      return;
    }
    this.#rqTail = this.#rqHead + posted;
    if (this.state === QP_STATE.ERR) this.#flushReceives();
  }

  get hasReceive(): boolean {
    return this.#rqHead !== this.#rqTail;
  }

  /** Takes the next request into `received`; false: it makes no sense, or its memory is gone. */
  takeReceive(): boolean {
    const rq = this.#rq;
    const into = this.received;
    into.buffers = 0;
    into.capacity = 0;
    if (rq === null || !rq.attach()) return false;
    const desc = this.#desc;
    const limit = this.#path.maxRecvSges;
    for (let first = 1; this.#rqHead !== this.#rqTail; first = 0) {
      const index = this.#rqHead++;
      rq.pull(index);
      desc.load(rq.words, rq.at(index));
      if (first === 1) into.requestId = desc.req_id;
      if (desc.first !== first || desc.reserved24 !== 0 || into.buffers === limit)
        return this.#refuse(efaRules['rqe-malformed'], () => `descriptor ${index & 0xffff}`);
      const i = into.buffers++;
      into.lkeys[i] = desc.lkey;
      into.addresses[i] = desc.buf_addr_hi * 2 ** 32 + desc.buf_addr_lo;
      into.lengths[i] = desc.length;
      into.capacity += desc.length;
      if (desc.last === 1) return true;
    }
    return this.#refuse(efaRules['rqe-malformed'], () => 'no last descriptor');
  }

  /** Writes a completion of the receive queue, which the data path has filled in. */
  completeReceive(entry: Completion): void {
    entry.q_type = QUEUE_TYPE.RECV;
    entry.qp_num = this.shape.number;
    this.shape.recvCq.push(this.shape.recvSub, entry);
  }

  #flushReceives(): void {
    const entry = this.#path.completion;
    // without its memory nobody knows what was posted
    if (this.#rq?.attach() !== true) this.#rqHead = this.#rqTail;
    while (this.#rqHead !== this.#rqTail) {
      this.takeReceive();
      entry.clear();
      entry.req_id = this.received.requestId;
      entry.status = COMP_STATUS.FLUSHED;
      entry.op_type = OP.SEND;
      this.completeReceive(entry);
    }
  }

  // States.

  /** To the error state: everything that is under way or posted is flushed. */
  fail(): void {
    this.state = QP_STATE.ERR;
    for (const request of this.busy()) {
      this.#path.cancel(request);
      this.complete(request, COMP_STATUS.FLUSHED);
    }
    this.#flushSends(this.shape.sqDepth);
    this.#flushReceives();
  }

  /** To the reset state, or gone for good: nothing is left, and nothing is told. */
  clear(): void {
    for (const request of this.busy()) this.#path.cancel(request);
    this.#all.length = 0;
    this.#free.length = 0;
    this.state = QP_STATE.RESET;
    this.#sqHead = 0;
    this.#sqTail = 0;
    this.#rqHead = 0;
    this.#rqTail = 0;
  }

  #refuse(rule: Rule, detail: () => string): false {
    this.#path.diagnostics.refuse(rule, () => `queue pair ${this.shape.number}: ${detail()}`);
    return false;
  }
}
