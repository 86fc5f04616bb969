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

/** The rule with this id; or those of all rooms whose part after the slash it is. */
export function findRules(name: string): Rule[] {
  return rules.filter(({ id }) => id === name || id.endsWith(`/${name}`));
}
