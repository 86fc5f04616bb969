/**
 * A message on its way to a peer: what its owner asked for, and how far SRD has come with it. Owners
 * keep messages and use them again.
 */
import { SRD } from './status.ts';

export class SrdMessage {
  // What the owner asks for.

  op = 0;
  sourceQp = 0;
  destinationQp = 0;
  qkey = 0;
  hasImm = false;
  imm = 0;
  /** Bytes in all; sends fit into one packet. */
  length = 0;
  rkey = 0;
  /** The first remote address. */
  address = 0;
  /** How often a receiver that is not ready is asked again; `forEver`: until it is. */
  rnrRetries = 0;

  // What SRD keeps.

  /** Bytes that were put into packets. */
  sent = 0;
  /** Whether the last piece was: a message of no bytes has one piece, too. */
  isSent = false;
  /** Packets that were not answered yet. */
  inFlight = 0;
  status: number = SRD.ok;
  rnrCount = 0;
  /** It is with SRD. */
  isBusy = false;

  begin(): void {
    this.sent = 0;
    this.isSent = false;
    this.inFlight = 0;
    this.status = SRD.ok;
    this.rnrCount = 0;
    this.isBusy = true;
  }
}
