/**
 * A transmit queue, driver's side: frames are copied into buffers of the queue's own, with a context
 * descriptor in front where the device is to do something. `kick` moves the tail, `reap` takes back
 * what has been sent. Nothing is allocated per frame.
 */
import {
  descBytes,
  TX_DD,
  TX_DTYP,
  TX_L4T,
  TX_WB_WORD,
  txContextDesc,
  txDataDesc,
  txLegacyDesc,
} from '../../defs/ixgbevf-descs.ts';
import { TXDCTL } from '../../defs/ixgbevf-regs.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import type { VfRegisters } from './registers.ts';

/** What the device is to do to a frame; lengths are those of its headers. */
export type TxOffload = {
  readonly macBytes: number;
  readonly ipBytes: number;
  readonly l4Bytes?: number;
  readonly isIpv6?: boolean;
  readonly ipv4Sum?: boolean;
  /** Fill in this protocol's sum: the pseudo-header's stands there. */
  readonly l4Sum?: keyof typeof TX_L4T;
  /** Cut into TCP segments with so much payload. */
  readonly mss?: number;
};

export type TxOptions = {
  readonly offload?: TxOffload;
  /** A tag to insert. */
  readonly vlan?: number;
  /** In the legacy format: no offload but a plain sum. */
  readonly legacy?: boolean;
  /** Legacy: sum from here, put it there. */
  readonly sum?: { readonly from: number; readonly at: number };
};

export type TxQueueSpec = {
  /** Descriptors: a multiple of 8. */
  readonly depth: number;
  /** Bytes of the buffer that each of them has. */
  readonly bufferBytes: number;
};

const plain: TxOptions = {};

export class TxQueue {
  readonly index: number;
  readonly spec: TxQueueSpec;
  readonly address: number;
  readonly bufferAddress: number;
  /** Where the device writes its head, when `start` was told so. */
  readonly headAddress: number;
  tail = 0;
  sentFrames = 0;
  completedFrames = 0;
  readonly #registers: VfRegisters;
  readonly #arena: DmaArena;
  readonly #context = txContextDesc.create();
  readonly #data = txDataDesc.create();
  readonly #legacy = txLegacyDesc.create();
  /** The oldest descriptor in flight; per last descriptor of a packet, how many it has. */
  #clean = 0;
  readonly #lengths: Uint16Array;
  #used = 0;
  #writesHead = false;

  constructor(registers: VfRegisters, arena: DmaArena, index: number, spec: TxQueueSpec) {
    this.index = index;
    this.spec = spec;
    this.#registers = registers;
    this.#arena = arena;
    this.address = arena.alloc(spec.depth * descBytes);
    this.bufferAddress = arena.alloc(spec.depth * spec.bufferBytes);
    this.headAddress = arena.alloc(64);
    this.#lengths = new Uint16Array(spec.depth);
  }

  /** In the order of `ixgbevf_configure_tx_ring`. */
  start(options: { readonly writesHead?: boolean } = {}): void {
    const { index } = this;
    const registers = this.#registers;
    const { depth } = this.spec;
    const first = this.#arena.offset(this.address) >>> 2;
    this.#arena.words.fill(0, first, first + depth * 4);
    this.tail = 0;
    this.#clean = 0;
    this.#used = 0;
    this.#writesHead = options.writesHead ?? false;
    registers.write('VFTXDCTL', TXDCTL.SWFLSH, index);
    registers.write('VFTDBAL', addressLo(this.address), index);
    registers.write('VFTDBAH', addressHi(this.address), index);
    registers.write('VFTDLEN', depth * descBytes, index);
    registers.write('VFTDWBAL', this.#writesHead ? addressLo(this.headAddress) | 1 : 0, index);
    registers.write('VFTDWBAH', this.#writesHead ? addressHi(this.headAddress) : 0, index);
    registers.write('VFTDH', 0, index);
    registers.write('VFTDT', 0, index);
    registers.write('VFTXDCTL', TXDCTL.ENABLE | (32 << 8) | 1, index);
  }

  stop(): void {
    this.#registers.write('VFTXDCTL', TXDCTL.SWFLSH, this.index);
  }

  get room(): number {
    return this.spec.depth - 1 - this.#used;
  }

  /** Copies a frame; false when there is no room now. */
  send(bytes: Uint8Array, at: number, length: number, options: TxOptions = plain): boolean {
    const { bufferBytes } = this.spec;
    const { offload, vlan, legacy = false } = options;
    const hasContext = !legacy && (offload !== undefined || vlan !== undefined);
    const buffers = Math.max(1, Math.ceil(length / bufferBytes));
    const needed = buffers + (hasContext ? 1 : 0);
    if (needed > this.room) {
      this.reap();
      if (needed > this.room) return false;
    }
    if (hasContext) this.#putContext(offload, vlan ?? 0);
    for (let i = 0; i < buffers; i++) {
      const from = i * bufferBytes;
      const part = Math.min(bufferBytes, length - from);
      const address = this.bufferAddress + this.tail * bufferBytes;
      const to = this.#arena.offset(address);
      this.#arena.bytes.set(bytes.subarray(at + from, at + from + part), to);
      const isLast = i === buffers - 1;
      if (isLast) this.#lengths[this.tail] = needed;
      if (legacy) this.#putLegacy(address, part, isLast, options);
      else this.#putData(address, part, isLast, length, options);
    }
    this.sentFrames++;
    return true;
  }

  /** Four words of any kind, as the next descriptor. */
  put(words: readonly number[]): void {
    const at = this.wordOf(this.tail);
    for (const [i, word] of words.entries()) this.#arena.words[at + i] = word;
    this.#advance();
  }

  kick(): void {
    this.#registers.write('VFTDT', this.tail, this.index);
  }

  /** Takes back what has been sent; returns how many packets. */
  reap(): number {
    let count = 0;
    for (let next = this.#lastOfOldest(); next >= 0 && this.#isDone(next); count++) {
      const length = this.#lengths[next] as number;
      this.#lengths[next] = 0;
      this.#used -= length;
      this.#clean = (this.#clean + length) % this.spec.depth;
      next = this.#lastOfOldest();
    }
    this.completedFrames += count;
    return count;
  }

  /** The index in the arena's words of a descriptor. */
  wordOf(index: number): number {
    return (this.#arena.offset(this.address) >>> 2) + index * 4;
  }

  #isDone(index: number): boolean {
    if (!this.#writesHead)
      return ((this.#arena.words[this.wordOf(index) + TX_WB_WORD] as number) & TX_DD) !== 0;
    const { depth } = this.spec;
    const head = this.#arena.words[this.#arena.offset(this.headAddress) >>> 2] as number;
    const done = (head - this.#clean + depth) % depth;
    return (index - this.#clean + depth) % depth < done;
  }

  #lastOfOldest(): number {
    for (let i = 0, at = this.#clean; i < this.#used; i++, at = (at + 1) % this.spec.depth)
      if (this.#lengths[at] !== 0) return at;
    return -1;
  }

  #putContext(offload: TxOffload | undefined, vlan: number): void {
    const context = this.#context;
    context.clear();
    context.MACLEN = offload?.macBytes ?? 14;
    context.IPLEN = offload?.ipBytes ?? 0;
    context.VLAN = vlan;
    context.IPV4 = offload?.isIpv6 === true ? 0 : 1;
    context.L4T = TX_L4T[offload?.l4Sum ?? 'TCP'];
    context.DTYP = TX_DTYP.CONTEXT;
    context.DEXT = 1;
    context.L4LEN = offload?.l4Bytes ?? 0;
    context.MSS = offload?.mss ?? 0;
    context.store(this.#arena.words, this.wordOf(this.tail));
    this.#advance();
  }

  #putData(address: number, part: number, isLast: boolean, length: number, o: TxOptions): void {
    const { offload, vlan } = o;
    const data = this.#data;
    const mss = offload?.mss ?? 0;
    data.clear();
    data.ADDRESS_LO = addressLo(address);
    data.ADDRESS_HI = addressHi(address);
    data.DTALEN = part;
    data.DTYP = TX_DTYP.DATA;
    data.DEXT = 1;
    data.IFCS = 1;
    data.EOP = isLast ? 1 : 0;
    data.RS = isLast ? 1 : 0;
    data.VLE = vlan === undefined ? 0 : 1;
    data.TSE = mss > 0 ? 1 : 0;
    data.CC = offload === undefined && vlan === undefined ? 0 : 1;
    data.IXSM = offload?.ipv4Sum === true ? 1 : 0;
    data.TXSM = offload?.l4Sum === undefined ? 0 : 1;
    const headers = (offload?.macBytes ?? 0) + (offload?.ipBytes ?? 0) + (offload?.l4Bytes ?? 0);
    data.PAYLEN = mss > 0 ? length - headers : length;
    data.store(this.#arena.words, this.wordOf(this.tail));
    this.#advance();
  }

  #putLegacy(address: number, part: number, isLast: boolean, { vlan, sum }: TxOptions): void {
    const legacy = this.#legacy;
    legacy.clear();
    legacy.ADDRESS_LO = addressLo(address);
    legacy.ADDRESS_HI = addressHi(address);
    legacy.LENGTH = part;
    legacy.EOP = isLast ? 1 : 0;
    legacy.IFCS = 1;
    legacy.RS = isLast ? 1 : 0;
    if (vlan !== undefined) {
      legacy.VLE = 1;
      legacy.VLAN = vlan;
    }
    if (sum !== undefined) {
      legacy.IC = 1;
      legacy.CSS = sum.from;
      legacy.CSO = sum.at;
    }
    legacy.store(this.#arena.words, this.wordOf(this.tail));
    this.#advance();
  }

  #advance(): void {
    this.tail = (this.tail + 1) % this.spec.depth;
    this.#used++;
  }
}
