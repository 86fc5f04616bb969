/**
 * Completion queues: each is some sub completion queues, rings of their own in one piece of guest
 * memory, with entries of 4 or 8 words. A queue that was armed reports its next completion to its
 * event queue, once.
 */
import { createCqCmd, createCqResp, destroyCqCmd, STATUS } from '../../defs/efa-admin.ts';
import type { ioCdescEx } from '../../defs/efa-io.ts';
import { CQ_DB_ARM, CQ_DB_CONSUMER_INDEX } from '../../defs/efa-regs.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import { GuestRing, isRingDepth } from '../../pci/guest-ring.ts';
import { cqDoorbell, maxCqs } from './bar.ts';
import type { EventQueues } from './event-queues.ts';
import type { Numbers } from './numbers.ts';
import type { EfaProfile } from './profile.ts';
import type { Refusals } from './refusals.ts';
import { efaRules } from './rules.ts';

const pow32 = 2 ** 32;
const smallWords = 4;
const largeWords = 8;

/** One completion, as it is written. */
export type Completion = ReturnType<typeof ioCdescEx.create>;

export class CompletionQueue {
  readonly index: number;
  readonly uar: number;
  /** Event queue, or -1. */
  readonly eqn: number;
  readonly sourceAddress: boolean;
  readonly entryWords: number;
  /** Queue pairs that complete to it. */
  users = 0;
  readonly #rings: readonly GuestRing[];
  readonly #written: Uint32Array;
  readonly #events: EventQueues;
  #armed = false;
  #total = 0;
  #nextSub = 0;

  constructor(shape: CqShape, memory: GuestMemory, events: EventQueues) {
    const { index, uar, eqn, sourceAddress, entryWords, iova, depth, subCqs } = shape;
    this.index = index;
    this.uar = uar;
    this.eqn = eqn;
    this.sourceAddress = sourceAddress;
    this.entryWords = entryWords;
    const ringBytes = depth * entryWords * 4;
    this.#rings = Array.from({ length: subCqs }, (_, i) => {
      return new GuestRing(memory, iova + i * ringBytes, depth, entryWords * 4, 'write');
    });
    this.#written = new Uint32Array(subCqs);
    this.#events = events;
  }

  attach(): boolean {
    return this.#rings.every((ring) => ring.attach());
  }

  /** The sub completion queue for another queue: they take turns. */
  assign(): number {
    const sub = this.#nextSub;
    this.#nextSub = (sub + 1) % this.#rings.length;
    return sub;
  }

  /** Writes a completion; the word with the phase last. */
  push(sub: number, entry: Completion): void {
    const ring = this.#rings[sub] as GuestRing;
    if (!ring.attach()) return;
    const index = this.#written[sub] as number;
    const at = ring.at(index);
    const { words } = ring;
    entry.phase = ring.phase(index);
    if (this.entryWords === largeWords) entry.store(words, at);
    else storeSmall(entry, words, at);
    ring.push(index);
    this.#written[sub] = index + 1;
    this.#total++;
    if (!this.#armed) return;
    this.#armed = false;
    this.#events.report(this.eqn, this.index);
  }

  /**
   * The driver's doorbell. Where the guest does not wait for our answer (`isPosted`), completions may
   * have come between its store and now, which it will not look for: they count.
   */
  doorbell(value: number, isPosted: boolean): void {
    if ((value & CQ_DB_ARM) === 0 || this.eqn < 0) return;
    const isBehind = (this.#total & CQ_DB_CONSUMER_INDEX) !== (value & CQ_DB_CONSUMER_INDEX);
    this.#armed = !(isPosted && isBehind);
    if (!this.#armed) this.#events.report(this.eqn, this.index);
  }
}

/** The first four words of an entry. */
const scratch = new Int32Array(largeWords);
function storeSmall(entry: Completion, words: Int32Array, at: number): void {
  entry.store(scratch, 0);
  for (let i = 1; i < smallWords; i++) words[at + i] = scratch[i] as number;
  Atomics.store(words, at, scratch[0] as number);
}

type CqShape = {
  readonly index: number;
  readonly uar: number;
  readonly eqn: number;
  readonly sourceAddress: boolean;
  readonly entryWords: number;
  readonly iova: number;
  readonly depth: number;
  readonly subCqs: number;
};

export class CompletionQueues {
  readonly #queues: (CompletionQueue | null)[] = new Array<CompletionQueue | null>(maxCqs).fill(
    null,
  );
  readonly #memory: GuestMemory;
  readonly #profile: EfaProfile;
  readonly #events: EventQueues;
  readonly #uars: Numbers;
  readonly #refusals: Refusals;
  readonly #create = createCqCmd.create();
  readonly #answer = createCqResp.create();
  readonly #destroy = destroyCqCmd.create();

  constructor(
    memory: GuestMemory,
    profile: EfaProfile,
    events: EventQueues,
    uars: Numbers,
    refusals: Refusals,
  ) {
    this.#memory = memory;
    this.#profile = profile;
    this.#events = events;
    this.#uars = uars;
    this.#refusals = refusals;
  }

  reset(): void {
    this.#queues.fill(null);
  }

  get(index: number): CompletionQueue | null {
    return this.#queues[index] ?? null;
  }

  create(command: Int32Array, answer: Int32Array): number {
    const cmd = this.#create;
    cmd.load(command, 0);
    const refused = this.#check();
    if (refused !== null) return this.#refusals.illegal(refused[0], () => refused[1]);
    const index = this.#queues.indexOf(null);
    if (index < 0) return this.#refusals.full(efaRules['cq-limit'], () => `${maxCqs} exist`);
    const iova = cmd.cq_ba_hi * pow32 + cmd.cq_ba_lo;
    const interrupts = cmd.interrupt_mode_enabled === 1;
    const queue = new CompletionQueue(
      {
        ...{ index, iova, uar: cmd.uar, eqn: interrupts ? cmd.eqn : -1 },
        ...{ entryWords: cmd.cq_entry_size_words, sourceAddress: cmd.set_src_addr === 1 },
        ...{ depth: cmd.sub_cq_depth, subCqs: cmd.num_sub_cqs },
      },
      this.#memory,
      this.#events,
    );
    if (!queue.attach())
      return this.#refusals.illegal(efaRules['cq-memory'], () => `0x${iova.toString(16)}`);
    this.#queues[index] = queue;
    this.#uars.use(queue.uar);
    if (interrupts) this.#events.use(queue.eqn, 1);
    const made = this.#answer;
    made.clear();
    made.cq_idx = index;
    made.sub_cq_actual_depth = cmd.sub_cq_depth;
    made.db_offset = cqDoorbell(index);
    made.db_valid = interrupts ? 1 : 0;
    made.store(answer, 0);
    return STATUS.SUCCESS;
  }

  destroy(command: Int32Array): number {
    const cmd = this.#destroy;
    cmd.load(command, 0);
    const { cq_idx: index } = cmd;
    const queue = this.get(index);
    if (queue === null) return this.#refusals.illegal(efaRules['cq-unknown'], () => `${index}`);
    if (queue.users > 0)
      return this.#refusals.busy(efaRules['cq-in-use'], () => `by ${queue.users} queues`);
    this.#queues[index] = null;
    this.#uars.release(queue.uar);
    this.#events.use(queue.eqn, -1);
    return STATUS.SUCCESS;
  }

  #check(): [Rule, string] | null {
    const cmd = this.#create;
    const words = cmd.cq_entry_size_words;
    const { maxCqDepth, subCqsPerCq } = this.#profile;
    if ((cmd.reserved5 | cmd.reserved6 | cmd.reserved7) !== 0)
      return [efaRules['reserved-bits'], 'CREATE_CQ'];
    if (cmd.virt === 1) return [efaRules['virtual-ring'], 'CREATE_CQ'];
    if (words !== largeWords && (words !== smallWords || cmd.set_src_addr === 1))
      return [efaRules['cq-entry-size'], `${words} words`];
    if (!isRingDepth(cmd.sub_cq_depth, maxCqDepth))
      return [efaRules['cq-shape'], `depth ${cmd.sub_cq_depth}`];
    if (cmd.num_sub_cqs !== subCqsPerCq)
      return [efaRules['cq-sub-cqs'], `${cmd.num_sub_cqs} of ${subCqsPerCq}`];
    if (!this.#uars.has(cmd.uar)) return [efaRules['uar-unknown'], `${cmd.uar}`];
    if (cmd.interrupt_mode_enabled === 1 && !this.#events.has(cmd.eqn))
      return [efaRules['eq-unknown'], `${cmd.eqn}`];
    return null;
  }
}
