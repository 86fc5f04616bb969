/**
 * The order in which a card insists on being set up. Real cards answer CREATE_CQ with UNKNOWN_ERROR
 * and extended status 0 when a step is missing or came too late, and never say which; this says.
 *
 * A card demands steps (each must have happened) and an order (of two steps that both happened, one
 * comes first). Only the first queue after a reset is judged by what came before it: a driver that
 * is running may set its MTU and make its queues again.
 */
import { FEATURE, OPCODE } from '../../defs/ena-admin.ts';
import type { Rule } from '../../lib/diagnostics.ts';
import type { Settings } from './basic-features.ts';
import type { EventQueue } from './event-queue.ts';
import type { BringUpDemand, BringUpStep, EnaProfile } from './profile.ts';
import { enaRules } from './rules.ts';

const specMajor = 2;
const msixEnable = 0x8000;

/** A rule that CREATE_CQ breaks, and how. */
export type Broken = readonly [rule: Rule, detail: string];

export class BringUp {
  readonly #profile: EnaProfile;
  readonly #settings: Settings;
  readonly #events: EventQueue;
  /** When each step came, in steps since the reset. */
  readonly #when = new Map<BringUpStep, number>();
  #steps = 0;
  /** As the config space has it; a reset of the device does not change it. */
  #msixEnabled = false;

  constructor(profile: EnaProfile, settings: Settings, events: EventQueue) {
    this.#profile = profile;
    this.#settings = settings;
    this.#events = events;
  }

  reset(): void {
    this.#when.clear();
    this.#steps = 0;
  }

  /** The MSI-X control word was written. */
  msixControl(value: number): void {
    const enabled = (value & msixEnable) !== 0;
    if (enabled && !this.#msixEnabled) this.#note('msix');
    this.#msixEnabled = enabled;
  }

  /** A GET_FEATURE or SET_FEATURE succeeded. */
  featureDone(opcode: number, feature: number): void {
    const step = opcode === OPCODE.SET_FEATURE ? setSteps.get(feature) : getSteps.get(feature);
    if (step !== undefined) this.#note(step);
  }

  /** What is wrong with creating a completion queue now, or null. */
  createCq(interrupts: boolean): Broken | null {
    this.#note('queues');
    for (const demand of this.#profile.bringUp)
      if (!this.#isDone(demand, interrupts)) return [ruleOf[demand], 'CREATE_CQ'];
    for (const [first, second] of this.#profile.bringUpOrder) {
      const [a, b] = [this.#when.get(first), this.#when.get(second)];
      if (a !== undefined && b !== undefined && b < a)
        return [enaRules['create-cq-order'], `${first} came after ${second}`];
    }
    return null;
  }

  /** The first time counts, but a driver that chooses its LLQ once more means it. */
  #note(step: BringUpStep): void {
    this.#steps++;
    if (step === 'llq' || !this.#when.has(step)) this.#when.set(step, this.#steps);
  }

  #isDone(demand: BringUpDemand, interrupts: boolean): boolean {
    const { hostInfo, attributesRead } = this.#settings;
    switch (demand) {
      case 'host-info':
        return hostInfo !== null;
      case 'spec-version-2':
        return (hostInfo?.specVersion ?? 0) >>> 8 >= specMajor;
      case 'device-attributes':
        return attributesRead;
      case 'aenq':
        return this.#events.isSetUp;
      case 'msix':
        return this.#msixEnabled || !interrupts;
    }
  }
}

const ruleOf: Record<BringUpDemand, Rule> = {
  'host-info': enaRules['create-cq-without-host-info'],
  'spec-version-2': enaRules['create-cq-spec-version'],
  'device-attributes': enaRules['create-cq-before-attributes'],
  aenq: enaRules['create-cq-without-aenq'],
  msix: enaRules['create-cq-without-msix'],
};

const setSteps = new Map<number, BringUpStep>([
  [FEATURE.HOST_ATTR_CONFIG, 'host-attributes'],
  [FEATURE.LLQ, 'llq'],
  [FEATURE.MTU, 'mtu'],
]);
const getSteps = new Map<number, BringUpStep>([
  [FEATURE.DEVICE_ATTRIBUTES, 'device-attributes'],
  [FEATURE.INTERRUPT_MODERATION, 'moderation'],
  [FEATURE.RSS_INDIRECTION_TABLE_CONFIG, 'rss'],
]);
