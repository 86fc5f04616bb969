/** The admin commands by opcode. Rings and phases are `devices/amazon/admin-queue.ts`. */
import { aqCommand, numberCmd, numberResp, OPCODE, STATUS } from '../../defs/efa-admin.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import type { Trace } from '../../lib/trace.ts';
import { commandLine } from '../amazon/command-names.ts';
import type { AddressHandle, AddressHandles } from './address-handles.ts';
import type { CompletionQueues } from './completion-queues.ts';
import type { EventQueues } from './event-queues.ts';
import type { Features } from './features.ts';
import type { MemoryRegions } from './memory-regions.ts';
import type { Numbers } from './numbers.ts';
import type { EfaProfile } from './profile.ts';
import type { QueuePairs } from './queue-pairs.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';
import type { Statistics } from './statistics.ts';

const line = commandLine(OPCODE, STATUS);

export type CommandParts = {
  readonly profile: EfaProfile;
  readonly pds: Numbers;
  readonly uars: Numbers;
  readonly eqs: EventQueues;
  readonly cqs: CompletionQueues;
  readonly qps: QueuePairs;
  readonly regions: MemoryRegions;
  readonly handles: AddressHandles;
  readonly features: Features;
  readonly statistics: Statistics;
  readonly refusals: Refusals;
  readonly trace: Trace | null;
  /** An address handle is gone: what is under way to it is over. */
  readonly onHandleGone: (handle: AddressHandle) => void;
};

export class Commands {
  readonly #parts: CommandParts;
  readonly #head = aqCommand.create();
  readonly #number = numberCmd.create();
  readonly #numberAnswer = numberResp.create();

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
    const { qps, cqs, eqs, regions, handles, features, statistics, pds, uars } = this.#parts;
    switch (opcode) {
      case OPCODE.CREATE_QP:
        return qps.create(command, answer);
      case OPCODE.MODIFY_QP:
        return qps.modify(command);
      case OPCODE.QUERY_QP:
        return qps.query(command, answer);
      case OPCODE.DESTROY_QP:
        return qps.destroy(command);
      case OPCODE.CREATE_AH:
        return handles.create(command, answer);
      case OPCODE.DESTROY_AH:
        return handles.destroy(command, this.#parts.onHandleGone);
      case OPCODE.REG_MR:
        return regions.register(command, answer);
      case OPCODE.DEREG_MR:
        return regions.deregister(command);
      case OPCODE.CREATE_CQ:
        return cqs.create(command, answer);
      case OPCODE.DESTROY_CQ:
        return cqs.destroy(command);
      case OPCODE.GET_FEATURE:
        return features.get(command, answer);
      case OPCODE.SET_FEATURE:
        return features.set(command);
      case OPCODE.GET_STATS:
        return statistics.get(command, answer);
      case OPCODE.ALLOC_PD:
        return this.#allocate(pds, efaRules['pd-limit'], answer);
      case OPCODE.DEALLOC_PD:
        return this.#free(pds, efaRules['pd-unknown'], efaRules['pd-in-use'], command);
      case OPCODE.ALLOC_UAR:
        return this.#allocate(uars, efaRules['uar-limit'], answer);
      case OPCODE.DEALLOC_UAR:
        return this.#free(uars, efaRules['uar-unknown'], efaRules['uar-in-use'], command);
      case OPCODE.CREATE_EQ:
        return eqs.create(command, answer);
      case OPCODE.DESTROY_EQ:
        return eqs.destroy(command);
      case OPCODE.ALLOC_MR:
        if (this.#parts.profile.fastRegistration) return regions.allocate(command, answer);
    }
    this.#parts.refusals.illegal(efaRules['unknown-opcode'], () => `opcode ${opcode}`);
    return opcode === OPCODE.ALLOC_MR ? STATUS.UNSUPPORTED_OPCODE : STATUS.BAD_OPCODE;
  }

  #allocate(numbers: Numbers, limit: Rule, answer: Int32Array): number {
    const number = numbers.allocate();
    if (number < 0) return this.#parts.refusals.full(limit, () => 'all are taken');
    const made = this.#numberAnswer;
    made.clear();
    made.number = number;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  #free(numbers: Numbers, unknown: Rule, inUse: Rule, command: Int32Array): number {
    this.#number.load(command, 0);
    const { number } = this.#number;
    if (!numbers.has(number)) return this.#parts.refusals.illegal(unknown, () => `${number}`);
    if (numbers.isUsed(number)) return this.#parts.refusals.busy(inUse, () => `${number}`);
    numbers.free(number);
    return STATUS.SUCCESS;
  }
}
