/**
 * An SRD endpoint on a port: Scalable Reliable Datagram, after what `SRD.txt` of the public EFA driver
 * says of it. Messages arrive reliably, at most once and in any order, over many paths; one that
 * cannot be delivered ends with a status and disturbs no other.
 *
 * It moves no data itself: its user adds the bytes of a packet to a frame where they lie, and takes
 * them out of a frame, so that they are copied once, from memory to memory.
 */
import type { Clock, Timer } from '../lib/clock.ts';
import type { TokenBucket } from '../lib/token-bucket.ts';
import { Frame } from '../net/frame.ts';
import type { Port } from '../net/port.ts';
import type { Faults } from './faults.ts';
import type { SrdMessage } from './message.ts';
import { Peer, type PeerHost, type SrdCounts } from './peer.ts';
import { SRD, silent } from './status.ts';
import { AckList, maxAcks, operation, packetFlag, packetType, SrdPacket } from './wire.ts';

export interface SrdUser {
  /** Adds bytes of a message that is sent to `frame`; a status. */
  gather(message: SrdMessage, offset: number, length: number, frame: Frame): number;
  /** Bytes of a message that reads have come, behind the head of `frame`; a status. */
  scatter(message: SrdMessage, offset: number, length: number, frame: Frame): number;
  completed(message: SrdMessage): void;
  /** Carries out a peer's send or write; a status, or `silent`. */
  deliver(packet: SrdPacket, from: number, frame: Frame): number;
  /** Adds the bytes that a peer reads to `frame`; a status. */
  serve(packet: SrdPacket, from: number, frame: Frame): number;
  /** A datagram, which nobody waits for. */
  datagram(packet: SrdPacket, from: number, frame: Frame): void;
}

export type SrdOptions = {
  readonly mac: number;
  /** Bytes of payload in a packet at most. */
  readonly maxPayload: number;
  /** How long a peer may be silent; 4 s unless told. */
  readonly patienceNs?: number;
  /** What goes wrong between here and the peers; nothing unless told. */
  readonly faults?: Faults | null;
};

const maxPeers = 1024;
const defaultPatienceNs = 4e9;
/** Packets in one turn; the rest goes on in the next. */
const packetsPerTurn = 2048;
/** Packets of one peer between two looks at the rate. */
const packetsPerGrant = 4;
const minTickNs = 20_000;

export class SrdEndpoint implements PeerHost {
  readonly counts: SrdCounts = {
    retransmittedBytes: 0,
    retransmittedPackets: 0,
    timeouts: 0,
    unresponsive: 0,
    impaired: 0,
  };
  readonly maxPayload: number;
  /** Tells this life from earlier ones; 0: switched off, nothing is answered. */
  epoch = 0;
  /** What it may send; null: as much as it can. */
  rate: TokenBucket | null = null;
  readonly #mac: number;
  readonly #patienceNs: number;
  readonly #faults: Faults | null;
  readonly #user: SrdUser;
  readonly #port: Port;
  readonly #clock: Clock;
  readonly #peers = new Map<number, Peer>();
  /** Peers to be answered, and peers with something to send. */
  readonly #dirty: Peer[] = [];
  /** Peers that may send no more in this turn. */
  readonly #stopped: Peer[] = [];
  /** Peers with something under way. */
  #busy: Peer[] = [];
  readonly #in = new SrdPacket();
  readonly #out = new SrdPacket();
  readonly #acks = new AckList(maxAcks);
  readonly #frame = new Frame();
  #budget = 0;
  /** The time of the burst; -1: not asked for yet. */
  #now = -1;
  #tick: Timer | null = null;
  #tickAt = Infinity;
  #inBurst = false;

  constructor(options: SrdOptions, user: SrdUser, port: Port, clock: Clock) {
    this.#mac = options.mac;
    this.maxPayload = options.maxPayload;
    this.#patienceNs = options.patienceNs ?? defaultPatienceNs;
    this.#faults = options.faults ?? null;
    this.#user = user;
    this.#port = port;
    this.#clock = clock;
  }

  /** A new life; 0 ends it. Nothing is left of the one before. */
  restart(epoch: number): void {
    this.epoch = epoch;
    this.#peers.clear();
    this.#dirty.length = 0;
    this.#busy = [];
    this.#tick?.cancel();
    this.#tick = null;
    this.#tickAt = Infinity;
    this.#frame.forget();
  }

  /** Takes a message for a peer. `begin` before and `end` after a burst of them. */
  send(message: SrdMessage, mac: number): void {
    const peer = this.#peer(mac);
    if (peer === null) {
      message.begin();
      message.status = SRD.unreachable;
      message.isBusy = false;
      this.#user.completed(message);
      return;
    }
    peer.submit(message);
    this.#touch(peer);
  }

  cancel(message: SrdMessage, mac: number): void {
    this.#peers.get(mac)?.cancel(message);
  }

  /** Ends all that is under way to a peer. */
  fail(mac: number, status: number): void {
    this.#peers.get(mac)?.fail(status);
  }

  /** Sends a datagram of `length` bytes at once. */
  sendDatagram(message: SrdMessage, mac: number): number {
    const packet = this.#out;
    this.#fill(packet, message);
    packet.type = packetType.datagram;
    packet.sourceEpoch = this.epoch;
    packet.destinationEpoch = 0;
    packet.psn = 0;
    packet.tag = 0;
    packet.path = 0;
    packet.length = message.length;
    packet.write(this.#frame, mac, this.#mac);
    const status = this.#user.gather(message, 0, message.length, this.#frame);
    if (status === SRD.ok) this.#emit(this.#frame, 0);
    return status;
  }

  begin(): void {
    this.#now = this.#clock.now();
    this.#budget = packetsPerTurn;
    this.#inBurst = true;
  }

  end(): void {
    this.#inBurst = false;
    do {
      this.#work();
      this.#port.flush();
    } while (this.#dirty.length > 0 && this.#budget > 0 && this.rate === null);
    this.#now = -1;
  }

  /** The port's `receive`; false: that is nothing for us. */
  receive(frame: Frame): boolean {
    const packet = this.#in;
    if (this.epoch === 0 || !packet.read(frame)) return false;
    if (this.#now < 0) this.#now = this.#clock.now();
    const { srcMacHi, srcMacLo } = frame.headers;
    this.#take(packet, srcMacHi * 2 ** 32 + (srcMacLo >>> 0), frame);
    return true;
  }

  /** The port's `flush`: what came in is answered, and what answers have freed is sent. */
  flush(): void {
    if (this.#inBurst) return;
    if (this.#now < 0) this.#now = this.#clock.now();
    this.#work();
    this.#now = -1;
  }

  transmit(peer: Peer, psn: number, slot: number): number {
    const { window } = peer;
    const packet = this.#out;
    const message = window.message[slot] as SrdMessage;
    const offset = window.offset[slot] as number;
    const length = window.length[slot] as number;
    this.#fill(packet, message);
    packet.type = packetType.request;
    packet.path = window.path[slot] as number;
    packet.sourceEpoch = this.epoch;
    packet.destinationEpoch = peer.epoch;
    packet.psn = psn;
    packet.tag = window.tag[slot] as number;
    packet.length = length;
    packet.address = message.address + offset;
    // the immediate comes with the last piece
    if (offset + length < message.length) packet.flags = 0;
    packet.write(this.#frame, peer.mac, this.#mac);
    if (message.op !== operation.read && length > 0) {
      const status = this.#user.gather(message, offset, length, this.#frame);
      if (status !== SRD.ok) return status;
    }
    this.rate?.spend(this.#frame.length);
    this.#emit(this.#frame, packet.path);
    return SRD.ok;
  }

  completed(message: SrdMessage): void {
    this.#user.completed(message);
  }

  #fill(packet: SrdPacket, message: SrdMessage): void {
    packet.op = message.op;
    packet.flags = message.hasImm ? packetFlag.hasImm : 0;
    packet.status = 0;
    packet.destinationQp = message.destinationQp;
    packet.sourceQp = message.sourceQp;
    packet.qkey = message.qkey;
    packet.imm = message.imm;
    packet.rkey = message.rkey;
    packet.address = message.address;
    packet.total = message.length;
  }

  /** Out to the port, by way of whatever may go wrong; what is for ourselves comes back at once. */
  #emit(frame: Frame, path: number): void {
    if (this.#faults === null) {
      this.carry(frame);
      return;
    }
    this.#faults.pass(frame, path, this);
  }

  /** Carries a frame that nothing has happened to. */
  carry(frame: Frame): void {
    frame.parse();
    const { dstMacHi, dstMacLo } = frame.headers;
    if (dstMacHi * 2 ** 32 + (dstMacLo >>> 0) === this.#mac) this.receive(frame);
    else this.#port.transmit(frame);
  }

  /** Carries a frame that comes late. */
  carryLate(frame: Frame): void {
    if (this.epoch === 0) return;
    this.carry(frame);
    this.#port.flush();
    this.flush();
  }

  #peer(mac: number): Peer | null {
    let peer = this.#peers.get(mac);
    if (peer === undefined) {
      if (this.#peers.size >= maxPeers && !this.#forgetOne()) return null;
      peer = new Peer(mac, this);
      this.#peers.set(mac, peer);
    }
    peer.usedAt = this.#now;
    return peer;
  }

  /** Makes room for another peer: the one that was not used for longest goes. */
  #forgetOne(): boolean {
    let oldest: Peer | null = null;
    for (const peer of this.#peers.values())
      if (peer.isIdle && !peer.isDirty && (oldest === null || peer.usedAt < oldest.usedAt))
        oldest = peer;
    if (oldest === null) return false;
    this.#peers.delete(oldest.mac);
    return true;
  }

  #touch(peer: Peer): void {
    if (peer.isDirty) return;
    peer.isDirty = true;
    this.#dirty.push(peer);
  }

  /** Answers and sends, as long as there is something to do and the budget lasts. */
  #work(): void {
    const dirty = this.#dirty;
    const stopped = this.#stopped;
    let waitNs = 0;
    // what is for ourselves makes the list longer while it is walked
    for (let i = 0; i < dirty.length; i++) {
      const peer = dirty[i] as Peer;
      peer.isDirty = false;
      this.#answer(peer);
      let allowed = Math.max(0, this.#budget);
      if (this.rate !== null) {
        waitNs = this.rate.waitNs(this.#now);
        allowed = waitNs > 0 ? 0 : Math.min(allowed, packetsPerGrant);
      }
      const sent = peer.pump(this.#now, allowed);
      this.#budget -= sent;
      if (!peer.isIdle && !peer.isBusy) {
        peer.isBusy = true;
        this.#busy.push(peer);
      }
      if (peer.hasMore && sent === allowed) stopped.push(peer);
    }
    dirty.length = 0;
    for (const peer of stopped) this.#touch(peer);
    stopped.length = 0;
    if (dirty.length > 0) this.#schedule(waitNs);
    else this.#scheduleNext();
  }

  #answer(peer: Peer): void {
    const { acks, reads } = peer;
    const packet = this.#out;
    for (let i = 0; i < reads.count; i++) this.#serve(peer, i);
    reads.count = 0;
    for (let from = 0; from < acks.count; from += maxAcks) {
      packet.type = packetType.ack;
      this.#address(packet, peer, acks.path[from] as number);
      packet.write(this.#frame, peer.mac, this.#mac);
      acks.write(this.#frame, from, Math.min(maxAcks, acks.count - from));
      this.#emit(this.#frame, packet.path);
    }
    acks.count = 0;
    if (!peer.owesReset) return;
    peer.owesReset = false;
    packet.type = packetType.reset;
    this.#address(packet, peer, 0);
    packet.destinationEpoch = 0;
    packet.write(this.#frame, peer.mac, this.#mac);
    this.#emit(this.#frame, 0);
  }

  #address(packet: SrdPacket, peer: Peer, path: number): void {
    packet.op = operation.send;
    packet.path = path;
    packet.sourceEpoch = this.epoch;
    packet.destinationEpoch = peer.epoch;
    packet.length = 0;
  }

  /** Answers a read with its data. */
  #serve(peer: Peer, i: number): void {
    const { reads } = peer;
    const packet = this.#out;
    const length = reads.length[i] as number;
    packet.type = packetType.response;
    this.#address(packet, peer, reads.path[i] as number);
    packet.op = operation.read;
    packet.psn = reads.psn[i] as number;
    packet.tag = reads.tag[i] as number;
    packet.flags = 0;
    packet.destinationQp = reads.qp[i] as number;
    packet.qkey = reads.qkey[i] as number;
    packet.rkey = reads.rkey[i] as number;
    packet.address = reads.address[i] as number;
    packet.length = length;
    packet.status = SRD.ok;
    packet.write(this.#frame, peer.mac, this.#mac);
    const status = this.#user.serve(packet, peer.mac, this.#frame);
    if (status === silent) return;
    if (status !== SRD.ok) {
      packet.status = status;
      packet.length = 0;
      packet.write(this.#frame, peer.mac, this.#mac);
    }
    this.#emit(this.#frame, packet.path);
  }

  // Time.

  #scheduleNext(): void {
    let due = Infinity;
    for (const peer of this.#busy) due = Math.min(due, peer.nextDueAt(this.#now));
    if (due < Infinity) this.#schedule(Math.max(minTickNs, due - this.#now));
  }

  #schedule(delayNs: number): void {
    const at = this.#now + delayNs;
    if (this.#tick !== null && this.#tickAt <= at) return;
    this.#tick?.cancel();
    this.#tickAt = at;
    this.#tick = this.#clock.after(delayNs, () => this.#onTick());
  }

  #onTick(): void {
    this.#tick = null;
    this.#tickAt = Infinity;
    this.begin();
    const busy = this.#busy;
    this.#busy = [];
    for (const peer of busy) {
      peer.isBusy = false;
      if (!peer.tick(this.#now, this.#patienceNs)) {
        this.counts.unresponsive++;
        peer.fail(peer.wasHeard ? SRD.unresponsive : SRD.unreachable);
      }
      this.#touch(peer);
    }
    this.end();
  }

  #take(packet: SrdPacket, from: number, frame: Frame): void {
    if (packet.type === packetType.datagram) {
      this.#user.datagram(packet, from, frame);
      return;
    }
    const peer = this.#peer(from);
    if (peer === null) return;
    if (packet.destinationEpoch !== 0 && packet.destinationEpoch !== this.epoch) {
      if (packet.type === packetType.request) {
        peer.owesReset = true;
        this.#touch(peer);
      }
      return;
    }
    if (peer.epoch !== packet.sourceEpoch) this.#meet(peer, packet.sourceEpoch);
    peer.wasHeard = true;
    switch (packet.type) {
      case packetType.request:
        this.#request(peer, packet, frame);
        return;
      case packetType.ack:
        this.#acks.read(frame, packet.psn);
        this.#acknowledge(peer, this.#acks);
        return;
      case packetType.response:
        this.#response(peer, packet, frame);
    }
    // a reset has done what it is for: the peer's new epoch is known
  }

  /** The peer has another life than we knew: what went to the one before is lost. */
  #meet(peer: Peer, epoch: number): void {
    if (peer.epoch !== 0) peer.fail(SRD.remoteAbort);
    peer.epoch = epoch;
    peer.received.reset();
    peer.acks.count = 0;
    peer.reads.count = 0;
  }

  #request(peer: Peer, packet: SrdPacket, frame: Frame): void {
    const { psn, path, tag } = packet;
    if (peer.received.isStale(psn)) return;
    this.#touch(peer);
    if (packet.op === operation.read) {
      // reading twice does no harm: the data itself is the answer
      peer.reads.add(packet);
      return;
    }
    let status = peer.received.answerTo(psn);
    if (status < 0) {
      status = this.#user.deliver(packet, peer.mac, frame);
      if (status === silent) return;
      peer.received.record(psn, status);
    }
    peer.acks.add(psn, status, path, tag); // without room: it is sent again, and answered then
  }

  #acknowledge(peer: Peer, acks: AckList): void {
    for (let i = 0; i < acks.count; i++)
      peer.answered(
        acks.psn[i] as number,
        acks.status[i] as number,
        acks.path[i] as number,
        acks.tag[i] as number,
        this.#now,
      );
    peer.detectLosses();
    this.#touch(peer);
  }

  #response(peer: Peer, packet: SrdPacket, frame: Frame): void {
    const slot = peer.find(packet.psn);
    if (slot < 0) return;
    const { window } = peer;
    const message = window.message[slot] as SrdMessage;
    if (message.op !== operation.read) return;
    let { status } = packet;
    if (status === SRD.ok && packet.length !== window.length[slot]) status = SRD.remoteBadStatus;
    if (status === SRD.ok && message.status === SRD.ok)
      status = this.#user.scatter(message, window.offset[slot] as number, packet.length, frame);
    peer.answered(packet.psn, status, packet.path, packet.tag, this.#now);
    peer.detectLosses();
    this.#touch(peer);
  }
}
