/** What the queues of a function need of it, and the ring that each of them has. */
import { descBytes } from '../../defs/ixgbevf-descs.ts';
import type { ixgbevfRegisters, VfRegister } from '../../defs/ixgbevf-regs.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { RegisterBank } from '../../lib/registers.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing } from '../../pci/guest-ring.ts';
import type { SenderHost } from '../common/paced-sender.ts';
import type { VfInterrupts } from './interrupts.ts';
import type { Parent } from './parent.ts';
import { ixgbevfRules } from './rules.ts';
import type { VfStats } from './stats.ts';

export type VfBank = RegisterBank<(typeof ixgbevfRegisters)['registers']>;

export type QueueHost = SenderHost & {
  readonly memory: GuestMemory;
  readonly diagnostics: Diagnostics;
  readonly interrupts: VfInterrupts;
  readonly parent: Parent;
  readonly stats: VfStats;
  /** A register as it is now. */
  register(name: VfRegister, index?: number): number;
};

/** Registers of a ring: address low and high, length, head. */
export type RingRegisters = readonly [VfRegister, VfRegister, VfRegister, VfRegister];

const minDescriptors = 8;

/**
 * A ring with its head and tail, as the registers described it when its queue was switched on.
 * Descriptors from head to tail are the device's. Nothing of it is believed before it is used.
 */
export class VfRing {
  readonly depth: number;
  readonly ring: GuestRing;
  head: number;
  tail: number;
  readonly #host: QueueHost;
  readonly #name: string;

  constructor(host: QueueHost, index: number, registers: RingRegisters) {
    const [low, high, length, head] = registers;
    const iova = host.register(high, index) * 2 ** 32 + host.register(low, index);
    this.depth = Math.floor(host.register(length, index) / descBytes);
    this.ring = new GuestRing(host.memory, iova, this.depth, descBytes, 'both');
    this.head = host.register(head, index) % Math.max(1, this.depth);
    this.tail = this.head;
    this.#host = host;
    this.#name = `${low}[${index}] 0x${iova.toString(16)}, ${this.depth} descriptors`;
  }

  /** The driver's tail; false: it, or the ring, cannot be. */
  moveTail(tail: number): boolean {
    if (this.depth < minDescriptors) return this.#refuse('ring-length', tail);
    if (tail >= this.depth) return this.#refuse('ring-tail', tail);
    this.tail = tail;
    return true;
  }

  /** Finds the ring in memory; false: it is not, or no longer, there. */
  attach(): boolean {
    return this.ring.attach() || this.#refuse('ring-memory', this.tail);
  }

  /** Descriptors that the device has. */
  get count(): number {
    const count = this.tail - this.head;
    return count < 0 ? count + this.depth : count;
  }

  after(at: number): number {
    return at + 1 === this.depth ? 0 : at + 1;
  }

  #refuse(rule: 'ring-length' | 'ring-tail' | 'ring-memory', tail: number): false {
    this.#host.diagnostics.refuse(ixgbevfRules[rule], () => `${this.#name}, tail ${tail}`);
    return false;
  }
}
