/**
 * One receive queue: takes the buffers that the driver posted, copies frames into them and writes
 * their descriptors back (82599 datasheet, 7.1.5 to 7.1.10). A frame goes into as many buffers as it
 * takes; its header may go into one of its own.
 */
import {
  RX_ERROR,
  RX_LEGACY_ERROR,
  RX_STATUS,
  rxLegacyWriteBack,
  rxReadDesc,
  rxWriteBack,
} from '../../defs/ixgbevf-descs.ts';
import { DESCTYPE, RXDCTL, SRRCTL } from '../../defs/ixgbevf-regs.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import { ethernet } from '../../net/ethernet.ts';
import type { Frame } from '../../net/frame.ts';
import { R, type Reason } from '../../net/reasons.ts';
import { scatter } from '../common/frame-scatter.ts';
import { vlanTag } from './filters.ts';
import { type QueueHost, type RingRegisters, VfRing } from './queue-host.ts';
import { ixgbevfRules } from './rules.ts';
import { describePacket, splitAt } from './rx-split.ts';

const registers: RingRegisters = ['VFRDBAL', 'VFRDBAH', 'VFRDLEN', 'VFRDH'];
const descTypes: readonly number[] = Object.values(DESCTYPE);
const maxPacketKib = 16;
const maxHeaderUnits = 16;
/** The longest frame, in the smallest buffers. */
const maxBuffers = 16;

/** A hash with what it is of. */
export type Hashed = { readonly hash: number; readonly type: number };

export class RxQueue {
  readonly index: number;
  readonly #host: QueueHost;
  readonly #read = rxReadDesc.create();
  readonly #done = rxWriteBack.create();
  readonly #legacy = rxLegacyWriteBack.create();
  /** Null: switched off. */
  #ring: VfRing | null = null;
  /** It is on, and its settings or its memory are such that it receives nothing. */
  #hangs = false;
  #descType: number = DESCTYPE.ONE_BUFFER;
  #bufferBytes = 0;
  #headerBytes = 0;
  #unsignalled = false;

  /** Of the frame that is being received. */
  readonly #addresses = new Float64Array(maxBuffers);
  #headerAddress = 0;
  /** Bytes of a tag that is left out. */
  #strip = 0;
  #tag = -1;
  /** Bytes that go into the header buffer, the header's own length, and what that means. */
  #inHeader = 0;
  #headerLength = 0;
  #isSplit = false;
  #overflows = false;

  constructor(index: number, host: QueueHost) {
    this.index = index;
    this.#host = host;
  }

  get isOn(): boolean {
    return this.#ring !== null;
  }

  get head(): number {
    return this.#ring?.head ?? this.#host.register('VFRDH', this.index);
  }

  switchOn(): void {
    const control = this.#host.register('VFSRRCTL', this.index);
    this.#descType = (control >>> SRRCTL.DESCTYPE) & 7;
    this.#bufferBytes = (control & 31) * 1024;
    this.#headerBytes = ((control >>> SRRCTL.BSIZEHDR) & 63) * 64;
    this.#ring = new VfRing(this.#host, this.index, registers);
    this.#hangs = false;
    if (!descTypes.includes(this.#descType)) this.#hang(ixgbevfRules['rx-desc-type']);
    else if (!this.#sizesAreRight) this.#hang(ixgbevfRules['rx-buffer-size']);
  }

  switchOff(): void {
    this.#ring = null;
    this.#unsignalled = false;
  }

  /** VFRDT: buffers up to it may be filled. */
  doorbell(tail: number): void {
    if (this.#ring === null || this.#hangs || !this.#ring.moveTail(tail)) return;
    this.#host.port.drain(this.index);
  }

  flush(): void {
    if (!this.#unsignalled) return;
    this.#unsignalled = false;
    this.#host.interrupts.queueEvent(this.index, false);
  }

  /** Copies the frame into as many posted buffers as it takes; all or nothing. */
  receive(frame: Frame, hash: number, hashType: number): Reason {
    const ring = this.#ring;
    if (ring === null || this.#hangs) return R.rxDisabled;
    const available = ring.count;
    if (available === 0) return R.rxNoBuffer;
    if (!ring.attach()) return this.#fail(null);
    this.#plan(frame);
    const length = frame.length - this.#strip;
    const inPackets = length - this.#inHeader;
    const buffers = Math.max(1, Math.ceil(inPackets / this.#bufferBytes));
    if (buffers > maxBuffers || buffers >= ring.depth) return R.rxTooLong;
    if (buffers > available) return R.rxNoBuffer;
    this.#takeBuffers(ring, buffers);
    if (!this.#fill(frame, length)) return this.#fail(ixgbevfRules['rx-bad-address']);
    this.#writeBack(ring, frame, buffers, inPackets, hash, hashType);
    this.#unsignalled = true;
    return R.delivered;
  }

  get #sizesAreRight(): boolean {
    const packetFits = this.#bufferBytes > 0 && this.#bufferBytes <= maxPacketKib * 1024;
    const splits = this.#descType === DESCTYPE.SPLIT || this.#descType === DESCTYPE.SPLIT_ALWAYS;
    const headerFits = this.#headerBytes > 0 && this.#headerBytes <= maxHeaderUnits * 64;
    return packetFits && (headerFits || !splits);
  }

  /** What of the frame goes where. */
  #plan(frame: Frame): void {
    const host = this.#host;
    this.#tag = vlanTag(frame);
    const strips = this.#tag >= 0 && (host.register('VFRXDCTL', this.index) & RXDCTL.VME) !== 0;
    this.#strip = strips ? ethernet.tagBytes : 0;
    this.#inHeader = 0;
    this.#headerLength = 0;
    this.#isSplit = false;
    this.#overflows = false;
    if (this.#descType !== DESCTYPE.SPLIT && this.#descType !== DESCTYPE.SPLIT_ALWAYS) return;
    const found = splitAt(frame.headers, frame, host.register('VFPSRTYPE'));
    const always = this.#descType === DESCTYPE.SPLIT_ALWAYS;
    if (found === 0) {
      if (always) this.#inHeader = Math.min(this.#headerBytes, frame.length - this.#strip);
      this.#headerLength = this.#inHeader;
      return;
    }
    this.#headerLength = found - this.#strip;
    this.#isSplit = true;
    this.#overflows = this.#headerLength > this.#headerBytes;
    if (!this.#overflows) this.#inHeader = this.#headerLength;
    else if (always) this.#inHeader = this.#headerBytes;
  }

  #takeBuffers(ring: VfRing, buffers: number): void {
    const read = this.#read;
    for (let i = 0, at = ring.head; i < buffers; i++, at = ring.after(at)) {
      ring.ring.pull(at);
      read.load(ring.ring.words, ring.ring.at(at));
      this.#addresses[i] = read.PKT_ADDR_HI * 2 ** 32 + read.PKT_ADDR_LO;
      if (i === 0) this.#headerAddress = read.HDR_ADDR_HI * 2 ** 32 + read.HDR_ADDR_LO;
    }
  }

  #fill(frame: Frame, length: number): boolean {
    let from = this.#inHeader;
    if (from > 0 && !this.#put(this.#headerAddress, frame, 0, from)) return false;
    for (let i = 0; from < length; i++) {
      const part = Math.min(this.#bufferBytes, length - from);
      if (!this.#put(this.#addresses[i] as number, frame, from, part)) return false;
      from += part;
    }
    return true;
  }

  /** Bytes `from` .. `from + length` of the frame, counted without the tag that is left out. */
  #put(iova: number, frame: Frame, from: number, length: number): boolean {
    const { memory } = this.#host;
    const strip = this.#strip;
    const tagAt = ethernet.type;
    if (strip === 0 || from >= tagAt) return scatter(memory, iova, frame, from + strip, length);
    const before = Math.min(tagAt - from, length);
    if (!scatter(memory, iova, frame, from, before)) return false;
    if (before === length) return true;
    return scatter(memory, iova + before, frame, tagAt + strip, length - before);
  }

  #writeBack(
    ring: VfRing,
    frame: Frame,
    buffers: number,
    inPackets: number,
    hash: number,
    hashType: number,
  ): void {
    const done = this.#done;
    let left = inPackets;
    for (let i = 0; i < buffers; i++) {
      const at = ring.head;
      done.clear();
      done.STATUS = RX_STATUS.DD;
      done.PKT_LEN = Math.min(left, this.#bufferBytes);
      left -= done.PKT_LEN;
      done.RSS_TYPE = hashType;
      done.RSS_HASH = hash;
      if (i === 0) this.#describeHeader();
      if (i === buffers - 1) this.#describeEnd(frame);
      if (this.#descType === DESCTYPE.LEGACY) this.#storeLegacy(ring, at, i);
      else done.store(ring.ring.words, ring.ring.at(at));
      ring.ring.push(at);
      ring.head = ring.after(at);
    }
  }

  #describeHeader(): void {
    const done = this.#done;
    done.HDR_LEN = this.#headerLength;
    done.SPH = this.#isSplit ? 1 : 0;
    if (this.#overflows) done.ERRORS |= RX_ERROR.HBO;
  }

  #describeEnd(frame: Frame): void {
    const done = this.#done;
    done.STATUS |= RX_STATUS.EOP;
    describePacket(done, frame);
    if (this.#tag < 0) return;
    done.STATUS |= RX_STATUS.VP;
    if (this.#strip > 0) done.VLAN_TAG = this.#tag;
  }

  /** The same, in the older format. */
  #storeLegacy(ring: VfRing, at: number, i: number): void {
    const { STATUS, ERRORS, PKT_LEN, VLAN_TAG } = this.#done;
    const legacy = this.#legacy;
    legacy.clear();
    const address = this.#addresses[i] as number;
    legacy.BUFFER_LO = address % 2 ** 32;
    legacy.BUFFER_HI = Math.floor(address / 2 ** 32);
    legacy.LENGTH = PKT_LEN;
    legacy.STATUS = STATUS & 0xff;
    if ((ERRORS & RX_ERROR.L4E) !== 0) legacy.ERRORS |= RX_LEGACY_ERROR.L4E;
    if ((ERRORS & RX_ERROR.IPE) !== 0) legacy.ERRORS |= RX_LEGACY_ERROR.IPE;
    legacy.VLAN_TAG = VLAN_TAG;
    legacy.store(ring.ring.words, ring.ring.at(at));
  }

  /** Null: it was said already what is wrong. */
  #fail(rule: Rule | null): Reason {
    if (rule !== null) this.#hang(rule);
    this.#hangs = true;
    return R.rxBadAddress;
  }

  #hang(rule: Rule): void {
    const detail = (): string => `Rx queue ${this.index}, descriptor ${this.head}`;
    this.#host.diagnostics.refuse(rule, detail);
    this.#hangs = true;
  }
}
