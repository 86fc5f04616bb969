/** What bounds the network's own TCP server, and what it counts. */
import { nsPerMs, nsPerSecond } from '../../lib/clock.ts';

export const limits = {
  /** Connections of one interface, in whatever state. */
  perInterface: 64,
  /** Of all interfaces together. */
  inAll: 4096,
  /** Bytes of a request that are kept until they are answered; the receive window. */
  inputBytes: 8192,
  /** Room for an IP packet: what interfaces in a VPC take (MTU 9001). */
  packetBytes: 9001,
  /** The least maximum segment size that is believed: smaller ones would make floods of segments. */
  leastMss: 88,
  /** What a peer takes that names no maximum segment size (RFC 9293, section 3.7.1). */
  silentMss: { 4: 536, 6: 1220 },
} as const;

export const timing = {
  /** Before the first measured round trip (RFC 6298). */
  firstRtoNs: nsPerSecond,
  leastRtoNs: 200 * nsPerMs,
  mostRtoNs: 8 * nsPerSecond,
  /** SYN-ACKs that are sent before a half-open connection is given up. */
  synAcks: 4,
  /** Without progress a connection is reset: peers that stall hold nothing for long. */
  patienceNs: 60 * nsPerSecond,
  /** However slowly it goes on. */
  longestNs: 300 * nsPerSecond,
  /** Twice the maximum segment lifetime, as Linux has it. */
  timeWaitNs: 60 * nsPerSecond,
} as const;

/** For people and tests; nothing decides by them. */
export class TcpCounts {
  accepted = 0;
  established = 0;
  closed = 0;
  /** Not a whole segment with a right checksum, or from its own address. */
  malformed = 0;
  /** Answered by a reset: no such connection, or no such port. */
  refused = 0;
  /** Outside the window: answered by an ACK (RFC 9293, section 3.10.7.4). */
  outOfWindow = 0;
  /** Acknowledged what was never sent, or carried no ACK. */
  badAck = 0;
  /** SYN or RST inside a connection that did not fit exactly (RFC 5961). */
  challenged = 0;
  /** A connection that had to make room: half-open, or in TIME-WAIT. */
  evicted = 0;
  /** A SYN that found no room. */
  full = 0;
  retransmitted = 0;
  timedOut = 0;
  reset = 0;
}
