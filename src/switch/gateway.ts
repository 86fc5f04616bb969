/**
 * The door between a VPC and what lies outside of it. The router hands a gateway what a route sends
 * there, after groups and ACLs; what comes from outside, translated already, enters by the router's
 * `enter`, through the ACL and groups of its receiver.
 */
import type { Frame } from '../net/frame.ts';
import type { Reason } from '../net/reasons.ts';
import type { SwitchPort } from './port.ts';
import type { GatewayTables } from './vpc/policy.ts';

export interface Gateway {
  /**
   * A frame for the outside, from an interface of the gateway's VPC. Valid during the call; larger
   * than the gateway's MTU only when it may be cut. The verdict is the frame's.
   */
  leave(gateway: GatewayTables, frame: Frame, from: SwitchPort): Reason;
}

/** Largest IP packet beyond a gateway (EC2 User Guide, "Network MTU"). */
export const gatewayMtu = 1500;
