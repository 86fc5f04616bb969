/**
 * One switch's way to that of another thread: a ring for what goes there, and one for what comes.
 *
 * Every switch has all ports, under the same numbers; those whose functions another thread serves
 * have the trunk to it (`SwitchPort.trunk`). A frame crosses as its sender sent it, whole, after all
 * that is judged at the sender's side; what is judged at the receiver's is judged there.
 */
import { Frame } from '../../net/frame.ts';
import type { BurstPath, BurstTrunk, TrunkLoan } from '../../net/loans.ts';
import { type RingPlace, RingReader, RingWriter } from './frame-ring.ts';

/** What a frame that crosses is. */
export const crossing = {
  /** From a port to a port. */
  toPort: 0,
  /** From a port to all whom an Ethernet floods it to. */
  toAll: 1,
  /** From a port to a gateway, which that thread has; `to` is its number. */
  toGateway: 2,
  /** From a gateway to a port. `from`: one more than the number of the gateway's own subnet, or 0. */
  fromGateway: 3,
} as const;
const kindMask = 0xff;

/** With the last two: by which version of a policy gateways and subnets are numbered. */
export const trunkVersion = ({ version }: { readonly version: number }): number =>
  (version & 0x7fff) << 8;

/** Frames that go one by one at most before a burst is tried once more. */
const mostSingles = 64;
/** So many were worth a burst, and the next one is tried at once. */
const goodBurst = 4;

export class Trunk implements BurstTrunk {
  /** What `next` has shown. */
  readonly frame = new Frame();
  readonly #out: RingWriter;
  readonly #into: RingReader;
  readonly #wakeOther: () => void;
  /** Frames that go one by one after a burst, more and more while bursts are in vain; and those left. */
  #singles = 1;
  #left = 0;

  /** `wakeOther`: called when the other thread sleeps and has something to read. */
  constructor(out: RingPlace, into: RingPlace, wakeOther: () => void) {
    this.#out = new RingWriter(out.bytes, out.linear);
    this.#into = new RingReader(into.bytes, into.linear);
    this.#wakeOther = wakeOther;
  }

  lendOut(loan: TrunkLoan): boolean {
    return this.#out.lend(loan);
  }

  takeOutBack(loan: TrunkLoan): void {
    this.#out.takeBack(loan);
  }

  lendIn(loan: TrunkLoan): boolean {
    return this.#into.lend(loan);
  }

  takeInBack(loan: TrunkLoan): void {
    this.#into.takeBack(loan);
  }

  /** Copies a frame in; false when there is no room. It is seen there after `flush`. */
  push(kind: number, to: number, from: number, frame: Frame): boolean {
    return this.#out.push(kind, to, from, frame);
  }

  flush(): void {
    if (this.#out.publish()) this.#wakeOther();
  }

  get kind(): number {
    return this.#into.kind & kindMask;
  }

  /** As `trunkVersion` has it. */
  get version(): number {
    return this.#into.kind & ~kindMask;
  }

  /** The numbers of ports, and the like. */
  get to(): number {
    return this.#into.to;
  }

  get from(): number {
    return this.#into.from;
  }

  /** Times that the ring held what no other thread of ours writes. */
  get broken(): number {
    return this.#into.broken;
  }

  /** Lets a fast path take what it can, if it is time for that; returns how many frames it took. */
  burst(path: BurstPath, most: number): number {
    if (this.#left-- > 0) return 0;
    const taken = path.receive(this, most);
    this.#singles = taken > 0 ? 1 : Math.min(mostSingles, 2 * this.#singles);
    this.#left = taken < goodBurst ? this.#singles : 0;
    return taken;
  }

  next(): boolean {
    return this.#into.next(this.frame);
  }

  release(): void {
    this.#into.release();
  }

  /** False: there is something to be read first. */
  sleep(): boolean {
    return this.#into.sleep();
  }

  wake(): void {
    this.#into.wake();
  }
}
