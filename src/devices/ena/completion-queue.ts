/** One I/O completion queue: a ring of 2, 4 or 8 word entries that the device writes. */
import { rxCdesc, txCdesc } from '../../defs/ena-io.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
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
  #unsignalled = 0;

  constructor(shape: CompletionQueueShape, memory: GuestMemory, vectors: Vectors) {
    this.shape = shape;
    this.ring = new GuestRing(memory, shape.iova, shape.depth, shape.entryBytes, 'write');
    this.#vectors = vectors;
  }

  /** Publishes `tx`. The ring is attached. */
  pushTx(): void {
    const ring = this.ring;
    this.tx.phase = ring.phase(this.#written);
    this.tx.store(ring.words, ring.at(this.#written));
    this.#pushed();
  }

  /** Publishes `rx`. The ring is attached. */
  pushRx(): void {
    const ring = this.ring;
    this.rx.phase = ring.phase(this.#written);
    this.rx.store(ring.words, ring.at(this.#written));
    this.#pushed();
  }

  #pushed(): void {
    this.ring.push(this.#written);
    this.#written = (this.#written + 1) | 0;
    this.#unsignalled++;
  }

  /** Ends a burst: raises the vector when there is something new. */
  flush(): void {
    if (this.#unsignalled === 0) return;
    this.#unsignalled = 0;
    if (this.shape.interrupts) this.#vectors.signal(this.shape.vector);
  }
}
