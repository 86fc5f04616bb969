/**
 * One port's queues in front of its allowance. A frame goes at once, or waits here as a copy until
 * the meters let it go, or is dropped when no more may wait: "queued or dropped", which is what the
 * counters count (EC2 User Guide, "Monitor network performance for ENA settings").
 *
 *     sent      -> lane 0, or the lane of a flow above its own limit -> judged by the forwarder
 *     leaving   -> lane for gateways                                 -> judged again
 *     received  -> lane of the receiver                              -> offered to it
 */
import type { Clock, Timer } from '../../lib/clock.ts';
import { Frame } from '../../net/frame.ts';
import { FrameQueue } from '../../net/frame-queue.ts';
import type { PortLoan } from '../../net/loans.ts';
import { R, type Reason } from '../../net/reasons.ts';
import type { BurstTime } from '../burst-time.ts';
import { counter } from '../port-counters.ts';
import type { Allowance } from './allowance.ts';
import { type FlowMeters, noFlow } from './flow-meters.ts';
import { Gate, verdict } from './gate.ts';
import type { Meter } from './meter.ts';

/** Where frames wait: what is sent, that of flows above their limit, what leaves, what is received. */
const lane = { sent: 0, flows: 1, leaving: 5, received: 6 } as const;
const lanes = 7;
const flowLanes = lane.leaving - lane.flows;
/** Room of a lane, made when first needed; the meters' patience is what bounds it otherwise. */
const laneBytes = 4 * 1024 * 1024;

/** What the shaper's switch does with a frame that has waited. */
export interface Releaser {
  readonly clock: Clock;
  /** It has been asked for when a frame comes. */
  readonly time: BurstTime;
  /** Counts the frames that the wire will see of one: `wireFrames`, `wireBytes`. */
  measure(frame: Frame): void;
  readonly wireFrames: number;
  wireBytes(frame: Frame): number;
  /** `port`: the number of the port whose frame it is. */
  goOn(port: number, stage: Stage, frame: Frame, tag: number): void;
  /** Nothing more is let go for now. */
  flush(): void;
}

export type Stage = 'sent' | 'leaving' | 'received';

export class Shaper {
  readonly #port: number;
  readonly #values: Float64Array;
  readonly #releaser: Releaser;
  readonly #time: Float64Array;
  readonly #queues: (FrameQueue | null)[] = new Array<FrameQueue | null>(lanes).fill(null);
  readonly #frame = new Frame();
  #allowance: Allowance;
  #out: Gate;
  #in: Gate;
  #flows: FlowMeters | null;
  /** That of the frame that was let through last, if it was looked up. */
  #flow: number = noFlow;
  /** Frames that wait, in all lanes. */
  #waiting = 0;
  #timer: Timer | null = null;

  /** `port`: its number; `values`: its counters. */
  constructor(allowance: Allowance, port: number, values: Float64Array, releaser: Releaser) {
    this.#port = port;
    this.#values = values;
    this.#releaser = releaser;
    this.#time = releaser.time.ns;
    this.#allowance = allowance;
    this.#out = allowance.out;
    this.#in = allowance.in;
    this.#flows = allowance.flows;
    this.change(allowance);
  }

  get allowance(): Allowance {
    return this.#allowance;
  }

  /** Other limits, from the next frame on. */
  change(allowance: Allowance): void {
    const now = this.#releaser.clock.now();
    this.#allowance = allowance;
    const { out, in: into, tab, flows } = allowance;
    const own = (): Meter[] => allowance.portMeters(now);
    this.#out = new Gate([...out.bytes, ...own()], out.packets, tab, flows?.all ?? null);
    this.#in = new Gate([...into.bytes, ...own()], into.packets, tab);
    this.#flows = allowance.flows;
    if (this.#waiting > 0) this.#wake();
  }

  /** `delivered`: the frame goes on; `queued`: it waits here; else it is dropped for that reason. */
  send(frame: Frame, bytes: number, packets: number): Reason {
    const gate = this.#out;
    const now = this.#time[0] as number;
    this.#flow = noFlow;
    if (this.#waiting === 0 && gate.passes(bytes, packets, now)) return R.delivered;
    const found = gate.judge(now);
    let flow: number = noFlow;
    if (this.#flows !== null && found !== verdict.never) {
      flow = this.#flows.find(frame.headers, bytes, now);
      if (flow !== noFlow && !this.#flows.isOpen(flow))
        return this.#sendLimited(flow, frame, bytes, packets);
    }
    const reason = this.#pass(lane.sent, gate, found, frame, noFlow, bytes, packets);
    if (flow !== noFlow && (reason === R.delivered || reason === R.queued))
      this.#flows?.take(flow, bytes);
    if (reason === R.delivered) this.#flow = flow;
    return reason;
  }

  /** The flow of the frame that was let through last may have more from now on. */
  raiseFlow(): void {
    if (this.#flow !== noFlow) this.#flows?.raise(this.#flow);
  }

  /** As `send`, for a frame that leaves the network. */
  leave(frame: Frame, bytes: number, packets: number): Reason {
    const gate = this.#allowance.gatewayOut;
    const now = this.#time[0] as number;
    return this.#pass(lane.leaving, gate, gate.judge(now), frame, 0, bytes, packets);
  }

  /** As `send`, for a frame that the port is to be given. `tag`: given back with it. */
  receive(frame: Frame, tag: number, bytes: number, packets: number): Reason {
    const gate = this.#in;
    const now = this.#time[0] as number;
    if (this.#waiting === 0 && gate.passes(bytes, packets, now)) return R.delivered;
    return this.#pass(lane.received, gate, gate.judge(now), frame, tag, bytes, packets);
  }

  /** Lends what may be sent, or received, in this burst; false: nothing may, or something waits. */
  lendOut(loan: PortLoan): boolean {
    this.#flow = noFlow;
    return this.#waiting === 0 && this.#out.lend(loan, this.#time[0] as number);
  }

  lendIn(loan: PortLoan): boolean {
    return this.#waiting === 0 && this.#in.lend(loan, this.#time[0] as number);
  }

  takeOutBack(loan: PortLoan): void {
    this.#out.takeBack(loan);
  }

  takeInBack(loan: PortLoan): void {
    this.#in.takeBack(loan);
  }

  /** Whether a frame from outside passes the gateway's limit; it does not wait there. */
  arrive(bytes: number, now: number): boolean {
    const gate = this.#allowance.gatewayIn;
    if (gate.judge(now) === verdict.never) {
      this.#count(lane.received, R.bandwidthExceeded, 1, R.bandwidthExceeded);
      return false;
    }
    gate.take(bytes, 1);
    return true;
  }

  /** Drops what waits, for that reason. */
  clear(reason: Reason): void {
    for (let at = 0; at < lanes; at++) {
      const queue = this.#queues[at] ?? null;
      const to = reason + (at === lane.received ? counter.rxReason : counter.txReason);
      while (queue?.peek(this.#frame)) {
        this.#pop(at, queue);
        this.#values[to] = (this.#values[to] as number) + this.#releaser.wireFrames;
      }
    }
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** A frame of a flow that is above its own limit. */
  #sendLimited(flow: number, frame: Frame, bytes: number, packets: number): Reason {
    const flows = this.#flows as FlowMeters;
    const why = R.bandwidthExceeded;
    if (flows.isShut(flow)) return this.#count(lane.sent, why, packets, why);
    const at = lane.flows + (flow % flowLanes);
    const reason = this.#waitFor(at, this.#out, flow, frame, bytes, packets, why);
    if (reason === R.queued) flows.take(flow, bytes);
    return reason;
  }

  #pass(
    at: number,
    gate: Gate,
    found: number,
    frame: Frame,
    tag: number,
    bytes: number,
    packets: number,
  ): Reason {
    if (found === verdict.now && this.#isEmpty(at)) {
      gate.take(bytes, packets);
      return R.delivered;
    }
    const why = found === verdict.now ? R.bandwidthExceeded : gate.why;
    if (found === verdict.never) return this.#count(at, why, packets, why);
    return this.#waitFor(at, gate, tag, frame, bytes, packets, why);
  }

  #waitFor(
    at: number,
    gate: Gate,
    tag: number,
    frame: Frame,
    bytes: number,
    packets: number,
    why: Reason,
  ): Reason {
    const queue = this.#queues[at] ?? this.#make(at);
    if (!queue.push(frame, tag)) return this.#count(at, why, packets, why);
    gate.take(bytes, packets);
    gate.wait(bytes, packets);
    if (isOfFlow(at)) this.#flows?.wait(tag, bytes);
    this.#waiting++;
    if (this.#timer === null) this.#wake();
    return this.#count(at, why, packets, R.queued);
  }

  /** One more that could not go at once. Returns `reason`. */
  #count(at: number, why: Reason, packets: number, reason: Reason): Reason {
    let to: number = counter.bwOutExceeded;
    if (why === R.packetRateExceeded) to = counter.ppsExceeded;
    else if (at === lane.received) to = counter.bwInExceeded;
    this.#values[to] = (this.#values[to] as number) + packets;
    return reason;
  }

  #make(at: number): FrameQueue {
    const queue = new FrameQueue(laneBytes);
    this.#queues[at] = queue;
    return queue;
  }

  #isEmpty(at: number): boolean {
    return (this.#queues[at]?.count ?? 0) === 0;
  }

  #gateOf(at: number): Gate {
    if (at === lane.received) return this.#in;
    return at === lane.leaving ? this.#allowance.gatewayOut : this.#out;
  }

  // What has waited.

  /** Sets the timer to when the first frame may go. */
  #wake(): void {
    const now = this.#releaser.clock.now();
    let soonest = Infinity;
    for (let at = 0; at < lanes; at++) soonest = Math.min(soonest, this.#waitNs(at, now));
    this.#timer?.cancel();
    this.#timer =
      soonest === Infinity ? null : this.#releaser.clock.after(soonest, () => this.#release());
  }

  /** Nanoseconds until the first frame of a lane may go; Infinity: there is none. */
  #waitNs(at: number, now: number): number {
    const queue = this.#queues[at] ?? null;
    if (queue === null || queue.count === 0) return Infinity;
    const wait = this.#gateOf(at).waitNs(now);
    if (!isOfFlow(at) || this.#flows === null) return wait;
    return Math.max(wait, this.#flows.waitNs(queue.nextTag, now));
  }

  #release(): void {
    this.#timer = null;
    this.#flow = noFlow;
    const now = this.#releaser.clock.now();
    for (let at = 0; at < lanes; at++) {
      const stage = at === lane.received ? 'received' : at === lane.leaving ? 'leaving' : 'sent';
      while (this.#waitNs(at, now) === 0) {
        const queue = this.#queues[at] as FrameQueue;
        queue.peek(this.#frame);
        this.#pop(at, queue);
        this.#releaser.goOn(this.#port, stage, this.#frame, queue.tag);
      }
    }
    if (this.#waiting > 0) this.#wake();
    this.#releaser.flush();
  }

  /** Takes the frame that `peek` showed out of its queue; it stays readable until the next push. */
  #pop(at: number, queue: FrameQueue): void {
    this.#releaser.measure(this.#frame);
    const bytes = this.#releaser.wireBytes(this.#frame);
    this.#gateOf(at).wait(-bytes, -this.#releaser.wireFrames);
    if (isOfFlow(at)) this.#flows?.wait(queue.tag, -bytes);
    queue.pop();
    this.#waiting--;
  }
}

const isOfFlow = (at: number): boolean => at >= lane.flows && at < lane.leaving;
