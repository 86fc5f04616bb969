/** For tests: each rule is shown facts that it lets pass and facts that it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './report.ts';
import type { Kind, Outcome, Rule } from './rule.ts';

export type RuleCase<Facts> = {
  readonly rule: string;
  readonly outcome: Outcome;
  /** What these facts are, as an end of "given ...". */
  readonly given: string;
  readonly facts: Facts;
  /** What the finding says, where that matters. */
  readonly says?: RegExp;
  /** What is told to be done, where that matters. */
  readonly mend?: RegExp;
};

type Given<Facts> = readonly [rule: string, given: string, facts: Facts];

/** Cases of one kind of facts, by what comes of them. */
export function casesOf<Facts>() {
  type Case = RuleCase<Facts>;
  return {
    pass: (...[rule, given, facts, says]: [...Given<Facts>, says?: RegExp]): Case => ({
      ...{ rule, outcome: 'pass', given, facts },
      ...(says !== undefined && { says }),
    }),
    fail: (...[rule, given, facts, says, mend]: [...Given<Facts>, says: RegExp, mend: RegExp]) =>
      ({ rule, outcome: 'fail', given, facts, says, mend }) satisfies Case,
    other: (
      rule: string,
      outcome: 'unknown' | 'notApplicable',
      given: string,
      facts: Facts,
    ): Case => ({ rule, outcome, given, facts }),
  };
}

/** A test per case, and one that no rule is without a case that passes and one that fails. */
export function testRules<Facts>(
  kind: Kind,
  rules: readonly Rule<Facts>[],
  cases: readonly RuleCase<Facts>[],
): void {
  for (const one of cases)
    test(`${one.rule}: ${one.outcome}, given ${one.given}`, () => {
      const rule = rules.find(({ id }) => id === one.rule);
      assert.ok(rule, `there is no rule ${one.rule}`);
      const { findings } = check({ kind, name: 'test', detail: '' }, [rule], one.facts, '');
      const found = findings.filter(({ outcome }) => outcome === one.outcome);
      assert.ok(found.length > 0, JSON.stringify(findings, null, 1));
      if (one.outcome === 'pass') assert.deepEqual(findings.filter(isFailure), []);
      if (one.outcome === 'fail') assert.ok(found.every(({ mend }) => mend.length > 0));
      if (one.says !== undefined) assert.match(found.map(({ text }) => text).join('\n'), one.says);
      if (one.mend !== undefined)
        assert.match(found.flatMap(({ mend }) => mend).join('\n'), one.mend);
    });
  test(`each rule of ${kind} has a case that passes and one that fails`, () => {
    const shown = new Set(cases.map(({ rule, outcome }) => `${rule} ${outcome}`));
    const wanted = rules.flatMap(({ id }) => [`${id} pass`, `${id} fail`]);
    assert.deepEqual(
      wanted.filter((one) => !shown.has(one)),
      [],
    );
  });
}

const isFailure = ({ outcome }: { outcome: Outcome }): boolean => outcome === 'fail';
