import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { everyOutcome, reportOf, ruleOf, testTime } from '../testing-report.ts';
import { type CheckDocument, toJson } from './json.ts';
import { toJunit } from './junit.ts';
import { toSarif } from './sarif.ts';

test('JSON has every finding with what was seen and what mends it', () => {
  const document: CheckDocument = JSON.parse(toJson(reportOf()));
  assert.equal(document.format, 'virtfn-check/1');
  assert.equal(document.readiness, 'notReady');
  assert.equal(document.time, testTime);
  assert.equal(document.findings.length, everyOutcome.length);
  const [first] = document.findings;
  assert.deepEqual(first?.evidence, [
    { value: 'seen <here> & "there"', file: '/etc/a b/50%:x', line: 7, call: null },
  ]);
  assert.deepEqual([first?.rule, first?.outcome, first?.mend], ['error', 'fail', ['mend a']]);
});

test('docs/check.md explains every field of the JSON document', () => {
  const page = readFileSync('docs/check.md', 'utf8');
  const fields = (value: unknown): string[] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([name, inner]) =>
          Array.isArray(value) ? fields(inner) : [name, ...fields(inner)],
        );
  const missing = [...new Set(fields(JSON.parse(toJson(reportOf()))))].filter(
    (name) => !page.includes(`\`${name}\``),
  );
  assert.deepEqual(missing, []);
});

test('JUnit is red where the exit code is, and well-formed with any words', () => {
  const xml = toJunit(reportOf());
  assert.match(xml, /<testsuite [^>]*tests="7" failures="1" errors="1" skipped="2"/);
  assert.match(xml, /name="error eth0" time="0">\s*<failure message="is &lt;wrong&gt;"/);
  assert.match(xml, /<error message="could not tell: nobody knows"/);
  assert.match(xml, /<system-out>warning: is worse/);
  assert.match(xml, /<skipped message="could not tell: nor this"\/>/);
  assertWellFormed(xml);
});

test('JUnit without anything judged is red too', () => {
  const xml = toJunit(reportOf([ruleOf('none', 'error', () => [])]));
  assert.match(xml, /tests="2" failures="0" errors="1" skipped="1"/);
  assertWellFormed(xml);
});

test('SARIF holds what failed and what could not be told, with levels that go with their kinds', () => {
  const log = JSON.parse(toSarif(reportOf(), everyOutcome, '1.2.3'));
  assert.equal(log.version, '2.1.0');
  const [run] = log.runs;
  const kinds = run.results.map(({ ruleId, kind, level }: Record<string, string>) => [
    ruleId,
    kind,
    level,
  ]);
  // SARIF 2.1.0, 3.27.10: any kind but "fail" has the level "none".
  assert.deepEqual(kinds, [
    ['error', 'fail', 'error'],
    ['warning', 'fail', 'warning'],
    ['note', 'fail', 'note'],
    ['untold', 'open', 'none'],
    ['besides', 'open', 'none'],
  ]);
  for (const { ruleId, ruleIndex, message, locations } of run.results) {
    assert.equal(run.tool.driver.rules[ruleIndex].id, ruleId);
    assert.ok(message.text.length > 0);
    assert.equal(locations.length, 1);
  }
});

test('SARIF names a file by a relative URI, with its line', () => {
  const [run] = JSON.parse(toSarif(reportOf(), everyOutcome, '1.2.3')).runs;
  const { physicalLocation } = run.results[0].locations[0];
  assert.deepEqual(physicalLocation, {
    artifactLocation: { uri: 'etc/a%20b/50%25%3Ax', uriBaseId: 'ROOT' },
    region: { startLine: 7 },
  });
  assert.ok('ROOT' in run.originalUriBaseIds);
});

/** Elements are nested, and text and attributes hold no bare markup. */
function assertWellFormed(xml: string): void {
  const body = xml.replace(/^<\?xml[^>]*\?>\n/, '');
  const open: string[] = [];
  for (const [tag, close, name = '', attributes = '', empty] of body.matchAll(
    /<(\/?)([\w-]+)((?: [\w-]+="[^"<]*")*)(\/?)>/g,
  )) {
    if (close === '/') assert.equal(open.pop(), name, tag);
    else if (empty === '') open.push(name);
    assert.doesNotMatch(attributes, /&(?!amp;|lt;|gt;|quot;)/);
  }
  assert.deepEqual(open, []);
  const rest = body.replace(/<\/?[\w-]+(?: [\w-]+="[^"<]*")*\/?>/g, '');
  assert.doesNotMatch(rest, /[<>]|&(?!amp;|lt;|gt;)/);
}
