/** The limits of functions that are served by themselves: of a type, of what was set, or of both. */
import { networkAllowance, type Provenance, withOverrides } from '../../vpc/allowance.ts';
import type { InstanceType } from '../../vpc/instance-type.ts';
import {
  type Circumstances,
  chosenLimits,
  type LimitValues,
  limitNames,
  switchLimits,
} from '../../vpc/limits.ts';
import type { FunctionCommand } from '../dataplane/dataplane.ts';
import type { FunctionSpec } from '../dataplane/nic-model.ts';

/** One limit, for people. */
export type ShownLimit = {
  readonly name: string;
  readonly value: number | null;
  readonly provenance: Provenance;
  readonly source: string;
};

export class FunctionLimits {
  readonly type: InstanceType | null;
  readonly placed: boolean;
  readonly express: boolean;
  #set: LimitValues;

  /** Without a type only what was set is limited. @throws RangeError in a sentence for a person */
  constructor(
    type: InstanceType | null,
    set: LimitValues,
    { placed = false, express = false }: Circumstances = {},
  ) {
    this.type = type;
    this.#set = set;
    this.placed = placed;
    this.express = express;
    chosenLimits(this.#allowance(), set);
  }

  get #values(): LimitValues {
    return chosenLimits(this.#allowance(), this.#set);
  }

  /** What the data plane is told of it; nothing where nothing is limited. */
  spec(): Pick<FunctionSpec, 'limits' | 'egressFragmentsPps'> {
    const values = this.#values;
    if (Object.keys(values).length === 0) return {};
    const { egressFragmentsPps: fragments } = values;
    return {
      limits: switchLimits(values, this),
      ...(typeof fragments === 'number' && { egressFragmentsPps: fragments }),
    };
  }

  /** Sets some more, from now on. @throws RangeError as above: then nothing has changed */
  change(name: string, set: LimitValues): FunctionCommand {
    const next = { ...this.#set, ...set };
    const values = chosenLimits(this.#allowance(), next);
    this.#set = next;
    return { kind: 'set-limits', function: name, limits: switchLimits(values, this) };
  }

  /** All that count, in the order of their names. */
  shown(): ShownLimit[] {
    const allowance = this.#allowance();
    const all = allowance === null ? null : withOverrides(allowance, this.#set as object);
    return limitNames.flatMap((name): ShownLimit[] => {
      if (all !== null) return [{ name, ...all[name] }];
      const value = this.#set[name];
      if (value === undefined) return [];
      return [{ name, value, provenance: 'userSet', source: 'set by hand' }];
    });
  }

  #allowance() {
    return this.type === null ? null : networkAllowance(this.type);
  }
}
