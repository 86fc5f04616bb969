/** The admin commands by opcode. Rings and phases are `admin-queue.ts`. */
import { aqCommand, OPCODE, STATUS } from '../../defs/ena-admin.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { Trace } from '../../lib/trace.ts';
import { commandLine } from '../amazon/command-names.ts';
import type { Features } from './features.ts';
import type { Queues } from './queues.ts';
import { enaRules } from './rules.ts';
import type { Statistics } from './statistics.ts';

const line = commandLine(OPCODE, STATUS);

export type CommandParts = {
  readonly queues: Queues;
  readonly features: Features;
  readonly statistics: Statistics;
  readonly diagnostics: Diagnostics;
  readonly trace: Trace | null;
};

export class Commands {
  readonly #parts: CommandParts;
  readonly #head = aqCommand.create();

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** Runs one command of 16 words; fills the answer's own words and returns its `STATUS`. */
  run(command: Int32Array, answer: Int32Array): number {
    this.#head.load(command, 0);
    const { opcode } = this.#head;
    const status = this.#dispatch(opcode, command, answer);
    const { trace, features } = this.#parts;
    trace?.(() => line(opcode, status, () => features.nameOf(command)));
    return status;
  }

  #dispatch(opcode: number, command: Int32Array, answer: Int32Array): number {
    const { queues, features, statistics, diagnostics } = this.#parts;
    switch (opcode) {
      case OPCODE.CREATE_SQ:
        return queues.createSq(command, answer);
      case OPCODE.DESTROY_SQ:
        return queues.destroySq(command);
      case OPCODE.CREATE_CQ:
        return queues.createCq(command, answer);
      case OPCODE.DESTROY_CQ:
        return queues.destroyCq(command);
      case OPCODE.GET_FEATURE:
        return features.get(command, answer);
      case OPCODE.SET_FEATURE:
        return features.set(command, answer);
      case OPCODE.GET_STATS:
        return statistics.get(command, answer);
      default:
        diagnostics.refuse(enaRules['unknown-opcode'], () => `opcode ${opcode}`);
        return STATUS.BAD_OPCODE;
    }
  }
}
