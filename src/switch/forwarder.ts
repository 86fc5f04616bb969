/**
 * The door between the switch and what decides where frames go. The switch moves frames: links,
 * sizes, offloads, buffers, queues, counters, taps. A `Forwarder` knows who may send what to whom:
 * `Bridge` is an Ethernet that learns, `VpcRouter` is a VPC.
 */
import type { Frame } from '../net/frame.ts';
import type { RouteTables } from '../net/loans.ts';
import type { Reason } from '../net/reasons.ts';
import type { BurstTime } from './burst-time.ts';
import type { SwitchPort } from './port.ts';
import type { Trunk } from './trunk/trunk.ts';

export interface Forwarder {
  /**
   * Decides about a frame that `from` sent: parsed, whole, within its link's size. It may rewrite
   * the frame's head. Everything it asks of its `Delivery` happens before it returns the verdict.
   */
  forward(from: SwitchPort, frame: Frame): Reason;
  /** The rule that decided about the last frame, for people; null when none did. */
  readonly rule: string | null;
  /**
   * Goes on with the frame that `trunk` shows, where its sender's thread ended; `from` and `to`: the
   * ports that its numbers may mean. Returns what has become of it at its *sender's* side since then,
   * else `delivered`. Absent where there are no trunks.
   */
  carried?(trunk: Trunk, from: SwitchPort | null, to: SwitchPort | null): Reason;
  portAdded(port: SwitchPort): void;
  portRemoved(port: SwitchPort): void;
  /** Connections that the port's guest can still have tracked; absent where none ever is. */
  trackingAvailable?(port: SwitchPort): number;
  /** What a fast path may go by; absent: by the owners of MACs. */
  readonly burstRoutes?: BurstRoutes;
}

/** Flows that are decided, for a fast path. Keys are interfaces' own. */
export interface BurstRoutes {
  readonly tables: RouteTables;
  /** Of the interface that is plugged in at a port; -1: none is. */
  keyOf(port: SwitchPort): number;
  portOf(key: number): SwitchPort | null;
  /** The first 12 bytes of a frame that its router sends it. */
  macsOf(key: number, into: Int32Array): void;
}

/** What a forwarder may ask of the switch while it decides. */
export interface Delivery {
  /** By number; null where a port was removed. */
  readonly ports: readonly (SwitchPort | null)[];
  /** To the switches of other threads. */
  readonly trunks: readonly Trunk[];
  /** The number of the port that owns a MAC, or -1. */
  ownerOf(macHi: number, macLo: number): number;
  /** The number of the fabric port that owns a MAC, or -1. */
  fabricOwnerOf(macHi: number, macLo: number): number;
  /** Offers the frame to a port; it may have to wait there. */
  deliver(to: SwitchPort, frame: Frame, from: SwitchPort): Reason;
  /** The frame ends here: counted at its sender. Returns `reason`. */
  refuse(from: SwitchPort, reason: Reason): Reason;
  /**
   * The frame ends at its receiver's gate: counted there, and taps are told. `from`: null when it
   * came from outside. Returns `reason`.
   */
  refuseAt(to: SwitchPort, frame: Frame, from: SwitchPort | null, reason: Reason): Reason;
  /** Asks what the network itself answers: the verdict, or `notMine`. Answers go back to `from`. */
  ask(frame: Frame, from: SwitchPort): number;
  /**
   * The network itself sends a frame to `to`, behind what is under way. Allowed at any time, from
   * timers and sockets too; whoever is not inside a burst calls `flush` after the last one.
   */
  send(to: SwitchPort, frame: Frame): void;
  /** As `send`, for a frame from outside: it counts against what `to` may be sent. */
  arrive(to: SwitchPort, frame: Frame): Reason;
  /**
   * Whether a frame may leave the network now. `delivered`: it may. `queued`: it will be forwarded
   * once more when it may. Else the reason why it is lost.
   */
  mayLeave(from: SwitchPort, frame: Frame): Reason;
  readonly time: BurstTime;
}
