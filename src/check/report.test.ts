import assert from 'node:assert/strict';
import { test } from 'node:test';
import { known, unread } from './fact.ts';
import { countsOf, exitCodeOf } from './report.ts';
import { fail, judge, judgeBoth, judgeEach, notApplicable, pass, unknown } from './rule.ts';
import { everyOutcome, reportOf, ruleOf } from './testing-report.ts';

const failing = fail('is wrong', { mend: ['mend it'] });

test('a failed error makes it not ready, whatever else could not be told', () => {
  const report = reportOf();
  assert.equal(report.readiness, 'notReady');
  assert.equal(exitCodeOf(report), 1);
  const counts = { error: 1, warning: 1, note: 1, pass: 1, unknown: 2, notApplicable: 1 };
  assert.deepEqual(countsOf(report.findings), counts);
  assert.equal(report.findings.length, everyOutcome.length);
});

test('an error that could not be looked at is no readiness', () => {
  const report = reportOf([
    ruleOf('well', 'error', () => [pass('is well')]),
    ruleOf('untold', 'error', () => [unknown('nobody knows')]),
  ]);
  assert.equal(exitCodeOf(report), 2);
});

test('failed warnings and notes leave it ready, and so do warnings that could not be told', () => {
  const report = reportOf([
    ruleOf('well', 'error', () => [pass('is well')]),
    ruleOf('warning', 'warning', () => [failing]),
    ruleOf('note', 'note', () => [failing]),
    ruleOf('besides', 'warning', () => [unknown('nobody knows')]),
  ]);
  assert.equal(exitCodeOf(report), 0);
});

test('where nothing was judged nobody can tell', () => {
  const none = ruleOf('none', 'error', () => []);
  const absent = ruleOf('absent', 'error', () => [notApplicable('there is none')]);
  assert.equal(exitCodeOf(reportOf([none, absent])), 2);
  assert.equal(exitCodeOf(reportOf([])), 2);
  assert.deepEqual(
    reportOf([none]).findings.map(({ outcome }) => outcome),
    ['notApplicable'],
  );
});

test('a fact that could not be read is unknown to each rule, with its reason and place', () => {
  const at = { file: '/sys/x' };
  const no = unread('it may be read by root only', at);
  const never = (): never => assert.fail('judged without a value');
  const verdicts = [
    judge(no, 'eth0', never),
    judgeBoth(known(1, at), no, 'eth0', never),
    judgeBoth(no, known(1, at), 'eth0', never),
    ...judgeEach(no, never),
  ];
  for (const { outcome, text, seen } of verdicts) {
    assert.deepEqual([outcome, text], ['unknown', 'it may be read by root only']);
    assert.deepEqual(seen.at(-1)?.at, at);
  }
});

test('no words of a target reach a report unprintable, whatever they are', () => {
  const hostile = 'a\x1b[2J\x07\r\n\x9b31m\u202egnp\u2028\ud800';
  const at = { file: hostile, line: 1 };
  const about = { subject: hostile, seen: [{ value: hostile, at }], mend: [hostile] as const };
  const report = reportOf([
    ruleOf('hostile', 'error', () => [fail(hostile, { ...about, mend: [hostile] })]),
    ruleOf('untold', 'error', () => [
      unknown(hostile, { seen: [{ value: '', at: { call: hostile } }] }),
    ]),
  ]);
  const { rule: _rule, ...said } = report.findings[0] ?? assert.fail('no finding');
  const text = JSON.stringify([said, report.findings[1]?.text, report.findings[1]?.evidence]);
  assert.doesNotMatch(text, /\\u00|[\p{Cc}\p{Cf}\p{Zl}\p{Cs}]/u);
  assert.match(text, /a\\\\x1b\[2J\\\\x07\\\\x0d\\\\x0a\\\\x9b31m/);
});

test('thousands of subjects are cut to the worst, and the cut is told', () => {
  const many = Array.from({ length: 5000 }, (_, i) => pass('is well', { subject: `eni-${i}` }));
  const { findings } = reportOf([ruleOf('many', 'error', () => [...many, failing])]);
  assert.equal(findings.length, 1001);
  assert.equal(findings[0]?.outcome, 'fail');
  assert.match(findings.at(-1)?.text ?? '', /^4001 more/);
});
