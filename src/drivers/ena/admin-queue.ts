/**
 * ENA's admin queue, driver's side: 64-byte commands in one ring, 64-byte completions in another,
 * each owned by a phase bit that flips at every wrap. Commands are made with the layouts of
 * `defs/ena-admin.ts`; nothing here looks at what they say, so that a test may send anything.
 * Follows `ena_com_submit_admin_cmd` and `ena_com_handle_admin_completion`.
 */
import { ACQ_ENTRY_BYTES, AQ_ENTRY_BYTES, acqEntry } from '../../defs/ena-admin.ts';
import type { DmaArena } from '../dma-arena.ts';
import type { EnaMmio } from './mmio.ts';

export const ENA_ADMIN_QUEUE_DEPTH = 32;

const words = AQ_ENTRY_BYTES >>> 2;

/** Any command record of `defs/ena-admin.ts`. */
export type AdminCommand = {
  command_id: number;
  phase: number;
  store(words: Int32Array, at: number): void;
};

export type AdminCompletion = {
  readonly commandId: number;
  readonly status: number;
  readonly extendedStatus: number;
  /** How far the device says it has consumed the admin queue. */
  readonly sqHead: number;
  /** A copy of the 16 words of the completion, for the response layouts. */
  readonly words: Int32Array;
};

export class AdminQueue {
  readonly depth: number;
  /** DMA addresses of the two rings. */
  readonly sqAddress: number;
  readonly cqAddress: number;
  /** Commands put into the ring, modulo 2^16: the doorbell's value. */
  tail = 0;
  phase = 1;
  /** A command was not answered in time since the rings were set up. */
  timedOut = false;
  readonly #mmio: EnaMmio;
  readonly #memory: Int32Array;
  readonly #sqWord: number;
  readonly #cqWord: number;
  readonly #entry = acqEntry.create();
  #nextId = 0;
  #head = 0;
  #cqPhase = 1;

  constructor(mmio: EnaMmio, arena: DmaArena, depth = ENA_ADMIN_QUEUE_DEPTH) {
    this.depth = depth;
    this.#mmio = mmio;
    this.#memory = arena.words;
    this.sqAddress = arena.alloc(depth * AQ_ENTRY_BYTES);
    this.cqAddress = arena.alloc(depth * ACQ_ENTRY_BYTES);
    this.#sqWord = arena.offset(this.sqAddress) >>> 2;
    this.#cqWord = arena.offset(this.cqAddress) >>> 2;
  }

  /** Empties both rings and tells the device where they are: once after each reset. */
  configure(): void {
    this.#memory.fill(0, this.#sqWord, this.#sqWord + this.depth * words);
    this.#memory.fill(0, this.#cqWord, this.#cqWord + this.depth * words);
    this.tail = 0;
    this.phase = 1;
    this.timedOut = false;
    this.#nextId = 0;
    this.#head = 0;
    this.#cqPhase = 1;
    this.#mmio.writeAddress('AQ_BASE_LO', 'AQ_BASE_HI', this.sqAddress);
    this.#mmio.writeAddress('ACQ_BASE_LO', 'ACQ_BASE_HI', this.cqAddress);
    this.#mmio.write('AQ_CAPS', this.depth | (AQ_ENTRY_BYTES << 16));
    this.#mmio.write('ACQ_CAPS', this.depth | (ACQ_ENTRY_BYTES << 16));
  }

  /** Puts a command into the ring, as its next id and phase, and rings the doorbell. */
  submit(command: AdminCommand): number {
    const id = this.#nextId;
    command.command_id = id;
    command.phase = this.phase;
    this.#nextId = (id + 1) & (this.depth - 1);
    this.put(command);
    this.ring();
    return id;
  }

  /** Puts a command into the ring just as it is. The doorbell is not rung. */
  put(command: AdminCommand): void {
    const slot = this.tail & (this.depth - 1);
    command.store(this.#memory, this.#sqWord + slot * words);
    this.tail = (this.tail + 1) & 0xffff;
    if ((this.tail & (this.depth - 1)) === 0) this.phase ^= 1;
  }

  ring(tail = this.tail): void {
    this.#mmio.write('AQ_DB', tail);
  }

  /** The next completion, or null when there is none. */
  poll(): AdminCompletion | null {
    const at = this.#cqWord + (this.#head & (this.depth - 1)) * words;
    const entry = this.#entry;
    entry.load(this.#memory, at);
    if (entry.phase !== this.#cqPhase) return null;
    this.#head = (this.#head + 1) & 0xffff;
    if ((this.#head & (this.depth - 1)) === 0) this.#cqPhase ^= 1;
    return {
      commandId: entry.command_id,
      status: entry.status,
      extendedStatus: entry.extended_status,
      sqHead: entry.sq_head_indx,
      words: this.#memory.slice(at, at + words),
    };
  }

  /**
   * Submits a command and waits for its completion. Null when none came in time; completions of
   * other commands are passed over.
   */
  execute(command: AdminCommand): AdminCompletion | null {
    const id = this.submit(command);
    let completion: AdminCompletion | null = null;
    const isAnswered = this.#mmio.untilAnswered(() => {
      completion = this.poll();
      return completion !== null && completion.commandId === id;
    });
    this.timedOut ||= !isAnswered;
    return completion;
  }
}
