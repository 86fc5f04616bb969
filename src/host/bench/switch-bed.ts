/**
 * The switch alone: frames are gathered out of one memory, judged and forwarded, and copied into
 * another one, as devices do it, but without their descriptors. It is what a peer does that has no
 * guests either.
 */
import { MonotonicClock } from '../../lib/clock.ts';
import { checksum, Frame } from '../../net/frame.ts';
import { verifySums } from '../../net/offload.ts';
import type { Endpoint, Port } from '../../net/port.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { cpuNs } from './cpu-time.ts';
import { generousAllowance, makeFabric, receiverAt, senderAt } from './fabrics.ts';
import { payloadByte, setFlow, udpHeaderBytes, writeFrame } from './frames.ts';
import type { Slice, SwitchSpec } from './path-spec.ts';
import { warmUp } from './warm-up.ts';

const burst = 32;
const slots = 256;
const lookEvery = 64;
/** Of each frame, as a device has it in its private copy. */
const headBytes = 128;

/** Copies what it is given into the next one of its buffers. */
class Sink implements Endpoint {
  readonly memory: Uint8Array;
  readonly #slotBytes: number;
  readonly #verifies: boolean;
  frames = 0;
  /** Whose sums were found to be right. */
  verified = 0;

  constructor(slotBytes: number, verifies: boolean) {
    this.#slotBytes = slotBytes;
    this.#verifies = verifies;
    this.memory = new Uint8Array(slots * slotBytes);
  }

  receive(frame: Frame): Reason {
    if (this.#verifies) {
      verifySums(frame);
      if (frame.ipv4Sum === 1 && frame.l4Sum === 1) this.verified++;
    }
    frame.copyTo(this.memory, (this.frames & (slots - 1)) * this.#slotBytes);
    this.frames++;
    return R.delivered;
  }

  roomFor(): number {
    return 0;
  }

  laneOf(): number {
    return 0;
  }

  flush(): void {}
}

export class SwitchBed {
  readonly sink: Sink;
  readonly #spec: SwitchSpec;
  readonly #port: Port;
  readonly #memory: Uint8Array;
  readonly #stride: number;
  readonly #frame = new Frame();
  readonly #sums: number;
  #sent = 0;
  #flow = 0;

  constructor(spec: SwitchSpec) {
    this.#spec = spec;
    const { bytes, fabric, flows, sums } = spec;
    const clock = new MonotonicClock();
    const [from, to] = [senderAt(0), receiverAt(0)];
    const { network, hopTo } = makeFabric({ fabric, pairs: 1, flows, engine: 'typescript' }, clock);
    const limits = () => (fabric === 'vpc' ? { allowance: generousAllowance(clock.now()) } : {});
    const port = network.addPort({ name: 'from', mac: from.mac, ...limits() });
    port.connect(new Sink(64, false));
    this.#port = port;
    this.#stride = Math.ceil(bytes / 64) * 64;
    this.sink = new Sink(this.#stride, sums === 'verified');
    network.addPort({ name: 'to', mac: to.mac, ...limits() }).connect(this.sink);
    this.#memory = new Uint8Array(slots * this.#stride);
    const ends = {
      ...{ srcMac: from.mac, dstMac: hopTo(to) },
      ...{ src: from.address, dst: to.address },
    };
    for (let i = 0; i < slots; i++) {
      const at = i * this.#stride;
      writeFrame(this.#memory.subarray(at, at + bytes), ends, false);
    }
    this.#sums = sums === undefined ? 0 : checksum.ipv4 | checksum.l4;
  }

  warmUp(): void {
    warmUp(
      (ms) => this.run(ms),
      () => this.#sent >= this.#spec.flows,
    );
  }

  /** Sends for at least so long. Throws when a frame is lost, or its sums are not right. */
  run(ms: number): Slice {
    const before = this.#sent;
    const start = cpuNs();
    const end = start + ms * 1e6;
    let now = start;
    do {
      for (let i = 0; i < lookEvery; i++) this.#send();
      now = cpuNs();
    } while (now < end);
    const { frames, verified } = this.sink;
    if (frames !== this.#sent) throw new Error(`${this.#sent} frames were sent, ${frames} arrived`);
    if (this.#spec.sums === 'verified' && verified !== frames)
      throw new Error(`of ${frames} frames ${frames - verified} arrived with wrong sums`);
    this.#check();
    return { frames: frames - before, ns: now - start };
  }

  /** The payloads of the last frames, all of them. */
  #check(): void {
    const { memory } = this.sink;
    for (let slot = 0; slot < slots; slot++)
      for (let i = udpHeaderBytes; i < this.#spec.bytes; i++)
        if (memory[slot * this.#stride + i] !== payloadByte(i - udpHeaderBytes))
          throw new Error(`byte ${i} of ${this.#spec.bytes} arrived changed`);
  }

  /** A frame that is sent again and again, in the sender's own memory. */
  get firstFrame(): Uint8Array {
    return this.#memory.subarray(0, this.#spec.bytes);
  }

  #send(): void {
    const { bytes, flows } = this.#spec;
    const frame = this.#frame;
    const memory = this.#memory;
    for (let n = 0; n < burst; n++, this.#sent++) {
      const at = (this.#sent & (slots - 1)) * this.#stride;
      const flow = this.#flow;
      this.#flow = flow + 1 === flows ? 0 : flow + 1;
      setFlow(memory, at, flow);
      frame.clear();
      const inHead = Math.min(bytes, headBytes);
      for (let i = 0; i < inHead; i++) frame.head[i] = memory[at + i] as number;
      frame.headLength = inHead;
      frame.length = inHead;
      if (bytes > inHead) frame.add(memory, at + inHead, bytes - inHead);
      frame.offload = this.#sums;
      this.#port.transmit(frame);
    }
    this.#port.flush();
  }
}
