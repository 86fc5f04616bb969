/** All rules of `virtfn check host`, in the order of the report. */
import type { Rule } from '../rule.ts';
import { allowanceRules } from './allowance-rules.ts';
import { cardRules } from './card-rules.ts';
import { efaRules } from './efa-rules.ts';
import { expressRules } from './express-rules.ts';
import type { HostFacts } from './facts.ts';
import { instanceRules } from './instance-rules.ts';
import { interfaceRules } from './interface-rules.ts';
import { kernelRules } from './kernel-rules.ts';

export const hostRules: readonly Rule<HostFacts>[] = [
  ...instanceRules,
  ...cardRules,
  ...kernelRules,
  ...interfaceRules,
  ...allowanceRules,
  ...expressRules,
  ...efaRules,
];
