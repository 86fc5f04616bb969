/**
 * Register reads without reading, as ENA and EFA have them: the driver stores a request id and an
 * offset to MMIO_REG_READ, and the device answers in guest memory, the word with the id last.
 */
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import type { RegisterBank, Registers } from '../../lib/registers.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';

export type ReadlessRules = {
  readonly 'readless-address': Rule;
  readonly 'bad-register': Rule;
};

export class Readless<R extends Registers> {
  readonly #registers: RegisterBank<R>;
  readonly #memory: GuestMemory;
  readonly #diagnostics: Diagnostics;
  readonly #rules: ReadlessRules;

  constructor(
    registers: RegisterBank<R>,
    memory: GuestMemory,
    diagnostics: Diagnostics,
    rules: ReadlessRules,
  ) {
    this.#registers = registers;
    this.#memory = memory;
    this.#diagnostics = diagnostics;
    this.#rules = rules;
  }

  /** `request`: 15:0 request id, 31:16 register offset. `iova`: where the answer goes. */
  answer(request: number, iova: number): void {
    const offset = request >>> 16;
    // A reset forgets the address; zero is none, and would be some page of the guest's.
    const range = iova === 0 ? null : this.#memory.range(iova, 8, 'write');
    if (range === null) {
      this.#diagnostics.refuse(this.#rules['readless-address'], () => hex(iova));
      return;
    }
    if (this.#registers.nameAt(offset) === undefined)
      this.#diagnostics.refuse(this.#rules['bad-register'], () => `readless ${hex(offset)}`);
    range.words[range.base + 1] = offset % 4 === 0 ? this.#registers.read32(offset) : 0;
    range.push(1, 1);
    Atomics.store(range.words, range.base, (request & 0xffff) | (offset << 16));
    range.push(0, 1);
  }
}

const hex = (value: number): string => `0x${value.toString(16)}`;
