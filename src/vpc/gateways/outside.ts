/** What lies beyond all gateways: a device of the host's, or nothing. */
import type { Frame } from '../../net/frame.ts';

export interface Outside {
  /**
   * Takes an IP packet of at most 1500 bytes: a parsed frame whose MACs mean nothing, valid during
   * the call. False: there is no room for it now.
   */
  send(frame: Frame): boolean;
}
