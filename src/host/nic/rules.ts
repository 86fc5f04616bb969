/** Every rule that a served function can refuse something by, for whoever explains one. */
import type { Rule } from '../../lib/diagnostics.ts';
import { refusals } from '../../vfio-user/refusals.ts';
import { modelNames, modelOf } from '../dataplane/models.ts';

export type { Rule } from '../../lib/diagnostics.ts';

/** By id, in the order of the tables. */
export const rules: readonly Rule[] = [
  ...Object.values(refusals),
  ...modelNames.flatMap((name) => modelOf(name).rules),
];

/** The rule with this id; the part after the slash will do where only one rule has it. */
export function findRule(name: string): Rule | undefined {
  const exact = rules.find(({ id }) => id === name);
  if (exact !== undefined) return exact;
  const ends = rules.filter(({ id }) => id.endsWith(`/${name}`));
  return ends.length === 1 ? ends[0] : undefined;
}
