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

/** What describes a ring, address and length first; its switch and its tail last. */
const receive: readonly VfRegister[] = [
  ...(['VFRDBAL', 'VFRDBAH', 'VFRDLEN', 'VFSRRCTL', 'VFRXDCTL', 'VFRDT'] as const),
];
const transmit: readonly VfRegister[] = [
  ...(['VFTDBAL', 'VFTDBAH', 'VFTDLEN', 'VFTDWBAL', 'VFTDWBAH', 'VFTXDCTL', 'VFTDT'] as const),
];
/** What drivers write before they switch a ring on, and the device from then on. */
const heads: readonly VfRegister[] = ['VFRDH', 'VFTDH'];
/** What the device itself changes. */
const counters: readonly VfRegister[] = [
  ...(['VFGPRC', 'VFGORC_LSB', 'VFGORC_MSB', 'VFMPRC'] as const),
  ...(['VFGPTC', 'VFGOTC_LSB', 'VFGOTC_MSB'] as const),
];
/** Registers that say where a ring is. */
const placing = 3;

const wordOf = (name: VfRegister, index = 0): number =>
  (ixgbevfRegisters.registers[name].offset + index * VF_QUEUE_STRIDE) >>> 2;

/** One ring's registers, as words of BAR 0. */
type RingWords = {
  readonly words: Int32Array;
  readonly control: number;
  readonly head: number;
};

export class MappedRings {
  readonly #words: Int32Array;
  readonly #seen: Int32Array;
  readonly #bank: VfBank;
  readonly #rings: readonly RingWords[];
  /** Of the receive rings. */
  readonly #switches: Int32Array;
  readonly #counters = Int32Array.from(counters, (name) => wordOf(name));

  /** `bytes`: BAR 0. */
  constructor(bytes: Uint8Array, bank: VfBank, queuePairs: number) {
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    this.#seen = new Int32Array(this.#words.length);
    this.#bank = bank;
    const all = Array.from({ length: queuePairs }, (_, queue) => queue);
    this.#switches = Int32Array.from(all, (queue) => wordOf('VFRXDCTL', queue));
    this.#rings = [transmit, receive].flatMap((names, i) =>
      all.map((queue) => ({
        words: Int32Array.from(names, (name) => wordOf(name, queue)),
        control: wordOf(names.at(-2) as VfRegister, queue),
        head: wordOf(heads[1 - i] as VfRegister, queue),
      })),
    );
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
    const word = this.#switches[queue] as number;
    return ((this.#words[word] as number) & RXDCTL.ENABLE) !== 0;
  }

  /** Takes over what has changed, and shows how far the device is; true when something had. */
  poll(): boolean {
    let any = false;
    for (let i = 0; i < this.#rings.length; i++) {
      const ring = this.#rings[i] as RingWords;
      if (this.#hasChanged(ring.words, ring.words.length)) {
        this.#take(ring);
        any = true;
      }
      if (((this.#seen[ring.control] as number) & RXDCTL.ENABLE) !== 0) this.#show(ring.head);
    }
    if (any) for (let i = 0; i < counters.length; i++) this.#show(this.#counters[i] as number);
    return any;
  }

  #hasChanged(words: Int32Array, count: number): boolean {
    for (let i = 0; i < count; i++) {
      const word = words[i] as number;
      if (this.#words[word] !== this.#seen[word]) return true;
    }
    return false;
  }

  #take({ words, control, head }: RingWords): void {
    const isOn = ((this.#seen[control] as number) & RXDCTL.ENABLE) !== 0;
    if (isOn && this.#hasChanged(words, placing)) this.#bank.write32(control * 4, 0);
    if (!isOn) this.#bank.write32(head * 4, (this.#words[head] as number) >>> 0);
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as number;
      const value = this.#words[word] as number;
      this.#seen[word] = value;
      this.#bank.write32(word * 4, value >>> 0);
    }
  }

  #show(word: number): void {
    this.#words[word] = this.#bank.read32(word * 4);
  }
}
