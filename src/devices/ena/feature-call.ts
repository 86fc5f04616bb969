/** One GET_FEATURE or SET_FEATURE in progress: the command, its answer, and its control buffer. */
import { featureCmd, STATUS } from '../../defs/ena-admin.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { enaRules } from './rules.ts';

/** What a feature does; an absent verb is refused. Both return a `STATUS`. */
export type Feature = {
  get?(call: FeatureCall): number;
  set?(call: FeatureCall): number;
};

/** Anything that can be written as an answer. */
type Answer = { store(words: Int32Array, at: number): void };
type Command = { load(words: Int32Array, at: number): void };

export class FeatureCall {
  readonly head = featureCmd.create();
  readonly #memory: GuestMemory;
  readonly #diagnostics: Diagnostics;
  #command: Int32Array = new Int32Array(0);
  #answer: Int32Array = new Int32Array(0);

  constructor(memory: GuestMemory, diagnostics: Diagnostics) {
    this.#memory = memory;
    this.#diagnostics = diagnostics;
  }

  /** The 16 words of a command, and those of its answer. */
  begin(command: Int32Array, answer: Int32Array): void {
    this.#command = command;
    this.#answer = answer;
    this.head.load(command, 0);
  }

  /** The command in the form of its feature. */
  as<T extends Command>(command: T): T {
    command.load(this.#command, 0);
    return command;
  }

  answer(made: Answer): number {
    made.store(this.#answer, 0);
    return STATUS.SUCCESS;
  }

  refuse(rule: Rule, detail: () => string): number {
    this.#diagnostics.refuse(rule, detail);
    return STATUS.ILLEGAL_PARAMETER;
  }

  /** Bytes of the control buffer; 0: none. Linux calls it indirect, though it is not. */
  get controlLength(): number {
    const { head } = this;
    return (head.ctrl_data | head.ctrl_data_indirect) === 0 ? 0 : head.control_length;
  }

  /** The first `bytes` of the control buffer; null after a refusal. */
  readControl(bytes: number): Uint8Array | null {
    const control = new Uint8Array(bytes);
    if (this.controlLength >= bytes && this.#memory.read(this.#address, bytes, control, 0))
      return control;
    this.#refuseControl(bytes);
    return null;
  }

  /** False after a refusal. */
  writeControl(from: Uint8Array): boolean {
    const { length } = from;
    if (this.controlLength >= length && this.#memory.write(this.#address, from, 0, length))
      return true;
    this.#refuseControl(length);
    return false;
  }

  get #address(): number {
    return this.head.control_addr_hi * 2 ** 32 + this.head.control_addr_lo;
  }

  #refuseControl(bytes: number): void {
    this.refuse(
      enaRules['control-buffer'],
      () => `${bytes} bytes wanted, ${this.controlLength} at 0x${this.#address.toString(16)}`,
    );
  }
}

export const bytesOf = (words: Int32Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
