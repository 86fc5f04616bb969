/**
 * The frame seam: a device sees a `Port`, the switch sees an `Endpoint`. Neither knows more.
 *
 * Everything runs to completion: `transmit` judges the frame, copies it into the receivers'
 * buffers and returns the verdict. `flush` ends a burst: only then do receivers publish their
 * completions and raise interrupts, so that both cost once per burst.
 */
import type { Frame } from './frame.ts';
import type { BurstReceiver, BurstSender } from './loans.ts';
import type { Reason } from './reasons.ts';

/** Receive queues of one endpoint at most. */
export const maxLanes = 64;

/** The switch's side: what a device may ask. */
export interface Port {
  /** Gives the switch a frame; it is done with it when the call returns. */
  transmit(frame: Frame): Reason;
  /**
   * Sends plain frames from the head of a transmit queue, `most` at most, if there is a fast path;
   * returns how many. The next one then has to be transmitted. Verdicts are those of `transmit`.
   */
  burst(sender: BurstSender, most: number): number;
  /** The sender's burst is over. */
  flush(): void;
  /** Buffers were posted in a lane: frames that were waiting for them may come now. */
  drain(lane: number): void;
  /** Frames that waited for a buffer in vain: there was no more room to wait in. */
  readonly overruns: number;
  /** Packets above the allowance for the network's link-local services. */
  readonly linkLocalExceeded: number;
  /** Packets that were lost because no more connections can be tracked. */
  readonly trackingExceeded: number;
  /** Connections that can still be tracked. */
  readonly trackingAvailable: number;
  /** Packets that waited or were lost because there were too many bytes: for the guest, from it. */
  readonly bandwidthInExceeded: number;
  readonly bandwidthOutExceeded: number;
  /** As above, because there were too many packets. */
  readonly packetRateExceeded: number;
  /** ENA Express on this port: 0 off, 1 on, 3 on for UDP too; and packets that went by it. */
  readonly expressMode: number;
  readonly expressSent: number;
  readonly expressReceived: number;
  /** From now on `endpoint` is given the frames of this port; null: nobody is. */
  connect(endpoint: Endpoint | null): void;
  /** The port's own address is `mac` from now on; false: it belongs to another port. */
  setMac(mac: number | null): boolean;
  /** Frames for `mac` come here too, and may be sent from it; false as above. */
  addMac(mac: number): boolean;
  /** Undoes `addMac`. */
  removeMac(mac: number): void;
}

/** The device's side: what the switch may ask. */
export interface Endpoint {
  /**
   * Offers a frame. `delivered`: it was copied. `rxNoBuffer`: no buffer is free, the frame may
   * be offered again after `drain` of its lane. Any other reason: it is dropped for that reason.
   */
  receive(frame: Frame): Reason;
  /**
   * How long a frame the endpoint could receive now, of those into which `frame` is to be cut:
   * several segments may come as one, with lengths and sums as if it were one large packet and
   * `Frame.mss` still set. 0: only as the wire has them.
   */
  roomFor(frame: Frame): number;
  /**
   * Which of the endpoint's independent receive queues the frame is for, below `maxLanes`. One
   * without buffers must not hold up the others. Asked only when frames have to wait.
   */
  laneOf(frame: Frame): number;
  /** No more frames in this burst: publish completions, raise interrupts. */
  flush(): void;
  /** What it lends to a fast path; absent: it takes no part in it. */
  readonly lender?: BurstReceiver;
}
