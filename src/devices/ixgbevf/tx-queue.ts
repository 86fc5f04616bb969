/**
 * One transmit queue: reads legacy, context and data descriptors, gathers packets, has done to them
 * what they ask for, gives them to the port and writes back that they were sent. A queue whose
 * driver breaks a rule hangs, as the card does, until it is switched off and on again.
 */
import { TX_DD, TX_DTYP, TX_WB_WORD, txDataDesc, txLegacyDesc } from '../../defs/ixgbevf-descs.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import { ethernet } from '../../net/ethernet.ts';
import { type Frame, maxHeadBytes } from '../../net/frame.ts';
import { finishPartial } from '../../net/offload.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { FrameGather, gathered } from '../common/frame-gather.ts';
import { PacedSender, type Sendable } from '../common/paced-sender.ts';
import { vlanId, vlanTag } from './filters.ts';
import { type QueueHost, type RingRegisters, VfRing } from './queue-host.ts';
import { ixgbevfRules } from './rules.ts';
import { insertTag, TxContext } from './tx-offload.ts';

/** Every header of an ordinary frame fits. */
const ordinaryHeadBytes = 128;
/** What may be copied: a tag has to find room behind it. */
const maxCopiedBytes = maxHeadBytes - ethernet.tagBytes;
const maxDescs = 40;
/** The frame did not get as far as the wire. */
const unsent: readonly Reason[] = [
  ...[R.spoofedSource, R.linkDown, R.txBadOffload, R.txTooLong, R.runt],
];
const registers: RingRegisters = ['VFTDBAL', 'VFTDBAH', 'VFTDLEN', 'VFTDH'];

export class TxQueue implements Sendable {
  readonly index: number;
  readonly #host: QueueHost;
  readonly #gather: FrameGather;
  readonly #sender: PacedSender;
  readonly #contexts = [new TxContext(), new TxContext()] as const;
  readonly #data = txDataDesc.create();
  readonly #legacy = txLegacyDesc.create();
  /** Null: switched off. */
  #ring: VfRing | null = null;
  #hangs = false;
  /** Something was written back that no interrupt has told of. */
  #unsignalled = false;
  /** Of the current packet: which descriptors it has, and which of them want to be written back. */
  readonly #places = new Int32Array(maxDescs);
  readonly #reports = new Uint8Array(maxDescs);
  #count = 0;
  /** Of its first descriptor. */
  #isLegacy = false;
  #context: TxContext;
  #wantsIpv4Sum = false;
  #wantsL4Sum = false;
  #wantsSegments = false;
  #payloadBytes = 0;
  #tag = -1;

  constructor(index: number, host: QueueHost) {
    this.index = index;
    this.#host = host;
    this.#gather = new FrameGather(host.memory);
    this.#sender = new PacedSender(this, host);
    this.#context = this.#contexts[0];
  }

  get isOn(): boolean {
    return this.#ring !== null;
  }

  get head(): number {
    return this.#ring?.head ?? this.#host.register('VFTDH', this.index);
  }

  switchOn(): void {
    this.#ring = new VfRing(this.#host, this.index, registers);
    this.#hangs = false;
    for (const context of this.#contexts) context.clear();
  }

  switchOff(): void {
    this.#sender.stop();
    this.#ring = null;
    this.#unsignalled = false;
  }

  /** VFTDT. */
  doorbell(tail: number): void {
    const ring = this.#ring;
    if (ring === null || this.#hangs || !ring.moveTail(tail)) return;
    this.#sender.kick();
  }

  ready(): boolean {
    return this.#ring?.attach() ?? false;
  }

  get pending(): boolean {
    return this.#ring !== null && !this.#hangs && this.#ring.head !== this.#ring.tail;
  }

  turnEnds(): void {
    if (!this.#unsignalled) return;
    this.#unsignalled = false;
    this.#host.interrupts.queueEvent(this.index, true);
  }

  sendOne(): boolean {
    const ring = this.#ring;
    if (ring === null) return false;
    this.#count = 0;
    let at = ring.head;
    while (at !== ring.tail) {
      ring.ring.pull(at);
      this.#data.load(ring.ring.words, ring.ring.at(at));
      const isContext = this.#data.DEXT === 1 && this.#data.DTYP === TX_DTYP.CONTEXT;
      if (isContext) {
        if (this.#count > 0) return this.#hang(ixgbevfRules['tx-context-inside'], at);
        this.#takeContext();
        at = ring.after(at);
        ring.head = at;
        continue;
      }
      if (this.#count === maxDescs) return this.#hang(ixgbevfRules['tx-too-many-descs'], at);
      const broken = this.#count === 0 ? this.#begin() : this.#goOn();
      if (broken !== null) return this.#hang(broken, at);
      this.#places[this.#count] = at;
      this.#reports[this.#count] = this.#data.RS;
      this.#count++;
      if (!this.#addBuffer(at)) return false;
      const isLast = this.#data.EOP === 1;
      at = ring.after(at);
      if (isLast) return this.#finish(ring, at);
    }
    return false; // the rest of the packet has not been posted yet
  }

  #takeContext(): void {
    const context = this.#contexts[this.#data.IDX & 1] as TxContext;
    context.desc.view(this.#data);
  }

  /** The packet's first descriptor: it says what is to be done. Returns the rule that it breaks. */
  #begin(): Rule | null {
    const data = this.#data;
    this.#isLegacy = data.DEXT === 0;
    this.#wantsIpv4Sum = false;
    this.#wantsL4Sum = false;
    this.#wantsSegments = false;
    this.#tag = -1;
    if (this.#isLegacy) {
      this.#gather.begin(maxCopiedBytes);
      return null;
    }
    if (data.DTYP !== TX_DTYP.DATA) return ixgbevfRules['tx-type'];
    if (data.IPSEC === 1) return ixgbevfRules['tx-ipsec'];
    const context = this.#contexts[data.IDX & 1] as TxContext;
    this.#context = context;
    this.#wantsIpv4Sum = data.IXSM === 1;
    this.#wantsL4Sum = data.TXSM === 1;
    this.#wantsSegments = data.TSE === 1;
    this.#payloadBytes = data.PAYLEN;
    if (data.VLE === 1) this.#tag = context.desc.VLAN;
    const offloads = this.#wantsIpv4Sum || this.#wantsL4Sum || this.#wantsSegments;
    const needed = offloads ? context.neededBytes : 0;
    this.#gather.begin(Math.min(maxCopiedBytes, Math.max(ordinaryHeadBytes, needed)));
    return null;
  }

  #goOn(): Rule | null {
    const data = this.#data;
    if ((data.DEXT === 0) !== this.#isLegacy) return ixgbevfRules['tx-mixed-types'];
    return this.#isLegacy || data.DTYP === TX_DTYP.DATA ? null : ixgbevfRules['tx-type'];
  }

  #addBuffer(at: number): boolean {
    const data = this.#data;
    const iova = data.ADDRESS_HI * 2 ** 32 + data.ADDRESS_LO;
    const outcome = this.#gather.add(iova, data.DTALEN);
    if (outcome === gathered.added) return true;
    if (outcome === gathered.badAddress) return this.#hang(ixgbevfRules['tx-bad-address'], at);
    if (outcome === gathered.tooLong) return this.#hang(ixgbevfRules['tx-too-long'], at);
    return this.#hang(ixgbevfRules['tx-too-many-descs'], at);
  }

  /** The packet is complete; `next` is where the one after it begins. */
  #finish(ring: VfRing, next: number): boolean {
    const { frame } = this.#gather;
    if (!this.#isLegacy) {
      const expected = this.#wantsSegments
        ? frame.length - this.#context.headerBytes
        : frame.length;
      if (expected !== this.#payloadBytes) return this.#hang(ixgbevfRules['tx-paylen'], ring.head);
    }
    ring.head = next;
    if (frame.length > 0) {
      const broken = this.#isLegacy ? this.#legacyOffload(frame) : this.#offload(frame);
      if (broken === null) this.#transmit(frame);
      else this.#refuse(broken, next);
    }
    this.#sender.spend(1, 0);
    this.#writeBack(ring);
    return true;
  }

  /** The last legacy descriptor says where a sum begins and goes, and what tag is wanted. */
  #legacyOffload(frame: Frame): Rule | null {
    const legacy = this.#legacy;
    legacy.view(this.#data);
    if (legacy.VLE === 1) this.#tag = legacy.VLAN;
    if (legacy.IC === 0) return null;
    const done = finishPartial(frame, legacy.CSS, legacy.CSO);
    return done ? null : ixgbevfRules['tx-checksum-place'];
  }

  #offload(frame: Frame): Rule | null {
    const context = this.#context;
    if (this.#wantsSegments) return context.segment(frame);
    const broken = this.#wantsIpv4Sum ? context.insertIpv4Sum(frame) : null;
    if (broken !== null || !this.#wantsL4Sum) return broken;
    return context.insertL4Sum(frame);
  }

  #transmit(frame: Frame): void {
    const { parent, port, stats } = this.#host;
    const segments = frame.mss === 0 ? 1 : Math.max(1, Math.ceil(this.#payloadBytes / frame.mss));
    const tag = parent.portTag >= 0 ? parent.portTag : this.#tag;
    if (tag >= 0 && frame.headLength >= ethernet.bytes) insertTag(frame, tag);
    this.#sender.spend(segments, frame.length);
    if (parent.settings.spoofCheck && this.#isForeignVlan(frame)) return;
    const headers = frame.mss === 0 ? 0 : frame.length - this.#payloadBytes;
    const bytes = frame.length + (segments - 1) * headers;
    const verdict = port.transmit(frame);
    if (!unsent.includes(verdict)) stats.sent(segments, bytes);
  }

  /** Whether the frame is tagged for a VLAN that the function is no member of. */
  #isForeignVlan(frame: Frame): boolean {
    const tag = vlanTag(frame);
    if (tag < 0 || this.#host.parent.parts.filters.hasVlan(vlanId(tag))) return false;
    this.#host.diagnostics.refuse(
      ixgbevfRules['tx-vlan-spoof'],
      () => `queue ${this.index}: VLAN ${vlanId(tag)}`,
    );
    return true;
  }

  /** In each descriptor that asked for it, or the head in one place for all. */
  #writeBack(ring: VfRing): void {
    let any = 0;
    for (let i = 0; i < this.#count; i++) any |= this.#reports[i] as number;
    if (any === 0) return;
    this.#unsignalled = true;
    const low = this.#host.register('VFTDWBAL', this.index);
    if ((low & 1) !== 0) {
      this.#writeHead(ring.head, low);
      return;
    }
    const { words } = ring.ring;
    for (let i = 0; i < this.#count; i++) {
      if (this.#reports[i] === 0) continue;
      const at = this.#places[i] as number;
      Atomics.store(words, ring.ring.at(at) + TX_WB_WORD, TX_DD);
      ring.ring.push(at);
    }
  }

  #writeHead(head: number, low: number): void {
    const iova = this.#host.register('VFTDWBAH', this.index) * 2 ** 32 + (low >>> 2) * 4;
    const range = this.#host.memory.range(iova, 4, 'write');
    if (range === null) {
      this.#refuse(ixgbevfRules['tx-head-memory'], head);
      return;
    }
    Atomics.store(range.words, range.base, head);
    range.push(0, 1);
  }

  #refuse(rule: Rule, at: number): void {
    this.#host.diagnostics.refuse(rule, () => `Tx queue ${this.index}, descriptor ${at}`);
  }

  /** Nothing more is sent; the driver sees that its head does not move. */
  #hang(rule: Rule, at: number): false {
    this.#refuse(rule, at);
    this.#hangs = true;
    return false;
  }
}
