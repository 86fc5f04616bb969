/** All rules of `virtfn check account`, in the order of the report. */
import type { Rule } from '../rule.ts';
import { efaRules } from './efa-rules.ts';
import type { AccountFacts } from './facts.ts';
import { instanceRules } from './instance-rules.ts';
import { networkRules } from './network-rules.ts';

export const accountRules: readonly Rule<AccountFacts>[] = [
  ...instanceRules,
  ...efaRules,
  ...networkRules,
];
