/**
 * A receive queue, driver's side. `next` makes the queue itself the view of the next packet until it
 * is called again; `replenish` gives the device back what was used. Nothing is allocated per packet.
 */
import {
  descBytes,
  RX_STATUS,
  rxLegacyWriteBack,
  rxReadDesc,
  rxWriteBack,
} from '../../defs/ixgbevf-descs.ts';
import { DESCTYPE, RXDCTL, SRRCTL } from '../../defs/ixgbevf-regs.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';
import type { VfRegisters } from './registers.ts';

export type RxQueueSpec = {
  /** Descriptors: a multiple of 8. */
  readonly depth: number;
  /** Of each packet buffer: 1024 to 16384, in steps of 1024. */
  readonly bufferBytes: number;
  /** Of each header buffer: 64 to 1024, in steps of 64. */
  readonly headerBytes: number;
  readonly descType: keyof typeof DESCTYPE;
  readonly stripVlan: boolean;
};

const maxPieces = 18;

export class RxQueue {
  readonly index: number;
  readonly spec: RxQueueSpec;
  readonly address: number;
  readonly bufferAddress: number;
  readonly headerAddress: number;
  receivedFrames = 0;

  /** The current packet: its bytes, where they lie in the arena, and what the device says. */
  length = 0;
  pieces = 0;
  readonly starts = new Int32Array(maxPieces);
  readonly lengths = new Int32Array(maxPieces);
  /** Of the first piece, when it is a header. */
  headerLength = 0;
  isSplit = false;
  hash = 0;
  rssType = 0;
  packetType = 0;
  /** `RX_STATUS`, and `RX_ERROR` (legacy: `RX_LEGACY_ERROR`). */
  status = 0;
  errors = 0;
  vlan = 0;

  readonly #registers: VfRegisters;
  readonly #arena: DmaArena;
  readonly #read = rxReadDesc.create();
  readonly #done = rxWriteBack.create();
  readonly #legacy = rxLegacyWriteBack.create();
  #next = 0;
  #tail = 0;

  constructor(registers: VfRegisters, arena: DmaArena, index: number, spec: RxQueueSpec) {
    this.index = index;
    this.spec = spec;
    this.#registers = registers;
    this.#arena = arena;
    this.address = arena.alloc(spec.depth * descBytes);
    this.bufferAddress = arena.alloc(spec.depth * spec.bufferBytes);
    this.headerAddress = arena.alloc(spec.depth * spec.headerBytes);
  }

  /** In the order of `ixgbevf_configure_rx_ring`. */
  start(): void {
    const { index } = this;
    const registers = this.#registers;
    const { depth, bufferBytes, headerBytes, descType, stripVlan } = this.spec;
    registers.write('VFRXDCTL', 0, index);
    registers.write('VFRDBAL', addressLo(this.address), index);
    registers.write('VFRDBAH', addressHi(this.address), index);
    registers.write('VFRDLEN', depth * descBytes, index);
    registers.write('VFRDH', 0, index);
    registers.write('VFRDT', 0, index);
    const sizes = (bufferBytes / 1024) | ((headerBytes / 64) << SRRCTL.BSIZEHDR);
    const control = sizes | (DESCTYPE[descType] << SRRCTL.DESCTYPE) | SRRCTL.DROP_EN;
    registers.write('VFSRRCTL', control, index);
    this.#next = 0;
    this.#tail = 0;
    for (let i = 0; i < depth; i++) this.#post(i);
    registers.write('VFRXDCTL', RXDCTL.ENABLE | (stripVlan ? RXDCTL.VME : 0), index);
    this.#tail = depth - 1;
    registers.write('VFRDT', this.#tail, index);
  }

  stop(): void {
    this.#registers.write('VFRXDCTL', 0, this.index);
  }

  /** Whether there is another packet: then the fields describe it. */
  next(): boolean {
    this.pieces = 0;
    this.length = 0;
    this.headerLength = 0;
    let at = this.#next;
    for (;;) {
      if (at === this.#tail || !this.#load(at)) return false;
      if (this.pieces === 0 && this.#done.HDR_LEN > 0) this.#takeHeader(at);
      const start = this.#arena.offset(this.bufferAddress) + at * this.spec.bufferBytes;
      if (this.#done.PKT_LEN > 0) this.#piece(start, this.#done.PKT_LEN);
      at = (at + 1) % this.spec.depth;
      if ((this.#done.STATUS & RX_STATUS.EOP) !== 0) break;
      if (this.pieces >= maxPieces) return false;
    }
    this.#next = at;
    this.status = this.#done.STATUS;
    this.errors = this.#done.ERRORS;
    this.hash = this.#done.RSS_HASH;
    this.rssType = this.#done.RSS_TYPE;
    this.packetType = this.#done.PACKET_TYPE;
    this.vlan = this.#done.VLAN_TAG;
    this.receivedFrames++;
    return true;
  }

  /** Puts the current packet together; returns its length. */
  copy(into: Uint8Array, at: number): number {
    let to = at;
    for (let i = 0; i < this.pieces; i++) {
      const start = this.starts[i] as number;
      const length = this.lengths[i] as number;
      into.set(this.#arena.bytes.subarray(start, start + length), to);
      to += length;
    }
    return to - at;
  }

  /** Gives the device all buffers that were used. */
  replenish(): void {
    const { depth } = this.spec;
    const last = (this.#next + depth - 1) % depth;
    if (last === this.#tail) return;
    for (let at = this.#tail; at !== last; at = (at + 1) % depth) this.#post(at);
    this.#tail = last;
    this.#registers.write('VFRDT', last, this.index);
  }

  wordOf(index: number): number {
    return (this.#arena.offset(this.address) >>> 2) + index * 4;
  }

  #load(at: number): boolean {
    const { words } = this.#arena;
    const done = this.#done;
    const word = this.wordOf(at);
    if (this.spec.descType !== 'LEGACY') {
      done.load(words, word);
      return (done.STATUS & RX_STATUS.DD) !== 0;
    }
    const legacy = this.#legacy;
    legacy.load(words, word);
    done.clear();
    done.STATUS = legacy.STATUS;
    done.ERRORS = legacy.ERRORS;
    done.PKT_LEN = legacy.LENGTH;
    done.VLAN_TAG = legacy.VLAN_TAG;
    return (done.STATUS & RX_STATUS.DD) !== 0;
  }

  /** A header that did not fit is in the packet's buffer with the rest, or begins in its own. */
  #takeHeader(at: number): void {
    const { headerBytes, descType } = this.spec;
    this.headerLength = this.#done.HDR_LEN;
    this.isSplit = this.#done.SPH === 1;
    const overflows = this.headerLength > headerBytes;
    if (overflows && descType !== 'SPLIT_ALWAYS') return;
    const start = this.#arena.offset(this.headerAddress) + at * headerBytes;
    this.#piece(start, Math.min(this.headerLength, headerBytes));
  }

  #piece(start: number, length: number): void {
    this.starts[this.pieces] = start;
    this.lengths[this.pieces] = length;
    this.pieces++;
    this.length += length;
  }

  #post(at: number): void {
    const read = this.#read;
    const packet = this.bufferAddress + at * this.spec.bufferBytes;
    const header = this.headerAddress + at * this.spec.headerBytes;
    const splits = this.spec.descType === 'SPLIT' || this.spec.descType === 'SPLIT_ALWAYS';
    read.PKT_ADDR_LO = addressLo(packet);
    read.PKT_ADDR_HI = addressHi(packet);
    read.HDR_ADDR_LO = splits ? addressLo(header) : 0;
    read.HDR_ADDR_HI = splits ? addressHi(header) : 0;
    read.store(this.#arena.words, this.wordOf(at));
  }
}
