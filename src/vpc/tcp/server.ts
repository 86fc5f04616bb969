/**
 * The network's own TCP server: it answers at addresses that belong to no interface.
 *
 * Everything is bounded and nobody can take another's share: connections are counted per interface,
 * a half-open one holds no buffer, and the oldest in TIME-WAIT, else the oldest half-open one, makes
 * room for a new SYN, so that a flood of SYNs hurts only whoever sends it, and even them little.
 */
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Prng } from '../../lib/prng.ts';
import { Frame } from '../../net/frame.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { tcpFlag } from '../../net/tcp.ts';
import type { SwitchPort } from '../../switch/port.ts';
import { TcpConnection, type TcpHost, tcpState } from './connection.ts';
import { limits, TcpCounts } from './limits.ts';
import { Path, Segment, writeReset, writeSegment } from './segment.ts';
import { ahead } from './sequence.ts';

/** What is served. */
export interface TcpService {
  /** Whether connections to this port of ours are taken. */
  readonly port: number;
  /**
   * There is more in `connection.input`, or the peer is done: to be answered when it is enough, or
   * when the input is full.
   */
  received(connection: TcpConnection): void;
}

/** The part of the switch that a server needs. */
export interface TcpOutlet {
  send(to: SwitchPort, frame: Frame): void;
  flush(): void;
}

/** Ethernet, and what the largest packet needs. */
const frameBytes = limits.packetBytes + 14;

export class TcpServer implements TcpHost {
  readonly counts = new TcpCounts();
  readonly #clock: Clock;
  readonly #random: Prng;
  readonly #outlet: TcpOutlet;
  readonly #service: TcpService;
  /** By interface, the oldest first. */
  readonly #connections = new Map<SwitchPort, TcpConnection[]>();
  #count = 0;
  #timer: Timer | null = null;
  #timerAt = Infinity;

  readonly #segment = new Segment();
  readonly #path = new Path();
  readonly #frame = new Frame();
  readonly #bytes = new Uint8Array(frameBytes);

  constructor(clock: Clock, random: Prng, outlet: TcpOutlet, service: TcpService) {
    this.#clock = clock;
    this.#random = random;
    this.#outlet = outlet;
    this.#service = service;
  }

  /** Connections in any state. */
  get count(): number {
    return this.#count;
  }

  /** A parsed frame to one of our addresses. Answers leave when the sender's burst ends. */
  take(from: SwitchPort, frame: Frame): Reason {
    const segment = this.#segment;
    if (!segment.read(frame) || isFromItself(frame)) {
      this.counts.malformed++;
      return R.badRequest;
    }
    const connection = this.#find(from, frame);
    if (connection === null) this.#listen(from, frame, segment);
    else if (isNewCall(connection, segment)) {
      this.ended(connection);
      this.#listen(from, frame, segment);
    } else connection.take(segment, frame);
    return R.answered;
  }

  /** Forgets all connections of an interface that is gone, or whose owner has changed. */
  forget(port: SwitchPort): void {
    const list = this.#connections.get(port);
    if (list === undefined) return;
    this.#count -= list.length;
    this.#connections.delete(port);
    for (const connection of list) connection.due = Infinity;
  }

  /** Forgets the connections of all interfaces for which `gone` is true. */
  forgetIf(gone: (port: SwitchPort) => boolean): void {
    for (const port of [...this.#connections.keys()]) if (gone(port)) this.forget(port);
  }

  #find(from: SwitchPort, frame: Frame): TcpConnection | null {
    const list = this.#connections.get(from);
    if (list === undefined) return null;
    for (let i = 0; i < list.length; i++) {
      const connection = list[i] as TcpConnection;
      if (connection.path.isOf(frame)) return connection;
    }
    return null;
  }

  /** RFC 9293, section 3.10.7.2. */
  #listen(from: SwitchPort, frame: Frame, segment: Segment): void {
    if (segment.has(tcpFlag.rst)) return;
    const isCall =
      segment.has(tcpFlag.syn) && !segment.has(tcpFlag.ack) && !segment.has(tcpFlag.fin);
    if (!isCall || frame.headers.dstPort !== this.#service.port) {
      this.#refuse(from, frame, segment);
      return;
    }
    if (!this.#makeRoom(from)) {
      this.counts.full++;
      return;
    }
    this.counts.accepted++;
    const connection = new TcpConnection(this, from, frame, segment, this.#random.next());
    const list = this.#connections.get(from);
    if (list === undefined) this.#connections.set(from, [connection]);
    else list.push(connection);
    this.#count++;
  }

  /** A reset that the peer believes: it acknowledges exactly what it sent. */
  #refuse(from: SwitchPort, frame: Frame, segment: Segment): void {
    this.counts.refused++;
    this.#path.readFrom(frame);
    const length = writeReset(this.#bytes, this.#path, segment);
    this.#deliver(from, length);
  }

  #makeRoom(from: SwitchPort): boolean {
    const list = this.#connections.get(from) ?? [];
    if (list.length < limits.perInterface && this.#count < limits.inAll) return true;
    const victim =
      list.find(({ state }) => state === tcpState.timeWait) ??
      list.find(({ state }) => state === tcpState.synReceived);
    if (victim === undefined) return false;
    this.counts.evicted++;
    this.#remove(victim);
    return true;
  }

  #deliver(to: SwitchPort, length: number): void {
    this.#frame.load(this.#bytes, 0, length);
    this.#outlet.send(to, this.#frame);
  }

  #remove(connection: TcpConnection): void {
    const list = this.#connections.get(connection.port);
    const at = list?.indexOf(connection) ?? -1;
    if (list === undefined || at < 0) return;
    list.splice(at, 1);
    this.#count--;
    if (list.length === 0) this.#connections.delete(connection.port);
  }

  // What connections ask for.

  now(): number {
    return this.#clock.now();
  }

  emit(
    connection: TcpConnection,
    sequence: number,
    flags: number,
    mss: number,
    from: number,
    bytes: number,
  ): void {
    const acknowledgement = (flags & tcpFlag.ack) !== 0 ? connection.rcvNxt : 0;
    const words = { sequence, acknowledgement, flags, window: connection.window, mss };
    const { path, output } = connection;
    this.#deliver(connection.port, writeSegment(this.#bytes, path, words, output, from, bytes));
  }

  received(connection: TcpConnection): void {
    this.#service.received(connection);
  }

  ended(connection: TcpConnection): void {
    this.counts.closed++;
    this.#remove(connection);
  }

  scheduled(connection: TcpConnection): void {
    if (connection.due >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = connection.due;
    this.#timer = this.#clock.after(Math.max(0, connection.due - this.now()), this.#run);
  }

  readonly #run = (): void => {
    this.#timer = null;
    this.#timerAt = Infinity;
    const now = this.now();
    const due: TcpConnection[] = [];
    let next: TcpConnection | null = null;
    for (const list of this.#connections.values())
      for (const connection of list) {
        if (connection.due <= now) due.push(connection);
        else if (next === null || connection.due < next.due) next = connection;
      }
    if (next !== null) this.scheduled(next);
    for (const connection of due) connection.timeout();
    this.#outlet.flush();
  };
}

/** An address that calls itself gets no answer (the "land" attack). */
function isFromItself(frame: Frame): boolean {
  const h = frame.headers;
  if (h.src !== h.dst) return false;
  return h.ipVersion === 4 || (h.src0 === h.dst0 && h.src1 === h.dst1 && h.src2 === h.dst2);
}

/** A SYN beyond the end of a connection in TIME-WAIT begins a new one (RFC 1122, 4.2.2.13). */
const isNewCall = (connection: TcpConnection, segment: Segment): boolean =>
  connection.state === tcpState.timeWait &&
  segment.has(tcpFlag.syn) &&
  !segment.has(tcpFlag.ack) &&
  ahead(segment.sequence, connection.rcvNxt) > 0;
