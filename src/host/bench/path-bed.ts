/**
 * The whole data path in one thread, with what guests do: reference driver -> function -> switch ->
 * function -> reference driver. A burst is sent, received and given back; each pair of functions has
 * its turn. Every 1009th frame is compared byte by byte, and every frame must arrive.
 */
import { bigCount } from '../../lib/big-count.ts';
import { MonotonicClock } from '../../lib/clock.ts';
import { copyBytes } from '../../net/copy.ts';
import { cpuNs } from './cpu-time.ts';
import { type BenchFabric, makeFabric, receiverAt, senderAt } from './fabrics.ts';
import { checkFrame } from './frame-check.ts';
import { setFlow, tcpHeaderBytes, udpHeaderBytes, writeFrame } from './frames.ts';
import { type End, makeEnd } from './path-ends.ts';
import type { CopySpec, PathSpec, Slice } from './path-spec.ts';
import { warmUp } from './warm-up.ts';

const burst = 32;
/** Fewer at once where each becomes dozens of segments. */
const largeBurst = 8;
const usuallyEvery = 1009;
const copyWarmUpMs = 200;
/** Bursts between two looks at the time. */
const lookEvery = 64;

export class PathBed {
  readonly spec: PathSpec;
  readonly burst: number;
  readonly clock = new MonotonicClock();
  readonly pairs: readonly Pair[];
  #round = 0;

  /** Every so many frames one is compared. */
  readonly #checkEvery: number;

  constructor(spec: PathSpec, checkEvery = usuallyEvery) {
    this.spec = spec;
    this.#checkEvery = checkEvery;
    this.burst = spec.mss === undefined ? burst : largeBurst;
    const fabric = makeFabric(spec, this.clock);
    this.pairs = Array.from({ length: spec.pairs }, (_, i) => this.#makePair(i, fabric));
  }

  /** Until the code is compiled, and each flow is known. */
  warmUp(): void {
    const { flows, pairs } = this.spec;
    warmUp(
      (ms) => this.run(ms),
      () => this.arrived >= flows * pairs,
    );
  }

  /** Sends for at least so long. Throws when a frame is lost or changed. */
  run(ms: number): Slice {
    const { pairs } = this;
    const before = this.arrived;
    const start = cpuNs();
    const end = start + ms * 1e6;
    let now = start;
    do {
      for (let i = 0; i < lookEvery; i++) {
        const pair = pairs[this.#round++ % pairs.length] as Pair;
        pair.send(this.burst);
        pair.receive();
      }
      now = cpuNs();
    } while (now < end);
    const lost = pairs.find((pair) => pair.bytesReceived !== pair.bytesExpected);
    if (lost !== undefined)
      throw new Error(`${lost.bytesExpected} bytes were sent, ${lost.bytesReceived} arrived`);
    return { frames: this.arrived - before, ns: now - start };
  }

  /** Frames that were sent and have arrived; of one that is cut up, all of it. */
  get arrived(): number {
    return this.pairs.reduce((sum, pair) => sum + pair.sent, 0);
  }

  #makePair(i: number, fabric: BenchFabric): Pair {
    const { spec, clock } = this;
    const from = makeEnd(spec, { place: senderAt(i), index: 2 * i, fabric, clock });
    const to = makeEnd(spec, { place: receiverAt(i), index: 2 * i + 1, fabric, clock });
    return new Pair(spec, [from, to], fabric.hopTo(to.place), this.#checkEvery);
  }
}

/** A sender with its frames, and the receiver that they are for. */
export class Pair {
  sent = 0;
  /** Of payload: headers are repeated where a frame is cut up. */
  bytesReceived: number = bigCount;
  bytesExpected: number = bigCount;
  /** Frames or segments that have arrived. */
  received = 0;
  readonly #spec: PathSpec;
  readonly #from: End;
  readonly #to: End;
  readonly #templates: number;
  readonly #first: number;
  readonly #stride: number;
  readonly #headerBytes: number;
  #flow = 0;

  readonly #checkEvery: number;

  constructor(spec: PathSpec, [from, to]: readonly [End, End], hop: number, checkEvery: number) {
    this.#spec = spec;
    this.bytesReceived = 0;
    this.bytesExpected = 0;
    this.#checkEvery = checkEvery;
    this.#from = from;
    this.#to = to;
    const { bytes, mss } = spec;
    this.#headerBytes = mss === undefined ? udpHeaderBytes : tcpHeaderBytes;
    this.#templates = bytes > 16_384 ? 16 : 256;
    this.#stride = Math.ceil(bytes / 64) * 64;
    const address = from.arena.alloc(this.#templates * this.#stride);
    this.#first = from.arena.offset(address);
    const ends = {
      ...{ srcMac: from.place.mac, dstMac: hop },
      ...{ src: from.place.address, dst: to.place.address },
    };
    for (let i = 0; i < this.#templates; i++) {
      const at = this.#first + i * this.#stride;
      writeFrame(from.arena.bytes.subarray(at, at + bytes), ends, mss !== undefined);
    }
  }

  /** The next frame, in the sender's own memory. */
  get nextFrame(): Uint8Array {
    const at = this.#first + (this.sent & (this.#templates - 1)) * this.#stride;
    return this.#from.arena.bytes.subarray(at, at + this.#spec.bytes);
  }

  /** Sends a burst: a frame of each flow in turn. */
  send(count: number): void {
    const { arena, tx } = this.#from;
    const { bytes: length, flows } = this.#spec;
    const { bytes } = arena;
    for (let i = 0; i < count; i++) {
      const at = this.#first + (this.sent & (this.#templates - 1)) * this.#stride;
      const flow = this.#flow;
      this.#flow = flow + 1 === flows ? 0 : flow + 1;
      setFlow(bytes, at, flow);
      if (!tx.send(at, length)) break;
      this.sent++;
      this.bytesExpected += length - this.#headerBytes;
    }
    tx.kick();
    tx.reap();
  }

  /** Takes what has arrived, and gives the buffers back. */
  receive(): void {
    const { rx } = this.#to;
    while (rx.next()) {
      this.bytesReceived += rx.length - this.#headerBytes;
      if (this.received++ % this.#checkEvery === 0) this.#check();
    }
    rx.replenish();
  }

  #check(): void {
    const { rx, arena } = this.#to;
    const { mss, flows } = this.#spec;
    const frame = new Uint8Array(rx.length);
    for (let i = 0, at = 0; i < rx.pieces; i++) {
      const start = rx.starts[i] as number;
      const length = rx.lengths[i] as number;
      frame.set(arena.bytes.subarray(start, start + length), at);
      at += length;
    }
    const [src, dst] = [this.#from.place.address, this.#to.place.address];
    checkFrame(frame, { isTcp: mss !== undefined, flows, src, dst });
  }
}

/** The peer: as many bytes, copied from one memory into the other and nothing else. */
export class CopyBed {
  readonly #bytes: number;
  readonly #slots: number;
  readonly #from: Uint8Array;
  readonly #to: Uint8Array;

  constructor({ bytes }: CopySpec) {
    this.#bytes = bytes;
    this.#slots = bytes > 16_384 ? 16 : 256;
    const size = this.#slots * Math.ceil(bytes / 64) * 64;
    this.#from = new Uint8Array(size).fill(1);
    this.#to = new Uint8Array(size);
  }

  warmUp(): void {
    this.run(copyWarmUpMs);
  }

  run(ms: number): Slice {
    const stride = Math.ceil(this.#bytes / 64) * 64;
    const start = cpuNs();
    const end = start + ms * 1e6;
    let frames = 0;
    let now = start;
    do {
      for (let i = 0; i < lookEvery * burst; i++, frames++) {
        const at = (frames & (this.#slots - 1)) * stride;
        copyBytes(this.#from, at, this.#to, at, this.#bytes);
      }
      now = cpuNs();
    } while (now < end);
    return { frames, ns: now - start };
  }
}
