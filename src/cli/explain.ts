/** `virtfn nic --explain`: the rules that functions hold their peers to, with their sources. */

import { findRules, type Rule, rules } from '../host/nic/rules.ts';
import { nearest } from '../lib/nearest.ts';
import { UsageError } from './usage-error.ts';

/** Lines for a rule, or for all of them. Throws a UsageError for a rule that does not exist. */
export function explain(name: string): string[] {
  if (name === 'list') {
    const room = Math.max(...rules.map(({ id }) => id.length));
    return rules.map(({ id, text }) => `${id.padEnd(room)}  ${text}`);
  }
  const found = findRules(name);
  if (found.length === 0) throw new UsageError(unknown(name));
  return found.flatMap(describe);
}

function describe({ id, text, source }: Rule): string[] {
  return [id, `  rule    ${text}`, `  source  ${source}`];
}

function unknown(name: string): string {
  const ids = rules.flatMap(({ id }) => [id, id.slice(id.indexOf('/') + 1)]);
  const near = nearest(name, [...new Set(ids)]);
  const hint = near.length === 0 ? 'see --explain list' : `did you mean ${near.join(', ')}?`;
  return `there is no rule '${name}'; ${hint}`;
}
