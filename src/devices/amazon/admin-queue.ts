/**
 * The admin queue pair of ENA and EFA: commands come in on the AQ, answers go out on the ACQ, both
 * rings of 64-byte entries in guest memory. The heads of commands and answers are the same in
 * `ena_admin_defs.h` and `efa_admin_defs.h`. This file knows rings and phases; what a command means
 * is its device's.
 */
import { ACQ_ENTRY_BYTES, AQ_ENTRY_BYTES, acqEntry, aqCommand } from '../../defs/ena-admin.ts';
import type { Diagnostics, Rule } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing, isRingDepth } from '../../pci/guest-ring.ts';

/** 16 words each: reads `command`, fills the answer's own words, returns a `STATUS`. */
export type CommandHandler = (command: Int32Array, answer: Int32Array) => number;

/** The device's own rules for the rings. */
export type AdminQueueRules = {
  readonly 'admin-queue-shape': Rule;
  readonly 'admin-queue-memory': Rule;
  readonly 'admin-doorbell': Rule;
  readonly 'admin-stale-phase': Rule;
};

const maxDepth = 1024;

export class AdminQueue {
  readonly #memory: GuestMemory;
  readonly #diagnostics: Diagnostics;
  readonly #rules: AdminQueueRules;
  readonly #handle: CommandHandler;
  readonly #command = new Int32Array(AQ_ENTRY_BYTES / 4);
  readonly #answer = new Int32Array(ACQ_ENTRY_BYTES / 4);
  readonly #head = aqCommand.create();
  readonly #entry = acqEntry.create();
  #aq: GuestRing | null = null;
  #acq: GuestRing | null = null;
  /** Commands consumed and answers written since the rings were set up. */
  #consumed = 0;
  #answered = 0;

  constructor(
    memory: GuestMemory,
    diagnostics: Diagnostics,
    rules: AdminQueueRules,
    handle: CommandHandler,
  ) {
    this.#memory = memory;
    this.#diagnostics = diagnostics;
    this.#rules = rules;
    this.#handle = handle;
  }

  /** Where the next answer goes, 16 bits, free-running. */
  get answerTail(): number {
    return this.#answered & 0xffff;
  }

  reset(): void {
    this.#aq = null;
    this.#acq = null;
    this.#consumed = 0;
    this.#answered = 0;
  }

  setCommands(iova: number, depth: number, entryBytes: number): void {
    this.#aq = this.#ring(iova, depth, entryBytes, 'read');
    this.#consumed = 0;
  }

  setAnswers(iova: number, depth: number, entryBytes: number): void {
    this.#acq = this.#ring(iova, depth, entryBytes, 'write');
    this.#answered = 0;
  }

  /** Runs the commands up to `tail`; true when there are new answers. */
  doorbell(tail: number): boolean {
    const aq = this.#aq;
    const acq = this.#acq;
    if (aq === null || acq === null || !aq.attach() || !acq.attach()) {
      this.#diagnostics.refuse(this.#rules['admin-queue-memory'], () => `doorbell ${tail}`);
      return false;
    }
    const posted = (tail - this.#consumed) & 0xffff;
    if (posted > aq.depth) {
      this.#diagnostics.refuse(
        this.#rules['admin-doorbell'],
        () => `tail ${tail} after head ${this.#consumed & 0xffff}, depth ${aq.depth}`,
      );
      return false;
    }
    let done = 0;
    while (done < posted && this.#runOne(aq, acq)) done++;
    return done > 0;
  }

  #runOne(aq: GuestRing, acq: GuestRing): boolean {
    const index = this.#consumed;
    aq.pull(index);
    const at = aq.at(index);
    for (let i = 0; i < aq.entryWords; i++) this.#command[i] = aq.words[at + i] as number;
    const head = this.#head;
    head.load(this.#command, 0);
    if (head.phase !== aq.phase(index)) {
      this.#diagnostics.refuse(this.#rules['admin-stale-phase'], () => `command ${index}`);
      return false;
    }
    this.#consumed = index + 1;
    this.#answer.fill(0);
    const status = this.#handle(this.#command, this.#answer);
    const entry = this.#entry;
    entry.load(this.#answer, 0);
    entry.command_id = head.command_id;
    entry.status = status;
    entry.sq_head_indx = this.#consumed;
    entry.phase = acq.phase(this.#answered);
    const to = acq.at(this.#answered);
    entry.store(acq.words, to);
    acq.push(this.#answered);
    this.#answered++;
    return true;
  }

  #ring(iova: number, depth: number, entryBytes: number, use: 'read' | 'write'): GuestRing | null {
    if (isRingDepth(depth, maxDepth) && entryBytes === AQ_ENTRY_BYTES)
      return new GuestRing(this.#memory, iova, depth, entryBytes, use);
    this.#diagnostics.refuse(
      this.#rules['admin-queue-shape'],
      () => `depth ${depth}, entries of ${entryBytes} bytes`,
    );
    return null;
  }
}
