/** All rules of `virtfn check host`, in the order of the report. */
import type { Rule } from '../rule.ts';
import { cardRules } from './card-rules.ts';
import type { HostFacts } from './facts.ts';

export const hostRules: readonly Rule<HostFacts>[] = [...cardRules];
