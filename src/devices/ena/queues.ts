/**
 * The I/O queues of a function and the commands that create and destroy them.
 *
 * A submission queue gets the index of its completion queue when that is free, so that drivers may
 * name either in the indirection table (Linux writes submission queue indices there).
 */
import {
  COMPLETION_POLICY,
  createCqCmd,
  createCqResp,
  createSqCmd,
  createSqResp,
  destroyCqCmd,
  destroySqCmd,
  PLACEMENT,
  SQ_DIRECTION,
  STATUS,
} from '../../defs/ena-admin.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { isRingDepth } from '../../pci/guest-ring.ts';
import { interruptOffset, llqSliceBytes, sqDoorbellOffset } from './bar.ts';
import { maxRxDescs } from './basic-features.ts';
import type { BringUp } from './bring-up.ts';
import { CompletionQueue } from './completion-queue.ts';
import type { Doorbells } from './doorbells.ts';
import { type EntryShape, hostShape, type Llq } from './llq.ts';
import type { EnaProfile } from './profile.ts';
import { enaRules } from './rules.ts';
import { RxQueue } from './rx-queue.ts';
import { headersAt, type QueueHost, type SubmissionQueueShape, TxQueue } from './tx-queue.ts';
import type { Vectors } from './vectors.ts';

const pow32 = 2 ** 32;

export type QueueParts = {
  readonly host: QueueHost;
  readonly profile: EnaProfile;
  readonly pairs: number;
  readonly vectors: Vectors;
  readonly llq: Llq | null;
  /** The bytes of BAR 2. */
  readonly deviceMemory: GuestMemory;
  /** null: they are trapped. */
  readonly doorbells: Doorbells | null;
  /** What should have come before a completion queue is created. */
  readonly bringUp: BringUp;
};

export class Queues {
  readonly #host: QueueHost;
  readonly #profile: EnaProfile;
  readonly #vectors: Vectors;
  readonly #cqs: (CompletionQueue | null)[];
  readonly #sqs: (TxQueue | RxQueue | null)[];
  /** The receive queues among them, by index and as a list. */
  readonly #rx: (RxQueue | null)[];
  #rxList: RxQueue[] = [];
  readonly #pairs: number;
  readonly #llq: Llq | null;
  readonly #deviceMemory: GuestMemory;
  readonly #bringUp: BringUp;
  readonly #doorbells: Doorbells | null;
  readonly #createCq = createCqCmd.create();
  readonly #createCqAnswer = createCqResp.create();
  readonly #createSq = createSqCmd.create();
  readonly #createSqAnswer = createSqResp.create();
  readonly #destroyCq = destroyCqCmd.create();
  readonly #destroySq = destroySqCmd.create();

  constructor(parts: QueueParts) {
    this.#host = parts.host;
    this.#profile = parts.profile;
    this.#pairs = parts.pairs;
    this.#vectors = parts.vectors;
    this.#llq = parts.llq;
    this.#deviceMemory = parts.deviceMemory;
    this.#doorbells = parts.doorbells;
    this.#bringUp = parts.bringUp;
    const { pairs } = parts;
    this.#cqs = new Array<CompletionQueue | null>(2 * pairs).fill(null);
    this.#sqs = new Array<TxQueue | RxQueue | null>(2 * pairs).fill(null);
    this.#rx = new Array<RxQueue | null>(2 * pairs).fill(null);
  }

  /** Nothing more is sent. */
  stop(): void {
    for (const queue of this.#sqs) if (queue instanceof TxQueue) queue.close();
  }

  reset(): void {
    this.stop();
    this.#cqs.fill(null);
    this.#sqs.fill(null);
    this.#listRx();
  }

  /** A write to the doorbell of submission queue `index`. */
  doorbell(index: number, tail: number): void {
    const queue = this.#sqs[index] ?? null;
    if (queue === null) {
      this.#host.diagnostics.refuse(
        enaRules['doorbell-unknown'],
        () => `submission queue ${index}`,
      );
      return;
    }
    queue.doorbell(tail & 0xffff);
  }

  /** Rings the mapped doorbells that have changed; true when there was one. */
  poll(): boolean {
    const doorbells = this.#doorbells;
    const sqs = this.#sqs;
    let rung = false;
    if (doorbells === null) return rung;
    for (let i = 0; i < sqs.length; i++) {
      const queue = sqs[i] as TxQueue | RxQueue | null;
      if (queue === null || !doorbells.hasChanged(i)) continue;
      queue.doorbell(doorbells.value(i) & 0xffff);
      rung = true;
    }
    return rung;
  }

  /** The receive queue at `index`, or the first one when `index` is -1. */
  rxQueue(index: number): RxQueue | null {
    return (index < 0 ? this.#rxList[0] : this.#rx[index]) ?? null;
  }

  /** The receive queue that is the nth, counted from 0. */
  nthRxQueue(n: number): RxQueue | null {
    return this.#rxList[n] ?? null;
  }

  get rxQueueCount(): number {
    return this.#rxList.length;
  }

  /** The submission queue at `index`. */
  at(index: number): TxQueue | RxQueue | null {
    return this.#sqs[index] ?? null;
  }

  /** All submission queues that there are. */
  all(): (TxQueue | RxQueue)[] {
    return this.#sqs.filter((queue) => queue !== null);
  }

  /** Publishes what was received since the last call. */
  flush(): void {
    const queues = this.#rxList;
    for (let i = 0; i < queues.length; i++) (queues[i] as RxQueue).cq.flush();
  }

  #listRx(): void {
    for (const [i, queue] of this.#sqs.entries())
      this.#rx[i] = queue instanceof RxQueue ? queue : null;
    this.#rxList = this.#rx.filter((queue) => queue !== null);
  }

  createCq(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#createCq;
    cmd.load(command, 0);
    const depth = cmd.cq_depth;
    const words = cmd.cq_entry_size_words;
    const vector = cmd.msix_vector;
    const interrupts = cmd.interrupt_mode_enabled === 1;
    const broken = this.#bringUp.createCq(interrupts);
    if (broken !== null) {
      this.#refuse(broken[0], () => broken[1]);
      return STATUS.UNKNOWN_ERROR;
    }
    if (!isRingDepth(depth, this.#profile.maxCqDepth))
      return this.#refuse(enaRules['cq-shape'], () => `depth ${depth}`);
    if (words !== 2 && words !== 4 && words !== 8)
      return this.#refuse(enaRules['cq-entry-size'], () => `${words} words`);
    if (interrupts && vector >= this.#vectors.count)
      return this.#refuse(enaRules['cq-vector'], () => `vector ${vector}`);
    const index = this.#cqs.indexOf(null);
    if (index < 0) {
      this.#refuse(enaRules['cq-limit'], () => `${this.#cqs.length} exist`);
      return STATUS.RESOURCE_ALLOCATION_FAILURE;
    }
    const iova = cmd.cq_ba_hi * pow32 + cmd.cq_ba_lo;
    const shape = { index, iova, depth, entryBytes: words * 4, vector, interrupts };
    const queue = new CompletionQueue(shape, this.#host.memory, this.#vectors);
    if (!queue.ring.attach())
      return this.#refuse(
        enaRules['cq-memory'],
        () => `${depth} entries at 0x${iova.toString(16)}`,
      );
    this.#cqs[index] = queue;
    if (interrupts) this.#vectors.open(vector);
    const made = this.#createCqAnswer;
    made.clear();
    made.cq_idx = index;
    made.cq_actual_depth = depth;
    made.cq_interrupt_unmask_register_offset = interrupts ? interruptOffset(vector) : 0;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  createSq(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#createSq;
    cmd.load(command, 0);
    const cq = this.#cqs[cmd.cq_idx] ?? null;
    const isTx = cmd.sq_direction === SQ_DIRECTION.TX;
    const refused = this.#checkSq(isTx, cq);
    if (refused !== null) return this.#refuse(refused[0], () => refused[1]);
    const index = this.#freeSq(cmd.cq_idx, isTx);
    if (cq === null || index < 0) {
      this.#refuse(enaRules['sq-limit'], () => `${this.#pairs} exist in this direction`);
      return STATUS.RESOURCE_ALLOCATION_FAILURE;
    }
    const queue = isTx ? this.#makeTx(index, cq) : this.#makeRx(index, cq);
    if (!queue.attach())
      return this.#refuse(
        enaRules['sq-memory'],
        () => `${queue.shape.depth} entries at 0x${queue.shape.iova.toString(16)}`,
      );
    this.#doorbells?.open(index);
    cq.users++;
    this.#sqs[index] = queue;
    this.#listRx();
    const made = this.#createSqAnswer;
    made.clear();
    made.sq_idx = index;
    made.sq_doorbell_offset = sqDoorbellOffset(index);
    if (queue instanceof TxQueue && queue.isInDevice) {
      made.llq_descriptors_offset = queue.shape.iova;
      if (queue.shape.entry.headerRing) made.llq_headers_offset = headersAt(queue.shape);
    }
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  #makeTx(index: number, cq: CompletionQueue): TxQueue {
    const cmd = this.#createSq;
    const chosen = this.#llq?.shape ?? null;
    const inDevice = chosen !== null && cmd.placement_policy === PLACEMENT.DEV;
    const shape = this.#shape(index);
    return new TxQueue(
      {
        ...shape,
        iova: inDevice ? this.#slice() * llqSliceBytes : shape.iova,
        entry: inDevice ? this.#polledShape(chosen) : hostShape,
        policy: cmd.completion_policy,
        headWriteback: cmd.sq_head_writeback_hi * pow32 + cmd.sq_head_writeback_lo,
        maxDescsPerPacket: this.#profile.maxTxDescsPerPacket,
      },
      inDevice ? this.#deviceMemory : this.#host.memory,
      cq,
      this.#host,
    );
  }

  /** Polled doorbells are seen now and then: how many entries each of them added is not known. */
  #polledShape(shape: EntryShape): EntryShape {
    return this.#doorbells === null ? shape : { ...shape, maxBurstEntries: 0 };
  }

  #makeRx(index: number, cq: CompletionQueue): RxQueue {
    const most = maxRxDescs(this.#profile, this.#host.settings);
    return new RxQueue(this.#shape(index), cq, this.#host, most);
  }

  #shape(index: number): SubmissionQueueShape {
    const cmd = this.#createSq;
    return { index, iova: cmd.sq_ba_hi * pow32 + cmd.sq_ba_lo, depth: cmd.sq_depth };
  }

  /** A part of the device's memory that no queue uses: there are as many as queues. */
  #slice(): number {
    const used = this.#sqs.map((queue) =>
      queue instanceof TxQueue && queue.isInDevice ? queue.shape.iova / llqSliceBytes : -1,
    );
    for (let slice = 0; ; slice++) if (!used.includes(slice)) return slice;
  }

  /** Which rule the loaded CREATE_SQ breaks, and how; null: none. */
  #checkSq(isTx: boolean, cq: CompletionQueue | null): [Rule, string] | null {
    const cmd = this.#createSq;
    if (!isTx && cmd.sq_direction !== SQ_DIRECTION.RX)
      return [enaRules['sq-direction'], `direction ${cmd.sq_direction}`];
    const inDevice = cmd.placement_policy === PLACEMENT.DEV && isTx && this.#llq !== null;
    if (cmd.placement_policy !== PLACEMENT.HOST && !inDevice)
      return [enaRules['sq-placement'], `placement ${cmd.placement_policy}`];
    if (inDevice && this.#llq?.shape === null) return [enaRules['llq-not-configured'], 'not set'];
    const toHead = cmd.completion_policy >= COMPLETION_POLICY.HEAD_ON_DEMAND;
    if (cmd.completion_policy > COMPLETION_POLICY.HEAD || (toHead && !isTx))
      return [enaRules['sq-completion-policy'], `policy ${cmd.completion_policy}`];
    if (cmd.is_physically_contiguous === 0 && !inDevice)
      return [enaRules['sq-contiguous'], 'not contiguous'];
    if (cq === null) return [enaRules['cq-unknown'], `completion queue ${cmd.cq_idx}`];
    if (!isTx && cq.shape.entryBytes < 16)
      return [enaRules['cq-entry-size'], `${cq.shape.entryBytes / 4} words for Rx`];
    const maxDepth = (inDevice ? this.#llq?.maxDepth : undefined) ?? this.#profile.maxSqDepth;
    if (!isRingDepth(cmd.sq_depth, maxDepth))
      return [enaRules['sq-shape'], `depth ${cmd.sq_depth}`];
    return null;
  }

  destroySq(command: Int32Array): number {
    const cmd = this.#destroySq;
    cmd.load(command, 0);
    const index = cmd.sq_idx;
    const queue = this.#sqs[index] ?? null;
    const direction = queue instanceof TxQueue ? SQ_DIRECTION.TX : SQ_DIRECTION.RX;
    if (queue === null || direction !== cmd.sq_direction)
      return this.#refuse(enaRules['sq-unknown'], () => `submission queue ${index}`);
    queue.cq.users--;
    if (queue instanceof TxQueue) queue.close();
    this.#sqs[index] = null;
    this.#listRx();
    // Frames that wait for its buffers go to another queue, or nowhere.
    if (direction === SQ_DIRECTION.RX) this.#host.port.drain(index);
    return STATUS.SUCCESS;
  }

  destroyCq(command: Int32Array): number {
    const cmd = this.#destroyCq;
    cmd.load(command, 0);
    const index = cmd.cq_idx;
    const queue = this.#cqs[index] ?? null;
    if (queue === null)
      return this.#refuse(enaRules['cq-unknown'], () => `completion queue ${index}`);
    if (queue.users > 0)
      return this.#refuse(
        enaRules['cq-in-use'],
        () => `${queue.users} queues complete to ${index}`,
      );
    this.#cqs[index] = null;
    return STATUS.SUCCESS;
  }

  #freeSq(wanted: number, isTx: boolean): number {
    const Direction = isTx ? TxQueue : RxQueue;
    if (this.#sqs.filter((queue) => queue instanceof Direction).length === this.#pairs) return -1;
    return this.#sqs[wanted] === null ? wanted : this.#sqs.indexOf(null);
  }

  #refuse(rule: Rule, detail: () => string): number {
    this.#host.diagnostics.refuse(rule, detail);
    return STATUS.ILLEGAL_PARAMETER;
  }
}
