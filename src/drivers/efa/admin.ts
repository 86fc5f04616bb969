/**
 * EFA's registers and admin queue, driver's side: readless register reads, the reset handshake, commands
 * in one ring and answers in another. Follows `efa_com.c` of the public Linux driver.
 */
import { AENQ_ENTRY_BYTES, AQ_ENTRY_BYTES, acqEntry, STATUS } from '../../defs/efa-admin.ts';
import { DEV_CTL, DEV_STS, efaRegisters } from '../../defs/efa-regs.ts';
import type { Fields, Layout, Record32 } from '../../lib/layout.ts';
import type { PciFunction } from '../../pci/function.ts';
import { addressHi, addressLo, type DmaArena } from '../dma-arena.ts';

type RegisterName = keyof typeof efaRegisters.registers;

const depth = 32;
const eventDepth = 16;
const registerBar = 0;
const words = AQ_ENTRY_BYTES / 4;
const statusNames = Object.keys(STATUS);

/** A command that was answered by something else than SUCCESS. */
export class EfaAdminError extends Error {
  readonly status: number;

  constructor(what: string, status: number) {
    super(`${what}: ${statusNames[status] ?? (status < 0 ? 'no answer' : status)}`);
    this.status = status;
  }
}

/** Any command record of `defs/efa-admin.ts`. */
export type Command = {
  command_id: number;
  opcode: number;
  phase: number;
  store(words: Int32Array, at: number): void;
};

export class EfaAdmin {
  readonly function: PciFunction;
  readonly arena: DmaArena;
  /** Events so far, by group. */
  readonly events = new Map<number, number>();
  readonly #response: number;
  readonly #aq: number;
  readonly #acq: number;
  readonly #aenq: number;
  readonly #answer = acqEntry.create();
  #sequence = 0;
  #posted = 0;
  #answered = 0;
  #consumed = 0;

  constructor(fn: PciFunction, arena: DmaArena) {
    this.function = fn;
    this.arena = arena;
    this.#response = arena.alloc(64, 64);
    this.#aq = arena.alloc(depth * AQ_ENTRY_BYTES);
    this.#acq = arena.alloc(depth * AQ_ENTRY_BYTES);
    this.#aenq = arena.alloc(eventDepth * AENQ_ENTRY_BYTES);
  }

  write(name: RegisterName, value: number): void {
    this.function.write(registerBar, efaRegisters.registers[name].offset, 4, value >>> 0);
  }

  /** A readless read; throws when no answer came. */
  read(name: RegisterName): number {
    const { offset } = efaRegisters.registers[name];
    const at = this.arena.offset(this.#response) >>> 2;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.arena.words[at] = ~this.#sequence;
    this.write('MMIO_REG_READ', ((offset << 16) | this.#sequence) >>> 0);
    const answer = this.arena.words[at] as number;
    if (answer >>> 0 !== ((offset << 16) | this.#sequence) >>> 0)
      throw new Error(`register ${name} was not read`);
    return (this.arena.words[at + 1] as number) >>> 0;
  }

  reset(reason = 0): void {
    this.#setResponse();
    if ((this.read('DEV_STS') & DEV_STS.ready) === 0) throw new Error('the device is not ready');
    this.write('DEV_CTL', DEV_CTL.reset | (reason << 28));
    this.#setResponse();
    if ((this.read('DEV_STS') & DEV_STS.resetInProgress) === 0)
      throw new Error('the reset did not begin');
    this.write('DEV_CTL', 0);
    if ((this.read('DEV_STS') & DEV_STS.resetInProgress) !== 0)
      throw new Error('the reset did not end');
  }

  #setResponse(): void {
    this.#address('MMIO_RESP_LO', 'MMIO_RESP_HI', this.#response);
  }

  /** Rings for commands, answers and events, all of them empty. */
  configure(): void {
    const { arena } = this;
    for (const [address, entries] of [
      [this.#aq, depth],
      [this.#acq, depth],
      [this.#aenq, eventDepth],
    ] as const) {
      const at = arena.offset(address) >>> 2;
      arena.words.fill(0, at, at + entries * words);
    }
    this.#posted = 0;
    this.#answered = 0;
    this.#consumed = 0;
    this.#address('AQ_BASE_LO', 'AQ_BASE_HI', this.#aq);
    this.write('AQ_CAPS', depth | (AQ_ENTRY_BYTES << 16));
    this.#address('ACQ_BASE_LO', 'ACQ_BASE_HI', this.#acq);
    this.write('ACQ_CAPS', depth | (AQ_ENTRY_BYTES << 16));
    this.write('INTR_MASK', 0);
    this.#address('AENQ_BASE_LO', 'AENQ_BASE_HI', this.#aenq);
    this.write('AENQ_CAPS', eventDepth | (AENQ_ENTRY_BYTES << 16));
    this.write('AENQ_CONS_DB', 0);
  }

  #address(lo: RegisterName, hi: RegisterName, address: number): void {
    this.write(lo, addressLo(address));
    this.write(hi, addressHi(address));
  }

  /** Counts what the device has reported. */
  pollEvents(): void {
    const { arena } = this;
    for (let seen = 0; seen < eventDepth; seen++) {
      const at = (arena.offset(this.#aenq) >>> 2) + (this.#consumed % eventDepth) * words;
      const phase = (this.#consumed & eventDepth) === 0 ? 1 : 0;
      if (((arena.words[at + 1] as number) & 1) !== phase) break;
      const group = (arena.words[at] as number) & 0xffff;
      this.events.set(group, (this.events.get(group) ?? 0) + 1);
      this.#consumed++;
    }
    this.write('AENQ_CONS_DB', this.#consumed);
  }

  /** Runs a command; its status, or -1 without answer. The answer's words are `answerAt`. */
  submit(opcode: number, command: Command): number {
    const { arena } = this;
    const at = (arena.offset(this.#aq) >>> 2) + (this.#posted % depth) * words;
    command.opcode = opcode;
    command.command_id = this.#posted & 0xfff;
    command.phase = (this.#posted & depth) === 0 ? 1 : 0;
    command.store(arena.words, at);
    this.#posted++;
    this.write('AQ_PROD_DB', this.#posted & 0xffff);
    this.#answer.load(arena.words, this.answerAt(this.#answered));
    const phase = (this.#answered & depth) === 0 ? 1 : 0;
    if (this.#answer.phase !== phase) return -1;
    this.#answered++;
    return this.#answer.status;
  }

  /** The word at which the answer to the last command begins. */
  get lastAnswer(): number {
    return this.answerAt(this.#answered - 1);
  }

  answerAt(index: number): number {
    return (this.arena.offset(this.#acq) >>> 2) + (index % depth) * words;
  }

  /** Runs a command; throws an EfaAdminError unless it succeeds. */
  run<F extends Fields>(
    what: string,
    opcode: number,
    command: Command,
    answer: Layout<F>,
  ): Record32<F> {
    const status = this.submit(opcode, command);
    if (status !== STATUS.SUCCESS) throw new EfaAdminError(what, status);
    const made = answer.create();
    made.load(this.arena.words, this.lastAnswer);
    return made;
  }
}
