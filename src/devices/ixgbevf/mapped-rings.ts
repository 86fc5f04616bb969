/**
 * The registers of the rings as memory that the guest stores into without a trap, and the device
 * looks at: which of them have changed since. A tail only ever moves on, so what is overwritten
 * before it is seen is not missed; a ring that was moved is switched off and on again.
 */
import {
  ixgbevfRegisters,
  RXDCTL,
  VF_QUEUE_STRIDE,
  type VfRegister,
} from '../../defs/ixgbevf-regs.ts';
import { ringPages } from './pci-face.ts';
import type { VfBank } from './queue-host.ts';

/** What describes a ring, in the order in which it is taken over; then what switches it; its tail. */
const receive: readonly VfRegister[] = [
  ...(['VFRDBAL', 'VFRDBAH', 'VFRDLEN', 'VFRDH', 'VFSRRCTL', 'VFRXDCTL', 'VFRDT'] as const),
];
const transmit: readonly VfRegister[] = [
  ...(['VFTDBAL', 'VFTDBAH', 'VFTDLEN', 'VFTDH', 'VFTDWBAL', 'VFTDWBAH'] as const),
  ...(['VFTXDCTL', 'VFTDT'] as const),
];
/** What the device itself changes. */
const own: readonly VfRegister[] = [
  ...(['VFGPRC', 'VFGORC_LSB', 'VFGORC_MSB', 'VFMPRC'] as const),
  ...(['VFGPTC', 'VFGOTC_LSB', 'VFGOTC_MSB'] as const),
];
/** Changes of these, by themselves, are not news. */
const heads: readonly VfRegister[] = ['VFRDH', 'VFTDH'];
const { ENABLE } = RXDCTL;

const wordOf = (name: VfRegister, index = 0): number =>
  (ixgbevfRegisters.registers[name].offset + index * VF_QUEUE_STRIDE) >>> 2;

export class MappedRings {
  readonly #words: Int32Array;
  readonly #seen: Int32Array;
  readonly #bank: VfBank;
  readonly #queuePairs: number;

  /** `bytes`: BAR 0. */
  constructor(bytes: Uint8Array, bank: VfBank, queuePairs: number) {
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    this.#seen = new Int32Array(this.#words.length);
    this.#bank = bank;
    this.#queuePairs = queuePairs;
    this.reset();
  }

  /** The registers were reset: so is what the guest sees of them. */
  reset(): void {
    const { offset, sizeBytes } = ringPages;
    for (let at = offset; at < offset + sizeBytes; at += 4) {
      const known = this.#bank.nameAt(at) !== undefined;
      this.#words[at >>> 2] = known ? this.#bank.read32(at) : 0;
      this.#seen[at >>> 2] = this.#words[at >>> 2] as number;
    }
  }

  static covers(offset: number): boolean {
    return offset >= ringPages.offset && offset < ringPages.offset + ringPages.sizeBytes;
  }

  read(offset: number): number {
    return (this.#words[offset >>> 2] as number) >>> 0;
  }

  /** A client that has not mapped the pages stores by messages. */
  write(offset: number, value: number): void {
    this.#words[offset >>> 2] = value;
  }

  /** Whether the guest has a receive queue on at this moment. */
  receives(queue: number): boolean {
    return ((this.#words[wordOf('VFRXDCTL', queue)] as number) & ENABLE) !== 0;
  }

  /** Takes over what has changed; true when something had. */
  poll(): boolean {
    let any = false;
    for (let queue = 0; queue < this.#queuePairs; queue++) {
      if (this.#take(transmit, queue)) any = true;
      if (this.#take(receive, queue)) any = true;
    }
    if (any) this.#publish();
    return any;
  }

  #take(names: readonly VfRegister[], queue: number): boolean {
    if (!this.#hasChanged(names, queue)) return false;
    const control = names.at(-2) as VfRegister;
    const at = wordOf(control, queue);
    const moved = this.#hasMoved(names, queue);
    const isOn = (this.#seen[at] as number) & ENABLE;
    if (moved && isOn !== 0) this.#bank.write32(at * 4, 0);
    for (const name of names) {
      const word = wordOf(name, queue);
      const value = this.#words[word] as number;
      this.#seen[word] = value;
      this.#bank.write32(word * 4, value >>> 0);
    }
    return true;
  }

  #hasChanged(names: readonly VfRegister[], queue: number): boolean {
    for (const name of names) {
      const word = wordOf(name, queue);
      if (this.#words[word] !== this.#seen[word] && !heads.includes(name)) return true;
    }
    return false;
  }

  /** Address or length. */
  #hasMoved(names: readonly VfRegister[], queue: number): boolean {
    for (let i = 0; i < 3; i++) {
      const word = wordOf(names[i] as VfRegister, queue);
      if (this.#words[word] !== this.#seen[word]) return true;
    }
    return false;
  }

  /** Shows heads and statistics as they are now. */
  #publish(): void {
    for (const name of own) this.#show(name, 0);
    for (let queue = 0; queue < this.#queuePairs; queue++)
      for (const name of heads) this.#show(name, queue);
  }

  #show(name: VfRegister, index: number): void {
    const word = wordOf(name, index);
    this.#words[word] = this.#bank.read32(word * 4);
    this.#seen[word] = this.#words[word] as number;
  }
}
