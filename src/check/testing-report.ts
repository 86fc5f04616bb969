/** For tests: a report with one finding of each kind, made by rules of its own. */
import { known, unread } from './fact.ts';
import { check, type Report } from './report.ts';
import {
  fail,
  judge,
  notApplicable,
  pass,
  type Rule,
  type Severity,
  type Verdict,
} from './rule.ts';

export const testTime = '2026-02-03T04:05:06.000Z';

export const ruleOf = (
  id: string,
  severity: Severity,
  evaluate: () => readonly Verdict[],
): Rule<null> => ({
  id,
  group: 'a group',
  severity,
  title: `the title of ${id}`,
  reason: `The reason of ${id}.`,
  source: 'a document',
  mend: 'mend THIS',
  evaluate,
});

const seen = [{ value: 'seen <here> & "there"', at: { file: '/etc/a b/50%:x', line: 7 } }];

/** error, warning and note that fail; pass; unknown; notApplicable. */
export const everyOutcome: readonly Rule<null>[] = [
  ruleOf('error', 'error', () => [fail('is <wrong>', { subject: 'eth0', seen, mend: ['mend a'] })]),
  ruleOf('warning', 'warning', () => [fail('is worse', { mend: ['mend b', '# or c'] })]),
  ruleOf('note', 'note', () => [fail('is odd', { mend: ['mend d'] })]),
  ruleOf('well', 'error', () => [
    judge(known(1, { call: 'ask it' }), 'eth1', () => pass('is well')),
  ]),
  ruleOf('untold', 'error', () => [judge(unread('nobody knows'), undefined, () => pass(''))]),
  ruleOf('besides', 'warning', () => [judge(unread('nor this'), undefined, () => pass(''))]),
  ruleOf('absent', 'error', () => [notApplicable('there is none')]),
];

export function reportOf(rules: readonly Rule<null>[] = everyOutcome): Report {
  return check({ kind: 'host', name: 'a "host"', detail: 'a detail' }, rules, null, testTime);
}
