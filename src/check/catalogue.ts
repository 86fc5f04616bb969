/** Every rule of `virtfn check`, by what it is about: for lists, explanations and docs/check-rules.md. */
import { accountRules } from './account/rules.ts';
import { hostRules } from './host/rules.ts';
import { imageRules } from './image/rules.ts';
import type { Kind, RuleInfo } from './rule.ts';
import { typeRules } from './types/rules.ts';

export const catalogue: Readonly<Record<Kind, readonly RuleInfo[]>> = {
  image: imageRules,
  types: typeRules,
  host: hostRules,
  account: accountRules,
};

export const kinds = Object.keys(catalogue) as Kind[];

export const allRules: readonly RuleInfo[] = kinds.flatMap((kind) => catalogue[kind]);
