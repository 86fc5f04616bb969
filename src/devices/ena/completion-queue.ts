/** One I/O completion queue: a ring of 2, 4 or 8 word entries that the device writes. */
import {
  RX_CDESC_TIMESTAMP_WORD,
  rxCdesc,
  TX_CDESC_TIMESTAMP_WORD,
  txCdesc,
} from '../../defs/ena-io.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import type { DeviceTime } from './device-time.ts';
import type { Vectors } from './vectors.ts';

export type CompletionQueueShape = {
  readonly index: number;
  readonly iova: number;
  readonly depth: number;
  readonly entryBytes: number;
  readonly vector: number;
  /** False: the driver polls, no interrupt is ever raised. */
  readonly interrupts: boolean;
};

export class CompletionQueue {
  readonly shape: CompletionQueueShape;
  /** Submission queues that complete here. */
  users = 0;
  readonly ring: GuestRing;
  /** The entry that the next completion goes to; fill it, then `push`. */
  readonly tx = txCdesc.create();
  readonly rx = rxCdesc.create();
  readonly #vectors: Vectors;
  #written = 0;
  /** Receive and transmit completions that no interrupt has told of. */
  #unsignalledRx = 0;
  #unsignalledTx = 0;

  constructor(shape: CompletionQueueShape, memory: GuestMemory, vectors: Vectors) {
    this.shape = shape;
    this.ring = new GuestRing(memory, shape.iova, shape.depth, shape.entryBytes, 'write');
    this.#vectors = vectors;
  }

  /** Whether the entries have room for a time stamp. */
  get stampsTx(): boolean {
    return this.shape.entryBytes >= (TX_CDESC_TIMESTAMP_WORD + 2) * 4;
  }

  get stampsRx(): boolean {
    return this.shape.entryBytes >= (RX_CDESC_TIMESTAMP_WORD + 2) * 4;
  }

  /** Publishes `tx`, with `time` where the entry has room for it. The ring is attached. */
  pushTx(time: DeviceTime | null): void {
    const ring = this.ring;
    const at = ring.at(this.#written);
    if (this.stampsTx) stamp(ring.words, at + TX_CDESC_TIMESTAMP_WORD, time);
    this.tx.phase = ring.phase(this.#written);
    this.tx.store(ring.words, at);
    this.#pushed();
    this.#unsignalledTx++;
  }

  /** Publishes `rx`, likewise. */
  pushRx(time: DeviceTime | null): void {
    const ring = this.ring;
    const at = ring.at(this.#written);
    if (this.stampsRx) stamp(ring.words, at + RX_CDESC_TIMESTAMP_WORD, time);
    this.rx.phase = ring.phase(this.#written);
    this.rx.store(ring.words, at);
    this.#pushed();
    this.#unsignalledRx++;
  }

  /** Something else than an entry tells the driver of a packet sent; only the interrupt is due. */
  touch(): void {
    this.#unsignalledTx++;
  }

  #pushed(): void {
    this.ring.push(this.#written);
    this.#written = (this.#written + 1) | 0;
  }

  /** Ends a burst: raises the vector when there is something new. */
  flush(): void {
    if (this.#unsignalledTx + this.#unsignalledRx === 0) return;
    const isRx = this.#unsignalledRx > 0;
    this.#unsignalledTx = 0;
    this.#unsignalledRx = 0;
    if (this.shape.interrupts) this.#vectors.signal(this.shape.vector, isRx);
  }
}

function stamp(words: Int32Array, at: number, time: DeviceTime | null): void {
  words[at] = time === null ? 0 : time.lo;
  words[at + 1] = time === null ? 0 : time.hi;
}
