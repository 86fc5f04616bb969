/**
 * The queue pairs of one ENA driver: their memory, the commands that create and destroy them in
 * Linux's order, their first buffers and their interrupts.
 */
import { PLACEMENT, SQ_DIRECTION } from '../../defs/ena-admin.ts';
import { intrReg } from '../../defs/ena-io.ts';
import type { Clock } from '../../lib/clock.ts';
import type { BarMemory } from '../../pci/function.ts';
import type { DmaArena } from '../dma-arena.ts';
import type { AdminCommands } from './commands.ts';
import type { DeviceLimits } from './limits.ts';
import type { LlqChoice } from './llq.ts';
import { EnaDeviceError, type EnaMmio } from './mmio.ts';
import { RxQueue } from './rx-queue.ts';
import { TxQueue, type TxQueueSpec } from './tx-queue.ts';

const ENA_MEM_BAR = 2;

export type QueueOptions = {
  /** Queue pairs wanted; the device may have fewer. */
  readonly queuePairs: number;
  readonly txDepth: number;
  readonly rxDepth: number;
  readonly txBufferBytes: number;
  readonly rxBufferBytes: number;
  /** Completion queues raise their vector; they are polled in either case. */
  readonly interrupts: boolean;
  /** Completion entries have room for time stamps, and the device is asked for them. */
  readonly timeStamps: boolean;
  /** null: no packet is ever late. */
  readonly clock: Clock | null;
};

export class QueueSet {
  tx: TxQueue[] = [];
  rx: RxQueue[] = [];
  readonly #mmio: EnaMmio;
  readonly #commands: AdminCommands;
  readonly #arena: DmaArena;
  readonly #options: QueueOptions;
  readonly #mark: number;
  readonly #intr = intrReg.create();
  readonly #word = new Int32Array(1);

  /** All that `arena` has left is for the queues. */
  constructor(mmio: EnaMmio, commands: AdminCommands, arena: DmaArena, options: QueueOptions) {
    this.#mmio = mmio;
    this.#commands = commands;
    this.#arena = arena;
    this.#options = options;
    this.#mark = arena.mark();
  }

  /** Memory for as many queues as wanted and possible; the memory of earlier ones is freed. */
  allocate(limits: DeviceLimits, llq: LlqChoice | null): void {
    const options = this.#options;
    this.#arena.release(this.#mark);
    const pairs = Math.min(options.queuePairs, limits.queuePairs);
    const tx: TxQueueSpec = {
      depth: Math.min(options.txDepth, limits.txDepth, llq?.maxDepth ?? limits.txDepth),
      bufferBytes: options.txBufferBytes,
      maxDescs: limits.maxTxDescs,
      maxHeaderBytes: limits.maxHeaderBytes,
      clock: options.clock,
      timeStamps: options.timeStamps,
      ...(llq !== null && { llq }),
    };
    const rx = {
      depth: Math.min(options.rxDepth, limits.rxDepth),
      bufferBytes: options.rxBufferBytes,
      maxDescs: limits.maxRxDescs,
      timeStamps: options.timeStamps,
    };
    this.tx = Array.from({ length: pairs }, () => new TxQueue(this.#mmio, this.#arena, tx));
    this.rx = Array.from({ length: pairs }, () => new RxQueue(this.#mmio, this.#arena, rx));
  }

  /** All transmit queues, then all receive queues. */
  create(): void {
    for (const [i, queue] of this.tx.entries()) this.createOne(queue, 1 + i);
    for (const [i, queue] of this.rx.entries()) this.createOne(queue, 1 + i);
  }

  /** The completion queue, then the submission queue. */
  createOne(queue: TxQueue | RxQueue, vector: number): void {
    const { depth } = queue.spec;
    const isTx = queue instanceof TxQueue;
    const isInDevice = isTx && queue.isInDevice;
    queue.clear();
    const cq = this.#commands.createCq({
      address: queue.cqAddress,
      depth,
      entryWords: queue.cdescWords,
      vector,
      interrupts: this.#options.interrupts,
    });
    queue.cqIndex = cq.cq_idx;
    queue.unmaskOffset = cq.cq_interrupt_unmask_register_offset;
    const sq = this.#commands.createSq({
      direction: isTx ? SQ_DIRECTION.TX : SQ_DIRECTION.RX,
      cqIndex: cq.cq_idx,
      address: queue.sqAddress,
      depth,
      placement: isInDevice ? PLACEMENT.DEV : PLACEMENT.HOST,
    });
    queue.sqIndex = sq.sq_idx;
    queue.doorbellOffset = sq.sq_doorbell_offset;
    if (!isTx) return;
    const words = isInDevice ? this.#memoryBar() : this.#arena.words;
    const at = isInDevice ? sq.llq_descriptors_offset : this.#arena.offset(queue.sqAddress);
    queue.ring.place(words, at >>> 2, sq.llq_headers_offset >>> 2);
  }

  destroy(): void {
    for (const queue of this.tx) this.destroyOne(queue);
    for (const queue of this.rx) this.destroyOne(queue);
  }

  destroyOne(queue: TxQueue | RxQueue): void {
    const direction = queue instanceof TxQueue ? SQ_DIRECTION.TX : SQ_DIRECTION.RX;
    this.#commands.destroySq(queue.sqIndex, direction);
    this.#commands.destroyCq(queue.cqIndex);
  }

  /** Gives every receive queue all its buffers. */
  postBuffers(): void {
    for (const queue of this.rx) {
      queue.refill();
      queue.kick();
    }
  }

  /** Lets every vector raise its next interrupt, after delays in units of the resolution. */
  arm(rxDelay: number, txDelay: number): void {
    const intr = this.#intr;
    intr.rx_intr_delay = rxDelay;
    intr.tx_intr_delay = txDelay;
    intr.intr_unmask = 1;
    intr.store(this.#word, 0);
    // As Linux: the register is the vector's, so the transmit queue's does for the pair.
    for (const queue of this.tx) this.#mmio.writeAt(queue.unmaskOffset, this.#word[0] as number);
  }

  #memoryBar(): Int32Array {
    const bar = this.#mmio.function.bars.find(({ index }) => index === ENA_MEM_BAR);
    const memory: BarMemory | undefined = bar?.memory;
    if (memory === undefined) throw new EnaDeviceError('no memory BAR for low-latency queues');
    const { buffer, byteOffset, length } = memory.bytes;
    return new Int32Array(buffer, byteOffset, length >>> 2);
  }
}
