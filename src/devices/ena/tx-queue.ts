/**
 * One transmit submission queue: reads descriptors, gathers packets into a `Frame`, gives them to
 * the port and completes them. The frame's payload stays in the guest's buffers.
 */
import { COMPLETION_POLICY } from '../../defs/ena-admin.ts';
import { txDesc, txMetaDesc } from '../../defs/ena-io.ts';
import { bigCount } from '../../lib/big-count.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import { checksum, type Frame } from '../../net/frame.ts';
import type { BurstSender, SenderLoan } from '../../net/loans.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import { FrameGather, gathered } from '../common/frame-gather.ts';
import { PacedSender, type Sendable, type SenderHost } from '../common/paced-sender.ts';
import type { Settings } from './basic-features.ts';
import type { CompletionQueue } from './completion-queue.ts';
import type { DeviceTime } from './device-time.ts';
import type { FragmentLimit } from './fragment-limit.ts';
import { descriptorBytes, type EntryShape } from './llq.ts';
import { enaRules } from './rules.ts';
import type { EnaStats } from './stats.ts';

/** What a queue needs of the function it belongs to. */
export type QueueHost = SenderHost & {
  readonly memory: GuestMemory;
  readonly diagnostics: Diagnostics;
  readonly stats: EnaStats;
  /** The driver broke a rule that real hardware does not survive: everything stops. */
  fail(rule: Rule, detail: () => string): void;
  readonly settings: Settings;
  readonly time: DeviceTime;
  readonly fragments: FragmentLimit;
};

export type SubmissionQueueShape = {
  readonly index: number;
  readonly iova: number;
  readonly depth: number;
};

const descriptorWords = descriptorBytes / 4;
const D = txDesc.fields;
const bit = (field: { readonly lsb: number }): number => 1 << field.lsb;
/** In word 0: what tells a packet of one plain descriptor from all others. */
const SHAPE =
  bit(D.reserved22) |
  bit(D.meta_desc) |
  bit(D.phase) |
  bit(D.reserved1) |
  bit(D.first) |
  bit(D.last);
const WHOLE = bit(D.first) | bit(D.last);
const COMP_REQ = bit(D.comp_req);
/** In word 1. */
const TSO_EN = bit(D.tso_en);
const L3_CSUM_EN = bit(D.l3_csum_en);
const L4_CSUM_EN = bit(D.l4_csum_en);
const L4_CSUM_PARTIAL = bit(D.l4_csum_partial);
/** A lone one goes sooner by itself, unless it is to be cut up. */
const leastBurst = 2;
/** As much of each frame as is copied before it is judged: every header fits. */
const headBytes = 128;
export type TxQueueShape = SubmissionQueueShape & {
  readonly entry: EntryShape;
  /** COMPLETION_POLICY: when and how the driver hears that a packet was sent. */
  readonly policy: number;
  /** Where the head is written, for the policies that do so. */
  readonly headWriteback: number;
  readonly maxDescsPerPacket: number;
};

/** Ethernet header and one VLAN tag. */
export const l2Bytes = 18;

export class TxQueue implements Sendable, BurstSender {
  readonly shape: TxQueueShape;
  readonly cq: CompletionQueue;
  /** Sent since the queue was made. */
  packets: number = bigCount;
  bytes: number = bigCount;
  readonly #host: QueueHost;
  readonly #ring: GuestRing;
  readonly #entry: EntryShape;
  readonly #headWord: GuestRing;
  /** Where pushed headers are, when they have a ring of their own. */
  readonly #headers: GuestRing | null;
  readonly #desc = txDesc.create();
  readonly #meta = txMetaDesc.create();
  readonly #gather: FrameGather;
  readonly #headWords: Int32Array;
  readonly #sender: PacedSender;
  /** The driver hears of each packet, whether it asks for it or not. */
  readonly #completesAll: boolean;
  readonly #writesHead: boolean;
  /** Packets that are plain may go by the burst. */
  readonly #isPlain: boolean;
  /** Segment size and length of the headers, as the last meta descriptor stored them. */
  #mss = 0;
  #l3l4Bytes = 0;
  /** In entries, modulo 2^32: what was sent, and what the driver has posted. */
  #head = 0;
  #tail = 0;

  /** `memory` holds the ring: the guest's, or the device's own for a low-latency queue. */
  constructor(shape: TxQueueShape, memory: GuestMemory, cq: CompletionQueue, host: QueueHost) {
    this.packets = 0;
    this.bytes = 0;
    this.shape = shape;
    this.cq = cq;
    this.#host = host;
    this.#entry = shape.entry;
    this.#gather = new FrameGather(host.memory);
    this.#headWords = new Int32Array(this.#gather.frame.head.buffer);
    this.#sender = new PacedSender(this, host);
    const { policy } = shape;
    this.#completesAll = policy === COMPLETION_POLICY.DESC || policy === COMPLETION_POLICY.HEAD;
    this.#writesHead = policy >= COMPLETION_POLICY.HEAD_ON_DEMAND;
    this.#isPlain = shape.entry.headerBytes === 0 && !this.#writesHead;
    this.#ring = new GuestRing(memory, shape.iova, shape.depth, shape.entry.entryBytes, 'read');
    this.#headWord = new GuestRing(host.memory, shape.headWriteback, 1, 4, 'write');
    this.#headers = shape.entry.headerRing ? headerRing(shape, memory) : null;
  }

  /** Whether this is a low-latency queue. */
  get isInDevice(): boolean {
    return this.#entry.headerBytes > 0;
  }

  /** Whether the queue's rings lie in guest memory. */
  attach(): boolean {
    const hasHeaders = this.#headers === null || this.#headers.attach();
    return this.#ring.attach() && hasHeaders && (!this.#writesHead || this.#headWord.attach());
  }

  /** The driver's tail, 16 bits, free-running: sends every packet that is complete. */
  doorbell(tail: number): void {
    const posted = (tail - this.#head) & 0xffff;
    if (posted > this.shape.depth) {
      this.#host.fail(enaRules['doorbell-range'], () => `Tx queue ${this.shape.index}: ${tail}`);
      return;
    }
    const before = this.#tail;
    this.#tail = (this.#head + posted) | 0;
    const { maxBurstEntries } = this.#entry;
    const added = (this.#tail - before) | 0;
    if (maxBurstEntries > 0 && added > maxBurstEntries) {
      this.#host.fail(enaRules['tx-burst'], () => `${added} entries, at most ${maxBurstEntries}`);
      return;
    }
    this.#sender.kick();
  }

  /** Nothing more is sent. */
  close(): void {
    this.#sender.stop();
    this.#tail = this.#head;
  }

  ready(): boolean {
    if (this.#ring.attach() && this.cq.ring.attach()) return true;
    this.#host.fail(enaRules['sq-memory'], () => `Tx queue ${this.shape.index} was unmapped`);
    return false;
  }

  get pending(): boolean {
    return this.#head !== this.#tail;
  }

  turnEnds(): void {
    this.cq.flush();
  }

  sendBurst(most: number): number {
    const posted = (this.#tail - this.#head) | 0;
    const isWorthIt = posted >= leastBurst || this.#mss > 0;
    return this.#isPlain && isWorthIt ? this.#host.port.burst(this, most) : 0;
  }

  lend(loan: SenderLoan): boolean {
    const { memory, settings } = this.#host;
    const { ring } = loan;
    if (this.#ring.linearAt < 0 || settings.stampTx) return false;
    ring.descriptorsAt = this.#ring.linearAt;
    ring.depth = this.shape.depth;
    ring.head = this.#head;
    ring.tail = this.#tail;
    ring.index = this.shape.index;
    loan.memory = memory;
    loan.maxBytes = settings.mtu + l2Bytes;
    loan.completesAll = this.#completesAll;
    loan.maxPieces = this.shape.maxDescsPerPacket;
    loan.mss = this.#mss;
    loan.l3l4Bytes = this.#l3l4Bytes;
    return this.cq.lendTx(ring);
  }

  takeBack(loan: SenderLoan): void {
    const { stats } = this.#host;
    const { head, frames, bytes } = loan.ring;
    this.#head = head;
    this.#mss = loan.mss;
    this.#l3l4Bytes = loan.l3l4Bytes;
    stats.txPackets += frames;
    stats.txBytes += bytes;
    this.packets += frames;
    this.bytes += bytes;
    this.cq.takeBack(loan.ring, false);
  }

  /** False: the rest of the ring holds no complete packet, or the function has failed. */
  sendOne(): boolean {
    const at = this.#head;
    const ring = this.#ring;
    this.#gather.begin(headBytes);
    if (!this.#entry.cachesMeta) this.#forgetMeta();
    ring.pull(at);
    if (this.#entry.headerBytes > 0) return this.#sendAny();
    const { words } = ring;
    const wordAt = ring.at(at);
    const word0 = words[wordAt] as number;
    const word1 = words[wordAt + 1] as number;
    if ((word0 & SHAPE) !== (WHOLE | (ring.phase(at) << D.phase.lsb)) || (word1 & TSO_EN) !== 0)
      return this.#sendAny();
    const word3 = words[wordAt + 3] as number;
    const iova = (word3 & 0xffff) * 2 ** 32 + ((words[wordAt + 2] as number) >>> 0);
    const outcome = this.#gather.add(iova, word0 & 0xffff);
    if (outcome !== gathered.added) return this.#failBuffer(outcome, at);
    const { frame } = this.#gather;
    frame.offload = offloadOf(word1);
    this.#head = (at + 1) | 0;
    this.#transmit(frame);
    if (this.#completesAll || (word0 & COMP_REQ) !== 0) {
      const idHi = (word0 >>> D.req_id_hi.lsb) & 0x3f;
      this.#complete((idHi << 10) | (word1 >>> D.req_id_lo.lsb));
    }
    return true;
  }

  /** A packet of any shape. */
  #sendAny(): boolean {
    const { frame } = this.#gather;
    let requestId = 0;
    let wantsCompletion = 0;
    let tso = 0;
    let first = 1;
    let data = 0;
    let entryAt = this.#head;
    let slots = this.#entry.firstDescs;
    let slot = 0;
    for (let count = 1; entryAt !== this.#tail; count++) {
      if (count > this.shape.maxDescsPerPacket)
        return this.#fail(enaRules['tx-too-many-descs'], entryAt);
      if (slot === 0) this.#ring.pull(entryAt);
      const wordAt = this.#ring.at(entryAt) + slot * descriptorWords;
      const desc = this.#desc;
      desc.load(this.#ring.words, wordAt);
      const broken = this.#check(entryAt, first, data);
      if (broken !== null) return this.#fail(broken, entryAt);
      first = 0;
      const at = entryAt;
      if (++slot === slots) {
        entryAt = (entryAt + 1) | 0;
        slot = 0;
        slots = this.#entry.moreDescs;
      }
      if (desc.meta_desc === 1) {
        this.#takeMeta();
        if (desc.last === 0) continue;
        this.#head = (at + 1) | 0; // meta alone: nothing to send
        return true;
      }
      if (data === 0) {
        requestId = (desc.req_id_hi << 10) | desc.req_id_lo;
        tso = desc.tso_en;
        if (desc.l3_csum_en === 1) frame.offload |= checksum.ipv4;
        if (desc.l4_csum_en === 1)
          frame.offload |= desc.l4_csum_partial === 1 ? checksum.l4Partial : checksum.l4;
        if (!this.#takeHeader()) return this.#fail(enaRules['llq-header'], at);
      }
      wantsCompletion |= desc.comp_req;
      data++;
      if (!this.#addBuffer(at)) return false;
      if (desc.last === 0) continue;
      this.#head = (at + 1) | 0;
      if (tso === 1) {
        if (this.#mss === 0) return this.#fail(enaRules['tx-no-meta'], at);
        frame.mss = this.#mss;
      }
      this.#transmit(frame);
      if (this.#completesAll || wantsCompletion === 1) this.#complete(requestId);
      return true;
    }
    return false; // the rest of the packet has not been posted yet
  }

  /** Which rule the current descriptor breaks, or null. */
  #check(entryAt: number, first: number, data: number): Rule | null {
    const desc = this.#desc;
    if (desc.phase !== this.#ring.phase(entryAt)) return enaRules['tx-stale-phase'];
    if (desc.first !== first) return enaRules['tx-first-last'];
    if (desc.meta_desc === 1) return data > 0 ? enaRules['tx-first-last'] : null;
    return (desc.reserved22 | desc.reserved1) === 0 ? null : enaRules['tx-reserved'];
  }

  /** The header that was pushed for the packet, if the queue has room for one. */
  #takeHeader(): boolean {
    const { headerBytes, firstDescs } = this.#entry;
    if (headerBytes === 0) return true;
    const length = this.#desc.header_length;
    if (length > headerBytes) return false;
    const headers = this.#headers;
    const { words } = headers ?? this.#ring;
    const from =
      headers === null
        ? this.#ring.at(this.#head) + firstDescs * descriptorWords
        : headers.at(this.#head);
    for (let i = 0; i < (length + 3) >>> 2; i++) this.#headWords[i] = words[from + i] as number;
    const { frame } = this.#gather;
    frame.headLength = length;
    frame.length = length;
    return true;
  }

  /** The current descriptor, as the meta descriptor that it is. */
  #takeMeta(): void {
    const meta = this.#meta;
    meta.view(this.#desc);
    if (meta.ext_valid === 0) return;
    this.#mss = (meta.mss_hi << 10) | meta.mss_lo;
    this.#l3l4Bytes = meta.l3_hdr_len + 4 * meta.l4_hdr_len_in_words;
  }

  #forgetMeta(): void {
    this.#mss = 0;
    this.#l3l4Bytes = 0;
  }

  /** Adds the buffer of the current descriptor to the frame. */
  #addBuffer(at: number): boolean {
    const desc = this.#desc;
    const iova = desc.addr_hi * 2 ** 32 + desc.buff_addr_lo;
    const outcome = this.#gather.add(iova, desc.length);
    return outcome === gathered.added || this.#failBuffer(outcome, at);
  }

  #failBuffer(outcome: number, at: number): false {
    if (outcome === gathered.badAddress) return this.#fail(enaRules['tx-bad-address'], at);
    if (outcome === gathered.tooLong) return this.#fail(enaRules['tx-too-long'], at);
    return this.#fail(enaRules['tx-too-many-descs'], at);
  }

  #transmit(frame: Frame): void {
    const { stats, settings, port } = this.#host;
    const packetBytes = frame.mss === 0 ? frame.length - l2Bytes : frame.mss + this.#l3l4Bytes;
    const frames = frame.mss === 0 ? 1 : Math.ceil(frame.length / frame.mss);
    if (packetBytes > settings.mtu) {
      this.#sender.spend(frames, 0);
      this.#tellTooLong(packetBytes);
      return;
    }
    if (!this.#host.fragments.allows(frame, settings.fragBypass)) {
      this.#sender.spend(frames, 0);
      stats.txDrops++;
      return;
    }
    this.#sender.spend(frames, frame.length);
    stats.txPackets++;
    stats.txBytes += frame.length;
    this.packets++;
    this.bytes += frame.length;
    port.transmit(frame);
  }

  #tellTooLong(packetBytes: number): void {
    const { stats, settings, diagnostics } = this.#host;
    stats.txDrops++;
    diagnostics.refuse(enaRules['tx-too-long'], () => `${packetBytes} bytes, MTU ${settings.mtu}`);
  }

  #complete(requestId: number): void {
    if (this.#writesHead) {
      if (!this.#headWord.attach()) return;
      Atomics.store(this.#headWord.words, this.#headWord.at(0), this.#head & 0xffff);
      this.#headWord.push(0);
      this.cq.touch();
      return;
    }
    const { settings, time } = this.#host;
    if (settings.stampTx) time.read();
    this.cq.pushTx(requestId, this.shape.index, this.#head, settings.stampTx ? time : null);
  }

  #fail(rule: Rule, at: number): false {
    this.#host.fail(rule, () => `Tx queue ${this.shape.index}, descriptor ${at & 0xffff}`);
    return false;
  }
}

/** The checksums that word 1 of a packet's first descriptor asks for. */
function offloadOf(word1: number): number {
  const ipv4 = (word1 & L3_CSUM_EN) === 0 ? 0 : checksum.ipv4;
  if ((word1 & L4_CSUM_EN) === 0) return ipv4;
  return ipv4 | ((word1 & L4_CSUM_PARTIAL) === 0 ? checksum.l4 : checksum.l4Partial);
}

/** It follows the ring of descriptors. */
export const headersAt = ({ iova, depth, entry }: TxQueueShape): number =>
  iova + depth * entry.entryBytes;

const headerRing = (shape: TxQueueShape, memory: GuestMemory): GuestRing =>
  new GuestRing(memory, headersAt(shape), shape.depth, shape.entry.headerBytes, 'read');
