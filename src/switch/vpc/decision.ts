/** What was decided about a packet, as a flyweight: filled by `Judge`, kept by flow tables. */
import type { Reason } from '../../net/reasons.ts';
import { R } from '../../net/reasons.ts';

/** What a decision leads to when it is `R.delivered`, and where it is counted when it is not. */
export const place = {
  /** Counted where the packet came from. */
  sender: 0,
  /** Delivered to, or counted at, an interface. */
  receiver: 1,
  /** Handed over to a gateway. */
  gateway: 2,
} as const;

/** A side's connection: a slot of the tracker, or one of these. */
export const side = {
  /** It has none; the packet passed, or did not, by a rule. */
  none: -1,
  /** The packet did not come to this side's gate. */
  notAsked: -2,
} as const;

export class Decision {
  reason: Reason = R.delivered;
  place: number = place.sender;
  /** The slot of the interface, or the number of the gateway; -1: neither. */
  to = -1;
  /** It came by way of the router, whose MAC it gets as source. */
  routed = false;
  /** What decided, for people. */
  rule: string | null = null;
  /** The same will be decided about the next packet of this flow. */
  lasting = false;

  /** The sender's side, then the receiver's: a slot and its generation, or what `begun` was. */
  slotA: number = side.notAsked;
  markA = 0;
  slotB: number = side.notAsked;
  markB = 0;

  clear(): void {
    this.reason = R.delivered;
    this.place = place.sender;
    this.to = -1;
    this.routed = false;
    this.rule = null;
    this.lasting = true;
    this.slotA = side.notAsked;
    this.markA = 0;
    this.slotB = side.notAsked;
    this.markB = 0;
  }
}
