/**
 * One switch's way to that of another thread: a ring for what goes there, and one for what comes.
 *
 * Every switch has all ports, under the same numbers; those whose functions another thread serves
 * have the trunk to it (`SwitchPort.trunk`). A frame crosses as its sender sent it, whole, after all
 * that is judged at the sender's side; what is judged at the receiver's is judged there.
 */
import { Frame } from '../../net/frame.ts';
import { RingReader, RingWriter } from './frame-ring.ts';

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

export class Trunk {
  /** What `next` has shown. */
  readonly frame = new Frame();
  readonly #out: RingWriter;
  readonly #into: RingReader;
  readonly #wakeOther: () => void;

  /** `wakeOther`: called when the other thread sleeps and has something to read. */
  constructor(out: Uint8Array, into: Uint8Array, wakeOther: () => void) {
    this.#out = new RingWriter(out);
    this.#into = new RingReader(into);
    this.#wakeOther = wakeOther;
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
