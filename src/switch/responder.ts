/**
 * What the network itself answers: ARP, DHCP, DNS, metadata and so on. A responder sees frames
 * that are addressed to no port's own MAC, and answers into a frame that the switch owns.
 */
import type { Frame } from '../net/frame.ts';
import type { SwitchPort } from './port.ts';

/** The frame is none of the responder's business: it goes on its way. */
export const notMine = -1;

export interface Responder {
  /**
   * `request` is parsed. Returns `notMine`, or the verdict on the request; with `R.answered`, what
   * was put into `reply` (if anything: it comes empty) goes back to `from`.
   */
  respond(request: Frame, reply: Frame, from: SwitchPort): number;
}
