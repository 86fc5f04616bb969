/**
 * One connection of the network's own TCP server (RFC 9293, passive side only): a request comes
 * in, one answer goes out, the connection closes.
 *
 * Data is taken in order only: what comes early is acknowledged as missing and sent again by the
 * peer, so nothing is kept for reassembly. Answers are sent within the peer's window and a
 * congestion window (RFC 5681), and again by time-outs with back-off (RFC 6298) or three duplicate
 * ACKs. RST and SYN inside a connection are believed as RFC 5961 says.
 */
import type { Frame } from '../../net/frame.ts';
import { tcpFlag } from '../../net/tcp.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { limits, type TcpCounts, timing } from './limits.ts';
import { RoundTrips } from './round-trips.ts';
import { Path, type Segment } from './segment.ts';
import { advance, ahead } from './sequence.ts';

/** In the order of RFC 9293, figure 5. */
export const tcpState = {
  synReceived: 0,
  established: 1,
  closeWait: 2,
  finWait1: 3,
  finWait2: 4,
  closing: 5,
  lastAck: 6,
  timeWait: 7,
  closed: 8,
} as const;

/** What a connection needs of its server. */
export interface TcpHost {
  readonly counts: TcpCounts;
  now(): number;
  /** Sends a segment of the connection: `bytes` of its output from `from` on. */
  emit(
    connection: TcpConnection,
    sequence: number,
    flags: number,
    mss: number,
    from: number,
    bytes: number,
  ): void;
  /** `connection.due` has changed. */
  scheduled(connection: TcpConnection): void;
  /** There are new bytes of the peer, or it has sent all of them. */
  received(connection: TcpConnection): void;
  /** It is over: nothing of it is known any more. */
  ended(connection: TcpConnection): void;
}

const nothing = new Uint8Array(0);

export class TcpConnection {
  readonly port: SwitchPort;
  readonly path = new Path();
  state: number = tcpState.synReceived;
  /** What the peer has sent, in order, until there is an answer: the first `inputLength` bytes. */
  input: Uint8Array = nothing;
  inputLength = 0;
  /** The peer has sent all that it will. */
  peerDone = false;
  /** When `timeout` is to be called. */
  due = Infinity;
  /** What is being sent. */
  output: Uint8Array = nothing;
  /** The next byte that is expected of the peer. */
  rcvNxt: number;

  readonly #host: TcpHost;
  readonly #irs: number;
  readonly #iss: number;
  readonly #mss: number;
  readonly #ownMss: number;
  readonly #startedAt: number;
  readonly #trips = new RoundTrips();
  #progressAt: number;

  #sndUna: number;
  #sndNxt: number;
  /** The highest that was ever sent, which going back does not lower. */
  #sndMax: number;
  #sndWnd: number;
  #sndWl1: number;
  #sndWl2: number;
  #cwnd: number;
  #ssthresh = 65_535;
  #dupAcks = 0;
  /** What was sent when a loss was noticed by duplicate ACKs; null: all is well. */
  #recover: number | null = null;
  #synAcks = 0;
  #answered = false;
  #finSent = false;
  #ackDue = false;
  /** When what is under way is sent again; Infinity: it is not timed. */
  #againAt = Infinity;

  /** `frame` holds a SYN, `segment` what it says; `iss` is the first sequence number of ours. */
  constructor(host: TcpHost, port: SwitchPort, frame: Frame, segment: Segment, iss: number) {
    this.#host = host;
    this.port = port;
    this.path.readFrom(frame);
    const six = this.path.version === 6;
    this.#ownMss = limits.packetBytes - (six ? 60 : 40);
    const asked = segment.mss === 0 ? limits.silentMss[six ? 6 : 4] : segment.mss;
    this.#mss = Math.max(limits.leastMss, Math.min(asked, this.#ownMss));
    this.#cwnd = Math.min(10 * this.#mss, Math.max(2 * this.#mss, 14_600));
    this.#irs = segment.sequence;
    this.rcvNxt = advance(segment.sequence, 1);
    this.#iss = iss | 0;
    this.#sndUna = this.#iss;
    this.#sndNxt = advance(this.#iss, 1);
    this.#sndMax = this.#sndNxt;
    this.#sndWnd = segment.window;
    this.#sndWl1 = segment.sequence;
    this.#sndWl2 = this.#iss;
    this.#startedAt = host.now();
    this.#progressAt = this.#startedAt;
    this.#trips.start(this.#sndNxt, this.#startedAt);
    this.#sendSynAck();
  }

  /** Bytes that the peer may send. */
  get window(): number {
    return this.#answered ? limits.inputBytes : limits.inputBytes - this.inputLength;
  }

  get initialPeerSequence(): number {
    return this.#irs;
  }

  /** Sends `bytes`, which must not change, then closes. What the peer still says is let go. */
  answer(bytes: Uint8Array): void {
    this.output = bytes;
    this.#answered = true;
    this.input = nothing;
    this.inputLength = 0;
  }

  /** As `answer`, at a time of one's own, and not because the peer has just said something. */
  answerLate(bytes: Uint8Array): void {
    if (this.state === tcpState.closed || this.#answered) return;
    this.answer(bytes);
    this.#send();
  }

  /** Tells the peer that it is over, and forgets the connection. */
  abort(): void {
    this.#host.emit(this, this.#sndNxt, tcpFlag.rst | tcpFlag.ack, 0, 0, 0);
    this.#end();
  }

  /** A segment of the peer's (RFC 9293, section 3.10.7.4). */
  take(segment: Segment, frame: Frame): void {
    if (!this.#acceptable(segment)) this.#unacceptable(segment);
    else if (segment.has(tcpFlag.rst)) this.#reset(segment);
    else if (segment.has(tcpFlag.syn)) this.#challenge();
    else if (segment.has(tcpFlag.ack) && this.#acknowledged(segment)) this.#text(segment, frame);
    else if (!segment.has(tcpFlag.ack)) this.#host.counts.badAck++;
    if (this.state !== tcpState.closed) this.#send();
  }

  /** The time that `due` said has come. */
  timeout(): void {
    const { counts } = this.#host;
    const now = this.#host.now();
    if (this.state === tcpState.timeWait) {
      this.#end();
      return;
    }
    const stalled = now - this.#progressAt >= timing.patienceNs;
    if (stalled || now - this.#startedAt >= timing.longestNs) {
      counts.timedOut++;
      this.abort();
      return;
    }
    if (this.state === tcpState.synReceived) {
      if (this.#synAcks >= timing.synAcks) {
        counts.timedOut++;
        this.#end();
        return;
      }
      this.#again();
      this.#sendSynAck();
      return;
    }
    if (this.#flight() > 0 || this.#left() > 0) this.#resend();
    this.#send();
  }

  // What comes in.

  #acceptable(segment: Segment): boolean {
    const { window, rcvNxt } = this;
    const from = ahead(segment.sequence, rcvNxt);
    const { length } = segment;
    if (length === 0) return window === 0 ? from === 0 : from >= 0 && from < window;
    if (window === 0) return false;
    const last = from + length - 1;
    return (from >= 0 && from < window) || (last >= 0 && last < window);
  }

  #unacceptable(segment: Segment): void {
    if (segment.has(tcpFlag.rst)) return;
    this.#host.counts.outOfWindow++;
    // Our SYN-ACK was lost: the peer says its SYN again.
    if (this.state === tcpState.synReceived && segment.has(tcpFlag.syn)) this.#sendSynAck();
    else if (this.window === 0 && segment.has(tcpFlag.ack)) {
      // Probes of a closed window still acknowledge (RFC 9293, section 3.10.7.4).
      this.#acknowledged(segment);
      this.#ackDue = true;
    } else this.#ackDue = true;
  }

  #reset(segment: Segment): void {
    if (segment.sequence !== this.rcvNxt) {
      this.#challenge();
      return;
    }
    this.#host.counts.reset++;
    this.#end();
  }

  #challenge(): void {
    this.#host.counts.challenged++;
    this.#ackDue = true;
  }

  /** False: the segment is to be dropped. */
  #acknowledged(segment: Segment): boolean {
    const ack = segment.acknowledgement;
    if (this.state === tcpState.synReceived) {
      if (ack !== this.#sndNxt) {
        this.#host.counts.badAck++;
        this.#host.emit(this, ack, tcpFlag.rst, 0, 0, 0);
        return false;
      }
      this.state = tcpState.established;
      this.#host.counts.established++;
      this.#sndWnd = segment.window;
    }
    if (ahead(ack, this.#sndMax) > 0) {
      this.#host.counts.badAck++;
      this.#ackDue = true;
      return false;
    }
    const acked = ahead(ack, this.#sndUna);
    if (acked > 0) this.#advanced(ack, acked);
    else if (acked === 0) this.#duplicate(segment);
    this.#updateWindow(segment);
    if (this.#finSent && this.#sndUna === advance(this.#iss, 2 + this.output.length))
      this.#finAcknowledged();
    return this.state !== tcpState.closed;
  }

  #advanced(ack: number, acked: number): void {
    this.#sndUna = ack;
    if (ahead(this.#sndNxt, ack) < 0) this.#sndNxt = ack;
    this.#dupAcks = 0;
    this.#progress();
    // What was sent with a lost segment has further gaps: the next one is sent now (RFC 6582).
    if (this.#recover !== null && ahead(this.#recover, ack) > 0) this.#sendPart(ack, this.#mss);
    else this.#recover = null;
    this.#trips.acknowledged(ack, this.#progressAt);
    const slowStart = this.#cwnd < this.#ssthresh;
    const grow = slowStart ? Math.min(acked, this.#mss) : (this.#mss * this.#mss) / this.#cwnd;
    this.#cwnd = Math.min(this.#cwnd + Math.ceil(grow), 65_535 + this.#mss);
    this.#againAt = Infinity;
  }

  /** The third one in a row says that a segment was lost (RFC 5681, section 3.2). */
  #duplicate(segment: Segment): void {
    if (this.#flight() === 0 || segment.length > 0 || segment.window !== this.#sndWnd) return;
    this.#dupAcks++;
    if (this.#dupAcks !== 3) return;
    this.#lost();
    this.#cwnd = this.#ssthresh;
    this.#recover = this.#sndMax;
    this.#sendPart(this.#sndUna, this.#mss);
  }

  #updateWindow(segment: Segment): void {
    const newer = ahead(segment.sequence, this.#sndWl1);
    if (newer < 0 || (newer === 0 && ahead(segment.acknowledgement, this.#sndWl2) < 0)) return;
    // A probe that a closed window threw away is not under way any more.
    if (this.#sndWnd === 0 && segment.window > 0) this.#sndNxt = this.#sndUna;
    this.#sndWnd = segment.window;
    this.#sndWl1 = segment.sequence;
    this.#sndWl2 = segment.acknowledgement;
  }

  #finAcknowledged(): void {
    if (this.state === tcpState.finWait1) this.state = tcpState.finWait2;
    else if (this.state === tcpState.closing) this.#wait();
    else if (this.state === tcpState.lastAck) this.#end();
  }

  /** The segment's own bytes, and its FIN. */
  #text(segment: Segment, frame: Frame): void {
    if (segment.length === 0) return;
    this.#ackDue = true;
    const skip = ahead(this.rcvNxt, segment.sequence);
    if (this.peerDone) {
      if (this.state === tcpState.timeWait) this.#wait();
      return;
    }
    if (skip < 0) return;
    const news = segment.payloadBytes - skip;
    const taken = this.#answered ? news : Math.min(news, this.window);
    if (taken > 0) this.#keep(frame, segment.payloadAt + skip, taken);
    if (segment.has(tcpFlag.fin) && taken === news) this.#finReceived();
    else if (taken <= 0) return;
    if (this.#answered) return;
    this.#host.received(this);
    if (this.peerDone && !this.#answered) this.answer(nothing);
  }

  #keep(frame: Frame, at: number, bytes: number): void {
    this.rcvNxt = advance(this.rcvNxt, bytes);
    this.#progress();
    if (this.#answered) return;
    if (this.input.length === 0) this.input = new Uint8Array(limits.inputBytes);
    frame.copyPart(at, bytes, this.input, this.inputLength);
    this.inputLength += bytes;
  }

  #finReceived(): void {
    this.rcvNxt = advance(this.rcvNxt, 1);
    this.peerDone = true;
    this.#progress();
    if (this.state === tcpState.established) this.state = tcpState.closeWait;
    else if (this.state === tcpState.finWait1) this.state = tcpState.closing;
    else if (this.state === tcpState.finWait2) this.#wait();
  }

  // What goes out.

  /** Sent, and not acknowledged. */
  #flight(): number {
    return ahead(this.#sndNxt, this.#sndUna);
  }

  /** Bytes of the answer, and its FIN, that are still to be sent. */
  #left(): number {
    if (!this.#answered) return 0;
    return this.output.length + 1 - (ahead(this.#sndNxt, this.#iss) - 1);
  }

  /** As much as both windows allow; an ACK, if one is due and nothing else carries it. */
  #send(): void {
    if (this.state !== tcpState.synReceived) {
      for (;;) {
        const sent = ahead(this.#sndNxt, this.#iss) - 1;
        const data = this.output.length - sent;
        if (this.#left() <= 0) break;
        const flight = this.#flight();
        const room = Math.min(this.#sndWnd, this.#cwnd) - flight;
        const bytes = Math.min(data, this.#mss, room);
        if (data > 0 && bytes <= 0) break;
        // Small pieces wait until all is acknowledged (RFC 9293, section 3.8.6.2.1).
        if (bytes < data && bytes < this.#mss && flight > 0) break;
        this.#sndNxt = advance(this.#sndNxt, this.#sendPart(this.#sndNxt, bytes));
      }
    }
    if (this.#ackDue) this.#emit(this.#sndNxt, tcpFlag.ack, 0, 0);
    this.#schedule();
  }

  /** Sends at most `most` bytes from `sequence` on, and the FIN with the last of them. */
  #sendPart(sequence: number, most: number): number {
    const from = ahead(sequence, this.#iss) - 1;
    const bytes = Math.max(0, Math.min(most, this.output.length - from));
    const last = from + bytes === this.output.length;
    const fin = last && this.#answered ? tcpFlag.fin : 0;
    const end = advance(sequence, bytes + fin);
    if (ahead(end, this.#sndMax) > 0) {
      this.#trips.start(end, this.#host.now());
      this.#sndMax = end;
    } else this.#host.counts.retransmitted++;
    if (fin !== 0 && !this.#finSent) {
      this.#finSent = true;
      this.state = this.state === tcpState.closeWait ? tcpState.lastAck : tcpState.finWait1;
    }
    const push = last && bytes > 0 ? tcpFlag.psh : 0;
    this.#emit(sequence, tcpFlag.ack | push | fin, from, bytes);
    return bytes + fin;
  }

  #sendSynAck(): void {
    this.#synAcks++;
    this.#host.emit(this, this.#iss, tcpFlag.syn | tcpFlag.ack, this.#ownMss, 0, 0);
    this.#againAt = Infinity;
    this.#schedule();
  }

  #emit(sequence: number, flags: number, from: number, bytes: number): void {
    this.#ackDue = false;
    this.#host.emit(this, sequence, flags, 0, from, bytes);
  }

  // Time.

  /** Nothing was acknowledged in time: from the oldest on, slowly; a closed window is probed. */
  #resend(): void {
    if (this.#flight() > 0) this.#lost();
    this.#cwnd = this.#mss;
    this.#recover = null;
    this.#again();
    this.#sndNxt = this.#sndUna;
    if (this.#sndWnd > 0) return;
    const probe = this.#sendPart(this.#sndUna, 1);
    this.#sndNxt = advance(this.#sndUna, probe);
  }

  #lost(): void {
    this.#ssthresh = Math.max(this.#flight() / 2, 2 * this.#mss);
    this.#trips.stop();
  }

  /** The next wait is twice as long. */
  #again(): void {
    this.#trips.backOff();
    this.#trips.stop();
    this.#againAt = Infinity;
  }

  #schedule(): void {
    if (this.state === tcpState.timeWait) this.due = this.#progressAt + timing.timeWaitNs;
    else {
      if (this.#flight() === 0 && this.#left() <= 0) this.#againAt = Infinity;
      else if (this.#againAt === Infinity) this.#againAt = this.#host.now() + this.#trips.rtoNs;
      const stalledAt = this.#progressAt + timing.patienceNs;
      this.due = Math.min(this.#againAt, stalledAt, this.#startedAt + timing.longestNs);
    }
    this.#host.scheduled(this);
  }

  #progress(): void {
    this.#progressAt = this.#host.now();
  }

  /** TIME-WAIT, from now on. */
  #wait(): void {
    this.state = tcpState.timeWait;
    this.output = nothing;
    this.#progress();
  }

  #end(): void {
    this.state = tcpState.closed;
    this.input = nothing;
    this.output = nothing;
    this.#host.ended(this);
  }
}
