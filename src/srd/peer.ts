/**
 * One peer: what is on its way to it, on which paths, and what has come from it. Messages take turns,
 * a few packets each, so that a long one does not hold up the others; a packet that is lost holds up
 * only its own message.
 */
import type { SrdMessage } from './message.ts';
import { minRtoNs, Path } from './path.ts';
import { ReceiveWindow, windowPackets } from './receive-window.ts';
import { SendWindow } from './send-window.ts';
import { forEver, SRD } from './status.ts';
import { AckList, operation, type SrdPacket } from './wire.ts';

export const pathsPerPeer = 4;

/** What a peer needs of its endpoint. */
export interface PeerHost {
  readonly maxPayload: number;
  readonly counts: SrdCounts;
  /** Sends the packet in this slot; a local error's status when its memory is gone. */
  transmit(peer: Peer, psn: number, slot: number): number;
  completed(message: SrdMessage): void;
}

export type SrdCounts = {
  retransmittedBytes: number;
  retransmittedPackets: number;
  timeouts: number;
  unresponsive: number;
  impaired: number;
};

/** A read request that is to be answered. */
export class PendingReads {
  readonly psn = new Uint32Array(windowPackets);
  readonly tag = new Uint16Array(windowPackets);
  readonly path = new Uint8Array(windowPackets);
  readonly qp = new Uint16Array(windowPackets);
  readonly qkey = new Uint32Array(windowPackets);
  readonly rkey = new Uint32Array(windowPackets);
  readonly address = new Float64Array(windowPackets);
  readonly length = new Uint16Array(windowPackets);
  count = 0;

  /** False: there is no room, and the requester will ask again. */
  add(packet: SrdPacket): boolean {
    const i = this.count;
    if (i === windowPackets) return false;
    this.psn[i] = packet.psn;
    this.tag[i] = packet.tag;
    this.path[i] = packet.path;
    this.qp[i] = packet.destinationQp;
    this.qkey[i] = packet.qkey;
    this.rkey[i] = packet.rkey;
    this.address[i] = packet.address;
    this.length[i] = packet.length;
    this.count++;
    return true;
  }
}

const rnrDelayNs = 20_000;
const maxRnrDelayNs = 1e6;
/** Packets of one message before the next one has its turn. */
const quantum = 8;

export class Peer {
  readonly mac: number;
  /** Of the peer's life, as it last said; 0: not heard of. */
  epoch = 0;
  wasHeard = false;
  /** When it was last used, to find one to forget. */
  usedAt = 0;
  /** It has something under way, as its endpoint knows. */
  isBusy = false;
  readonly window = new SendWindow();
  readonly paths: readonly Path[];
  readonly received = new ReceiveWindow();
  readonly acks = new AckList(windowPackets);
  readonly reads = new PendingReads();
  /** A packet for an earlier life of ours came: it is to be told. */
  owesReset = false;
  /** It has something to answer. */
  isDirty = false;
  readonly #host: PeerHost;
  /** Messages with something to send, in turns. */
  readonly #active: SrdMessage[] = [];
  /** Messages whose receiver was not ready, and when to ask again. */
  readonly #waiting: { message: SrdMessage; at: number }[] = [];
  #nextPath = 0;

  constructor(mac: number, host: PeerHost) {
    this.mac = mac;
    this.#host = host;
    this.paths = Array.from({ length: pathsPerPeer }, () => new Path());
  }

  get isIdle(): boolean {
    return this.window.outstanding === 0 && this.#active.length === 0 && this.#waiting.length === 0;
  }

  /** It has packets that could go out now or soon. */
  get hasMore(): boolean {
    return this.#active.length > 0 || this.window.lost > 0;
  }

  submit(message: SrdMessage): void {
    message.begin();
    this.#active.push(message);
  }

  /** Sends while there is room and budget; returns how many packets it sent. */
  pump(now: number, budget: number): number {
    let sent = this.window.lost > 0 ? this.#resend(now, budget) : 0;
    let turn = 0;
    const active = this.#active;
    while (active.length > 0 && sent < budget && !this.window.isFull) {
      const message = active[0] as SrdMessage;
      const isOver = message.isSent || message.status !== SRD.ok;
      // the last piece of a write with immediate goes out when all others have arrived
      if (isOver || this.#mustWait(message)) {
        active.shift();
        if (isOver) this.#finish(message);
        continue;
      }
      const path = this.#choosePath(now);
      if (path < 0) break;
      active.shift();
      this.#sendPiece(message, path, now);
      sent++;
      if (message.isSent || message.status !== SRD.ok) turn = 0;
      else if (++turn < quantum) active.unshift(message);
      else {
        turn = 0;
        active.push(message);
      }
    }
    return sent;
  }

  /** A write's immediate may be seen only after all of its data. */
  #mustWait(message: SrdMessage): boolean {
    const left = message.length - message.sent;
    const isLast = left <= this.#host.maxPayload;
    return message.hasImm && message.op === operation.write && isLast && message.inFlight > 0;
  }

  #sendPiece(message: SrdMessage, path: number, now: number): void {
    const offset = message.sent;
    const length = Math.min(message.length - offset, this.#host.maxPayload);
    const psn = this.window.open(message, offset, length, now);
    const slot = this.window.slot(psn);
    message.sent += length;
    message.isSent = message.sent >= message.length;
    message.inFlight++;
    this.#transmit(psn, slot, path, now);
  }

  #transmit(psn: number, slot: number, index: number, now: number): void {
    const { window } = this;
    const path = this.paths[index] as Path;
    window.path[slot] = index;
    window.tag[slot] = path.nextTag;
    window.sentAt[slot] = now;
    window.tries[slot] = (window.tries[slot] as number) + 1;
    path.nextTag = (path.nextTag + 1) & 0xffff;
    path.inFlight++;
    const status = this.#host.transmit(this, psn, slot);
    if (status !== SRD.ok) this.#settle(slot, status, now);
  }

  /** The usable path that is next in turn, or -1. When all are bad, any is as good. */
  #choosePath(now: number): number {
    let allBad = true;
    for (let i = 0; i < pathsPerPeer; i++) {
      const index = (this.#nextPath + i) % pathsPerPeer;
      const path = this.paths[index] as Path;
      if (path.badUntil <= now) allBad = false;
      if (!path.hasRoom(now)) continue;
      this.#nextPath = (index + 1) % pathsPerPeer;
      return index;
    }
    if (!allBad) return -1;
    for (const path of this.paths) path.badUntil = 0;
    return this.#nextPath;
  }

  #resend(now: number, budget: number): number {
    const { window, paths } = this;
    const { counts } = this.#host;
    let sent = 0;
    for (let psn = window.oldest; psn !== window.next && sent < budget; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      if (window.message[slot] === null || window.isLost[slot] === 0) continue;
      // another path than the one that lost it, if there is one
      if (this.#nextPath === window.path[slot])
        this.#nextPath = (this.#nextPath + 1) % paths.length;
      const path = this.#choosePath(now);
      if (path < 0) break;
      window.isLost[slot] = 0;
      window.lost--;
      counts.retransmittedPackets++;
      counts.retransmittedBytes += window.length[slot] as number;
      this.#transmit(psn, slot, path, now);
      sent++;
    }
    return sent;
  }

  /** Entry `i` of an ack; `tag` is that of the transmission which was answered. */
  answered(psn: number, status: number, pathIndex: number, tag: number, now: number): void {
    const slot = this.window.find(psn);
    const path = this.paths[pathIndex];
    if (slot < 0 || path === undefined) return;
    const isNewest = this.window.tag[slot] === tag && this.window.path[slot] === pathIndex;
    const rtt = isNewest ? now - (this.window.sentAt[slot] as number) : -1;
    path.answered(tag, rtt);
    this.#settle(slot, status, now);
  }

  /** The slot of a packet that was sent as this transmission or an earlier one, or -1. */
  find(psn: number): number {
    return this.window.find(psn);
  }

  /** Looks for packets that were overtaken by answered ones: to be called after answers. */
  detectLosses(): void {
    const { window } = this;
    if (window.outstanding === 0) return;
    for (let psn = window.oldest; psn !== window.next; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      if (window.message[slot] === null || window.isLost[slot] === 1) continue;
      const path = this.paths[window.path[slot] as number] as Path;
      const tag = window.tag[slot] as number;
      if (!path.isOvertaken(tag)) continue;
      path.lost(tag);
      path.inFlight--;
      window.markLost(slot);
    }
  }

  /** Time-outs and retries that are due; false: the peer has not answered for too long. */
  tick(now: number, patienceNs: number): boolean {
    const { window } = this;
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const { message, at } = this.#waiting[i] as { message: SrdMessage; at: number };
      if (at > now) continue;
      this.#waiting.splice(i, 1);
      this.#active.push(message);
    }
    if (window.outstanding === 0) return true;
    for (let psn = window.oldest; psn !== window.next; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      if (window.message[slot] === null) continue;
      if (now - (window.firstSentAt[slot] as number) >= patienceNs) return false;
      if (window.isLost[slot] === 1) continue;
      const path = this.paths[window.path[slot] as number] as Path;
      if (now - (window.sentAt[slot] as number) < path.rtoNs) continue;
      this.#host.counts.timeouts++;
      path.timedOut(now);
      if (path.badUntil > now) this.#host.counts.impaired++;
      this.#loseAll(window.path[slot] as number);
    }
    return true;
  }

  /** A path that timed out has lost all that was under way on it. */
  #loseAll(index: number): void {
    const { window } = this;
    for (let psn = window.oldest; psn !== window.next; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      if (window.message[slot] === null || window.path[slot] !== index) continue;
      window.markLost(slot);
    }
    (this.paths[index] as Path).inFlight = 0;
  }

  /** Ends everything that is under way with `status`. */
  fail(status: number): void {
    const { window } = this;
    for (let psn = window.oldest; psn !== window.next; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      const message = window.message[slot];
      if (message === null || message === undefined) continue;
      window.close(slot);
      message.inFlight--;
      this.#end(message, status);
    }
    for (const message of this.#active.splice(0)) this.#end(message, status);
    for (const { message } of this.#waiting.splice(0)) this.#end(message, status);
    for (const path of this.paths) path.reset();
  }

  /** Takes a message back: its owner is told nothing more of it. */
  cancel(message: SrdMessage): void {
    const { window } = this;
    for (let psn = window.oldest; psn !== window.next; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      if (window.message[slot] !== message) continue;
      this.#release(slot);
    }
    remove(this.#active, message);
    const waiting = this.#waiting.findIndex((entry) => entry.message === message);
    if (waiting >= 0) this.#waiting.splice(waiting, 1);
    message.isBusy = false;
  }

  /** When something is due next; Infinity: nothing is under way. */
  nextDueAt(now: number): number {
    const { window, paths } = this;
    let due = Infinity;
    for (const { at } of this.#waiting) due = Math.min(due, at);
    if (window.outstanding === 0) return due;
    // packets that are to be sent again wait for a path
    if (window.lost > 0)
      for (const { badUntil } of paths) due = Math.min(due, badUntil > now ? badUntil : Infinity);
    for (let psn = window.oldest; psn !== window.next; psn = (psn + 1) >>> 0) {
      const slot = window.slot(psn);
      if (window.message[slot] === null || window.isLost[slot] === 1) continue;
      const path = paths[window.path[slot] as number] as Path;
      return Math.min(due, (window.sentAt[slot] as number) + path.rtoNs);
    }
    return Math.min(due, now + minRtoNs);
  }

  #release(slot: number): void {
    const path = this.paths[this.window.path[slot] as number] as Path;
    if (this.window.isLost[slot] === 0) path.inFlight = Math.max(0, path.inFlight - 1);
    this.window.close(slot);
  }

  /** One packet was answered. */
  #settle(slot: number, status: number, now: number): void {
    const { window } = this;
    const message = window.message[slot] as SrdMessage;
    const offset = window.offset[slot] as number;
    this.#release(slot);
    message.inFlight--;
    if (status === SRD.remoteNotReady && this.#mayRetry(message)) {
      message.sent = offset;
      message.isSent = false;
      const delay = Math.min(maxRnrDelayNs, rnrDelayNs * 2 ** Math.min(6, message.rnrCount++));
      this.#waiting.push({ message, at: now + delay });
      return;
    }
    if (status !== SRD.ok && message.status === SRD.ok) message.status = status;
    if (message.inFlight > 0) return;
    if (message.isSent || message.status !== SRD.ok) {
      remove(this.#active, message);
      this.#finish(message);
    } else if (message.hasImm && !this.#active.includes(message)) this.#active.push(message);
  }

  #mayRetry({ rnrRetries, rnrCount, status }: SrdMessage): boolean {
    return status === SRD.ok && (rnrRetries === forEver || rnrCount < rnrRetries);
  }

  #end(message: SrdMessage, status: number): void {
    if (message.status === SRD.ok) message.status = status;
    this.#finish(message);
  }

  #finish(message: SrdMessage): void {
    if (message.inFlight > 0 || !message.isBusy) return;
    message.isBusy = false;
    this.#host.completed(message);
  }
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
