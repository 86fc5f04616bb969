/**
 * `--format junit`: a test case per finding, in the XML that CI systems read (the Jenkins xunit
 * plugin's junit-10.xsd). It is red exactly where the exit code is not 0: an error that was found is
 * a `failure`, one that could not be looked at an `error`; warnings and notes pass and speak in
 * `system-out`; what does not apply, or was not told and is no error, is `skipped`.
 */
import { placeText } from '../fact.ts';
import type { Finding, Report } from '../report.ts';

export function toJunit({ target, time, findings, readiness }: Report): string {
  const name = `virtfn check ${target.kind}`;
  const cases = findings.map((finding) => ({ finding, ...resultOf(finding) }));
  const count = (tag: string): number => cases.filter((one) => one.tag === tag).length;
  // A report in which nothing could be judged is red as a whole.
  const empty = readiness === 'unknown' && count('error') === 0;
  const errors = count('error') + (empty ? 1 : 0);
  const numbers =
    `tests="${cases.length + (empty ? 1 : 0)}" failures="${count('failure')}" ` +
    `errors="${errors}" skipped="${count('skipped')}"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${attribute(name)}" ${numbers.replace(/ skipped=.*/, '')}>`,
    `  <testsuite name="${attribute(`${name} ${target.name}`)}" ${numbers} timestamp="${attribute(time.slice(0, 19))}" time="0">`,
    ...cases.flatMap(({ finding, tag }) => testCase(target.kind, finding, tag)),
    ...(empty ? nothingJudged(target.kind) : []),
    '  </testsuite>',
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

type Tag = 'failure' | 'error' | 'skipped' | 'system-out' | null;

function resultOf({ outcome, rule: { severity } }: Finding): { readonly tag: Tag } {
  const isError = severity === 'error';
  switch (outcome) {
    case 'pass':
      return { tag: null };
    case 'fail':
      return { tag: isError ? 'failure' : 'system-out' };
    case 'unknown':
      return { tag: isError ? 'error' : 'skipped' };
    case 'notApplicable':
      return { tag: 'skipped' };
  }
}

function testCase(kind: string, finding: Finding, tag: Tag): string[] {
  const { rule, subject } = finding;
  const name = subject === null ? rule.id : `${rule.id} ${subject}`;
  const open = `    <testcase classname="${attribute(`virtfn.check.${kind}`)}" name="${attribute(name)}" time="0"`;
  if (tag === null) return [`${open}/>`];
  const message = finding.outcome === 'unknown' ? `could not tell: ${finding.text}` : finding.text;
  const type = `type="${rule.severity}"`;
  const body = content(details(finding).join('\n'));
  const inside = {
    skipped: `<skipped message="${attribute(message)}"/>`,
    'system-out': `<system-out>${content(`${rule.severity}: ${message}`)}\n${body}</system-out>`,
    failure: `<failure message="${attribute(message)}" ${type}>${body}</failure>`,
    error: `<error message="${attribute(message)}" ${type}>${body}</error>`,
  }[tag];
  return [`${open}>`, `      ${inside}`, '    </testcase>'];
}

function nothingJudged(kind: string): string[] {
  return [
    `    <testcase classname="virtfn.check.${kind}" name="something could be judged" time="0">`,
    '      <error message="could not tell: there was nothing that a rule is about" type="error"/>',
    '    </testcase>',
  ];
}

function details({ rule, evidence, mend }: Finding): string[] {
  return [
    `why: ${rule.reason} (${rule.source})`,
    ...evidence.map(({ value, at }) => `seen: ${placeText(at)}: ${value}`),
    ...mend.map((command) => `mend: ${command}`),
  ];
}

/** Findings hold no control characters; what XML 1.0 forbids besides goes too. */
function content(text: string): string {
  return text
    .replace(/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

function attribute(text: string): string {
  return content(text).replaceAll('"', '&quot;').replaceAll('\n', ' ');
}
