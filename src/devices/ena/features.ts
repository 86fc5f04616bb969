/**
 * GET_FEATURE and SET_FEATURE: one entry per feature id. A feature that the profile lacks is
 * answered as unsupported, as old cards do. What each one does stands in the file of its subject.
 */
import { FEATURE, STATUS } from '../../defs/ena-admin.ts';
import type { Diagnostics } from '../../lib/diagnostics.ts';
import type { GuestMemory } from '../../pci/guest-memory.ts';
import type { BringUp } from './bring-up.ts';
import { type Feature, FeatureCall } from './feature-call.ts';
import type { EnaProfile } from './profile.ts';
import { enaRules } from './rules.ts';

const names = new Map<number, string>(Object.entries(FEATURE).map(([name, id]) => [id, name]));

export type FeatureParts = {
  readonly profile: EnaProfile;
  readonly entries: ReadonlyMap<number, Feature>;
  readonly memory: GuestMemory;
  readonly diagnostics: Diagnostics;
  /** Hears of what succeeded. */
  readonly bringUp: BringUp;
};

export class Features {
  readonly #profile: EnaProfile;
  readonly #diagnostics: Diagnostics;
  readonly #entries: ReadonlyMap<number, Feature>;
  readonly #call: FeatureCall;
  readonly #bringUp: BringUp;

  constructor(parts: FeatureParts) {
    const { profile, entries, memory, diagnostics, bringUp } = parts;
    this.#profile = profile;
    this.#entries = entries;
    this.#diagnostics = diagnostics;
    this.#bringUp = bringUp;
    this.#call = new FeatureCall(memory, diagnostics);
  }

  /** The feature's name in a GET_FEATURE or SET_FEATURE command, for traces. */
  nameOf(command: Int32Array): string {
    this.#call.begin(command, command);
    return nameOf(this.#call.head.feature_id);
  }

  get(command: Int32Array, answer: Int32Array): number {
    const feature = this.#find(command, answer);
    if (feature === null) return STATUS.UNSUPPORTED_OPCODE;
    if (feature.get !== undefined) return this.#done(feature.get(this.#call));
    return this.#call.refuse(enaRules['set-only-feature'], () => this.nameOf(command));
  }

  set(command: Int32Array, answer: Int32Array): number {
    const feature = this.#find(command, answer);
    if (feature === null) return STATUS.UNSUPPORTED_OPCODE;
    if (feature.set !== undefined) return this.#done(feature.set(this.#call));
    return this.#call.refuse(enaRules['read-only-feature'], () => this.nameOf(command));
  }

  #done(status: number): number {
    const { opcode, feature_id: id } = this.#call.head;
    if (status === STATUS.SUCCESS) this.#bringUp.featureDone(opcode, id);
    return status;
  }

  #find(command: Int32Array, answer: Int32Array): Feature | null {
    this.#call.begin(command, answer);
    const id = this.#call.head.feature_id;
    const offered = id < 32 && (this.#profile.features & (1 << id)) !== 0;
    const feature = offered ? this.#entries.get(id) : undefined;
    if (feature !== undefined) return feature;
    this.#diagnostics.refuse(
      enaRules['unsupported-feature'],
      () => `${nameOf(id)} (profile ${this.#profile.name})`,
    );
    return null;
  }
}

const nameOf = (id: number): string => names.get(id) ?? `feature ${id}`;
