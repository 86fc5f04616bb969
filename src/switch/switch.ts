/**
 * The switch: frames come in at ports, are judged, and are copied into their receivers' buffers.
 *
 *     transmit: parse -> link, size, offloads -> forward
 *     forward:  the forwarder decides, once for all segments: a bridge, or a VPC with its gates
 *     deliver:  segments -> the receiver takes it | it waits in the port's queue | it is dropped
 *
 * Everything runs to completion on one thread. Receivers publish what they were given when the
 * sender's burst ends (`flush`). An endpoint may transmit from `flush`, never from `receive`; it
 * may be given frames while it is inside its port's `flush` or `drain`, never inside `transmit`.
 */
import type { Clock } from '../lib/clock.ts';
import { nsPerSecond } from '../lib/clock.ts';
import type { Counters } from '../lib/counters.ts';
import { forgetViews } from '../net/copy.ts';
import { ethernet } from '../net/ethernet.ts';
import { Frame, maxHeadBytes } from '../net/frame.ts';
import type { BurstPath } from '../net/loans.ts';
import { finishOffload } from '../net/offload.ts';
import { maxLanes } from '../net/port.ts';
import { R, type Reason } from '../net/reasons.ts';
import { Segmenter } from '../net/segmentation.ts';
import type { Stage } from './allowance/shaper.ts';
import { Bridge } from './bridge.ts';
import { BurstTime } from './burst-time.ts';
import { countExpress } from './express.ts';
import type { Delivery, Forwarder } from './forwarder.ts';
import { OwnerTable } from './mac-table.ts';
import { type Fabric, type PortOptions, SwitchPort } from './port.ts';
import { accumulate, counter, createPortCounters } from './port-counters.ts';
import { notMine, type Responder } from './responder.ts';
import { Responders } from './responders.ts';
import type { SwitchOptions } from './switch-options.ts';
import type { Tap } from './tap.ts';
import { Taps } from './taps.ts';
import { crossing, type Trunk } from './trunk/trunk.ts';

/** Connections that can still be tracked where none ever is. */
const anyNumber = 2 ** 32 - 1;
/** A queued frame's tag when the network itself sent it. */
const fromNetwork = -1;
/** No verdict yet: the frame waits for its sender's allowance. */
const held = -1;

export class Switch implements Fabric, Delivery {
  /** By number; null where a port was removed. */
  readonly ports: (SwitchPort | null)[] = [];
  readonly clock: Clock;
  readonly #owners = new OwnerTable();
  /** The same of fabric ports, which have an address space of their own. */
  readonly #fabricOwners = new OwnerTable();
  readonly forwarder: Forwarder;
  readonly #responders = new Responders(this);
  readonly taps = new Taps();
  /** To the switches of other threads. */
  readonly trunks: Trunk[] = [];
  /** Counts of ports that are gone. */
  readonly #retired = createPortCounters();

  readonly #segmenter = new Segmenter();
  readonly #segment = new Frame();
  readonly #waiting = new Frame();

  /** Ports that were given frames since they were last flushed. */
  readonly #dirty: (SwitchPort | null)[] = [];
  #dirtyCount = 0;
  #flushing = false;
  /** An endpoint's `receive` may be running. */
  #busy = false;
  /** Frames that the wire sees of the one that is judged: more than 1 when it is to be cut up. */
  wireFrames = 1;
  /** The frame that is forwarded has waited to leave the network, and may. */
  #leaves = false;
  /** The head as its sender wrote it: taps are told that, and not what a router made of it. */
  readonly #asSent = new Uint8Array(maxHeadBytes);
  /** What the forwarder went by for the last frame. */
  #rule: string | null = null;
  readonly time: BurstTime;
  bursts: BurstPath | null = null;
  ownersVersion = 0; // of MACs

  constructor(options: SwitchOptions) {
    this.clock = options.clock;
    this.time = new BurstTime(options.clock);
    const { learnedMacs = 4096, agingNs = 300 * nsPerSecond } = options;
    this.forwarder = options.forwarder?.(this) ?? new Bridge(this, learnedMacs, agingNs);
  }

  /** Throws when another port of the same kind owns the same MAC. */
  addPort(options: PortOptions): SwitchPort {
    const free = this.ports.indexOf(null);
    const index = free < 0 ? this.ports.length : free;
    const owners = this.#ownersOf(options.fabric ?? false);
    if (options.mac !== undefined && !owners.add(options.mac, index))
      throw new Error(`port ${options.name}: its MAC address belongs to another port`);
    const port = new SwitchPort(this, index, options);
    this.ports[index] = port;
    this.forwarder.portAdded(port);
    return port;
  }

  removePort(port: SwitchPort): void {
    if (this.ports[port.index] !== port) return;
    port.connect(null);
    this.ports[port.index] = null;
    this.#ownersOf(port.isFabric).removePort(port.index);
    this.forwarder.portRemoved(port);
    accumulate(this.#retired, port.counters);
  }

  own(port: SwitchPort, mac: number): boolean {
    return this.#ownersOf(port.isFabric).add(mac, port.index);
  }

  disown(port: SwitchPort, mac: number): void {
    this.#ownersOf(port.isFabric).remove(mac, port.index);
  }

  #ownersOf(isFabric: boolean): OwnerTable {
    this.ownersVersion++;
    return isFabric ? this.#fabricOwners : this.#owners;
  }

  /** Responders are asked in the order in which they were added. */
  addResponder(responder: Responder): void {
    this.#responders.add(responder);
  }

  addTap(tap: Tap): void {
    this.taps.add(tap);
  }

  removeTap(tap: Tap): void {
    this.taps.remove(tap);
  }

  /** All ports' counts together, those of removed ports included. */
  totals(): Counters {
    const sum = createPortCounters();
    accumulate(sum, this.#retired);
    for (const port of this.ports) if (port !== null) accumulate(sum, port.counters);
    return sum;
  }

  /** Lets go of every sender's memory: to be called when one goes away, so that it is unmapped. */
  forgetMemory(): void {
    this.#segment.forget();
    this.taps.forget();
    this.#responders.forget();
    forgetViews();
  }

  // The path of a frame.

  /** Called by ports only. Throws when an endpoint transmits from within `receive`. */
  transmit(from: SwitchPort, frame: Frame): Reason {
    if (this.#busy) throw new Error('an endpoint transmitted from within receive()');
    this.#busy = true;
    const verdict = this.#judge(from, frame);
    if (verdict !== held) this.#conclude(from, frame, verdict);
    this.#busy = false;
    return verdict === held ? R.queued : verdict;
  }

  /** Counts what the wire would have seen, and tells the taps. */
  #conclude(from: SwitchPort, frame: Frame, verdict: Reason): void {
    const more = this.wireFrames - 1;
    const repeated = more === 0 ? 0 : more * this.#segmenter.headerBytes;
    const values = from.values;
    values[counter.txFrames] = (values[counter.txFrames] as number) + 1 + more;
    values[counter.txBytes] = (values[counter.txBytes] as number) + frame.length + repeated;
    if (this.taps.any) this.taps.sent(frame, from, verdict, this.#rule);
  }

  #judge(from: SwitchPort, frame: Frame): Reason {
    this.#rule = null;
    this.wireFrames = 1;
    frame.parse();
    if (!from.linkUp) return this.refuse(from, R.linkDown);
    if (frame.headLength < ethernet.bytes) return this.refuse(from, R.runt);
    if (frame.mss > 0) {
      if (this.#segmenter.check(frame) !== R.delivered) return this.refuse(from, R.txBadOffload);
      const { headerBytes } = this.#segmenter;
      const payload = frame.length - headerBytes;
      this.wireFrames = Math.max(1, Math.ceil(payload / frame.mss));
      if (headerBytes + Math.min(payload, frame.mss) > from.maxFrameBytes)
        return this.refuse(from, R.txTooLong);
    } else {
      if (frame.length > from.maxFrameBytes) return this.refuse(from, R.txTooLong);
      if (frame.offload !== 0 && finishOffload(frame) !== R.delivered)
        return this.refuse(from, R.txBadOffload);
    }
    if (from.shaper !== null) {
      this.time.tick();
      const passed = from.shaper.send(frame, this.wireBytes(frame), this.wireFrames);
      if (passed === R.queued) return held;
      if (passed !== R.delivered) return this.refuse(from, passed);
    }
    return this.#forward(from, frame);
  }

  #forward(from: SwitchPort, frame: Frame): Reason {
    const tapped = this.taps.any;
    if (tapped) this.#asSent.set(frame.head);
    const verdict = this.forwarder.forward(from, frame);
    if (tapped) {
      this.#rule = this.forwarder.rule;
      frame.head.set(this.#asSent);
      frame.parse();
    }
    return verdict;
  }

  // What the forwarder asks for.

  ownerOf(macHi: number, macLo: number): number {
    return this.#owners.lookup(macHi, macLo);
  }

  fabricOwnerOf(macHi: number, macLo: number): number {
    return this.#fabricOwners.lookup(macHi, macLo);
  }

  /**
   * What is still to be cut up is cut up here, into pieces as large as the guest that it is for
   * can take; the verdict is that of the last one.
   */
  deliver(to: SwitchPort, frame: Frame, from: SwitchPort): Reason {
    if (from.express !== null) countExpress(from, to, frame, this.wireFrames);
    if (to.trunk !== null) return this.#cross(to.trunk, to, frame, from);
    if (to.shaper !== null) {
      this.time.tick();
      const bytes = this.wireBytes(frame);
      const passed = to.shaper.receive(frame, from.index, bytes, this.wireFrames);
      if (passed === R.queued) return this.#tellOffered(frame, to, from, passed, false);
      if (passed !== R.delivered) return this.refuseAt(to, frame, from, passed);
    }
    return this.#deliverNow(to, frame, from, false);
  }

  #deliverNow(to: SwitchPort, frame: Frame, from: SwitchPort | null, waited: boolean): Reason {
    if (frame.mss === 0) return this.#deliverOne(to, frame, from, waited);
    const ends = frame.innerAt === 0 && to.endsAt(frame);
    const segmenter = this.#segmenter;
    const segment = this.#segment;
    let verdict: Reason = R.delivered;
    segmenter.begin(frame);
    while (segmenter.next(segment, ends ? (to.endpoint?.roomFor(frame) ?? 0) : 0)) {
      segment.parse();
      verdict = this.#deliverOne(to, segment, from, waited);
    }
    return verdict;
  }

  #deliverOne(to: SwitchPort, frame: Frame, from: SwitchPort | null, waited: boolean): Reason {
    const verdict = this.#offer(to, frame, from === null ? fromNetwork : from.index);
    return this.#tellOffered(frame, to, from, verdict, waited);
  }

  /** To a function that another thread serves. Like any queue in front of a receiver it may be full. */
  #cross(trunk: Trunk, to: SwitchPort, frame: Frame, from: SwitchPort): Reason {
    const isCarried = trunk.push(crossing.toPort, to.index, from.index, frame);
    return isCarried
      ? this.#tellOffered(frame, to, from, R.queued, false)
      : this.refuse(from, R.queueFull);
  }

  refuse(from: SwitchPort, reason: Reason): Reason {
    const at = counter.txReason + reason;
    from.values[at] = (from.values[at] as number) + this.wireFrames;
    return reason;
  }

  refuseAt(to: SwitchPort, frame: Frame, from: SwitchPort | null, reason: Reason): Reason {
    const at = counter.rxReason + reason;
    // What no guest sent is one frame, also while a guest's is under way.
    to.values[at] = (to.values[at] as number) + (from === null ? 1 : this.wireFrames);
    return this.#tellOffered(frame, to, from, reason, false);
  }

  ask(frame: Frame, from: SwitchPort): number {
    const verdict = this.#responders.ask(frame, from);
    return verdict === notMine ? notMine : this.refuse(from, verdict);
  }

  /** Waits in the port's own queue until the burst ends: a sender may be inside `transmit` now. */
  send(to: SwitchPort, frame: Frame): void {
    frame.parse();
    this.#wait(to, laneOf(to, frame), frame, fromNetwork);
    this.touch(to);
  }

  arrive(to: SwitchPort, frame: Frame): Reason {
    const { shaper } = to;
    if (shaper !== null) {
      const now = this.time.now();
      let passed: Reason = R.bandwidthExceeded;
      if (shaper.arrive(frame.length, now))
        passed = shaper.receive(frame, fromNetwork, frame.length, 1);
      if (passed === R.queued) return passed;
      if (passed !== R.delivered) return this.refuseAt(to, frame, null, passed);
    }
    this.send(to, frame);
    return R.queued;
  }

  mayLeave(from: SwitchPort, frame: Frame): Reason {
    if (from.shaper === null || this.#leaves) return R.delivered;
    this.time.tick();
    return from.shaper.leave(frame, this.wireBytes(frame), this.wireFrames);
  }

  // What has waited for an allowance.

  /** A frame that a shaper lets go is measured again before it goes on. */
  measure(frame: Frame): void {
    this.wireFrames = 1;
    if (frame.mss === 0 || this.#segmenter.check(frame) !== R.delivered) return;
    const payload = frame.length - this.#segmenter.headerBytes;
    this.wireFrames = Math.max(1, Math.ceil(payload / frame.mss));
  }

  wireBytes(frame: Frame): number {
    if (this.wireFrames === 1) return frame.length;
    return frame.length + (this.wireFrames - 1) * this.#segmenter.headerBytes;
  }

  goOn(index: number, stage: Stage, frame: Frame, tag: number): void {
    const port = this.ports[index] ?? null;
    if (port === null) return;
    this.#busy = true;
    if (stage === 'received') {
      const from = tag === fromNetwork ? null : (this.ports[tag] ?? null);
      this.#deliverNow(port, frame, from, true);
    } else {
      this.#leaves = stage === 'leaving';
      const verdict = this.#forward(port, frame);
      if (stage === 'sent') this.#conclude(port, frame, verdict);
      this.#leaves = false;
    }
    this.#busy = false;
  }

  trackingAvailable(port: SwitchPort): number {
    const available = this.forwarder.trackingAvailable?.(port);
    return available ?? port.shaper?.allowance.limits.connections ?? anyNumber;
  }

  /** Takes what came by a trunk: so many frames at most. Returns how many there were. */
  receive(trunk: Trunk, most: number): number {
    const { frame } = trunk;
    let count = 0;
    this.#busy = true;
    for (; count < most; count++) {
      if (this.bursts !== null) count += trunk.burst(this.bursts, most - count);
      if (count === most || !trunk.next()) break;
      this.measure(frame);
      const from = this.ports[trunk.from] ?? null;
      const ended = this.forwarder.carried?.(trunk, from, this.ports[trunk.to] ?? null);
      if (ended !== undefined && ended !== R.delivered && this.taps.any && from !== null)
        this.taps.sent(frame, from, ended, this.forwarder.rule);
    }
    this.#busy = false;
    trunk.release();
    this.flush();
    return count;
  }

  // Receivers.

  /** Gives the frame to its receiver, or lets it wait behind older ones of its lane. */
  #offer(to: SwitchPort, frame: Frame, tag: number): Reason {
    if (to.waiting > 0) {
      const lane = laneOf(to, frame);
      if (to.waitingIn(lane) > 0) return this.#wait(to, lane, frame, tag);
    }
    const verdict = this.#give(to, frame);
    if (verdict !== R.rxNoBuffer) return verdict;
    const lane = laneOf(to, frame);
    to.stalled[lane] = 1;
    return this.#wait(to, lane, frame, tag);
  }

  /** The receiver's own verdict; counted, unless it has no buffer now. */
  #give(to: SwitchPort, frame: Frame): Reason {
    const { endpoint, values } = to;
    let verdict: Reason = R.noReceiver;
    if (!to.linkUp) verdict = R.linkDown;
    else if (endpoint !== null) verdict = endpoint.receive(frame);
    if (verdict === R.delivered) {
      values[counter.rxFrames] = (values[counter.rxFrames] as number) + 1;
      values[counter.rxBytes] = (values[counter.rxBytes] as number) + frame.length;
      if (!to.dirty) this.touch(to);
    } else if (verdict !== R.rxNoBuffer) this.#countRx(to, verdict);
    return verdict;
  }

  #wait(to: SwitchPort, lane: number, frame: Frame, tag: number): Reason {
    if (to.lane(lane).push(frame, tag)) {
      to.waiting++;
      return R.queued;
    }
    this.#countRx(to, R.queueFull);
    return R.queueFull;
  }

  // Bursts.

  flush(): void {
    if (this.#flushing || this.#busy) return;
    this.#flushing = true;
    const dirty = this.#dirty;
    // Endpoints that transmit from flush() make the list longer while it is walked.
    for (let i = 0; i < this.#dirtyCount; i++) {
      const port = dirty[i] as SwitchPort;
      dirty[i] = null;
      if (port.waiting > 0) this.#empty(port);
      port.dirty = false;
      port.endpoint?.flush();
    }
    // The list stays as long as it is: an array that is emptied has to grow again.
    this.#dirtyCount = 0;
    this.#flushing = false;
    for (let i = 0; i < this.trunks.length; i++) (this.trunks[i] as Trunk).flush();
    this.time.end();
  }

  drain(port: SwitchPort): void {
    this.touch(port);
    this.flush();
  }

  /** Offers what waits, the oldest of each lane first, until the lane has no buffer. */
  #empty(port: SwitchPort): void {
    this.#busy = true;
    for (let lane = 0; lane < maxLanes && port.waiting > 0; lane++)
      if (port.stalled[lane] === 0 && port.waitingIn(lane) > 0) this.#emptyLane(port, lane);
    this.#busy = false;
  }

  #emptyLane(port: SwitchPort, lane: number): void {
    const frame = this.#waiting;
    const queue = port.lane(lane);
    while (queue.peek(frame)) {
      const verdict = this.#give(port, frame);
      const tag = queue.tag;
      if (verdict === R.rxNoBuffer) {
        const now = laneOf(port, frame);
        port.stalled[now] = 1;
        if (now === lane) return;
        this.#changeLane(port, frame, now, tag);
        queue.pop();
        continue;
      }
      queue.pop();
      port.waiting--;
      if (!this.taps.any) continue;
      const from = tag === fromNetwork ? null : (this.ports[tag] ?? null);
      this.taps.offered(frame, port, from, verdict, null, true);
    }
  }

  /** A frame whose receive queue is another one by now must not hold up those behind it. */
  #changeLane(port: SwitchPort, frame: Frame, lane: number, tag: number): void {
    if (port.lane(lane).push(frame, tag)) return;
    port.waiting--;
    this.#countRx(port, R.queueFull);
  }

  /** It was given frames: it is to be flushed when the burst ends. */
  touch(port: SwitchPort): void {
    if (port.dirty) return;
    port.dirty = true;
    this.#dirty[this.#dirtyCount++] = port;
  }

  // Small things.

  /** Tells the taps; returns `verdict`. */
  #tellOffered(
    frame: Frame,
    to: SwitchPort,
    from: SwitchPort | null,
    verdict: Reason,
    waited: boolean,
  ): Reason {
    const { rule } = this.forwarder;
    if (this.taps.any) this.taps.offered(frame, to, from, verdict, waited ? null : rule, waited);
    return verdict;
  }

  #countRx(to: SwitchPort, reason: Reason): void {
    const at = counter.rxReason + reason;
    to.values[at] = (to.values[at] as number) + 1;
  }
}

const laneOf = (to: SwitchPort, frame: Frame): number => to.endpoint?.laneOf(frame) ?? 0;
