import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { allRules, catalogue, kinds } from './catalogue.ts';
import { rulesPage } from './rules-page.ts';

test('a rule has one name, which begins with what it is about', () => {
  const ids = allRules.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
  for (const kind of kinds)
    for (const { id } of catalogue[kind])
      assert.ok(/^[a-z0-9]+(-[a-z0-9]+)+$/.test(id) && id.startsWith(`${kind}-`), id);
});

test('a rule says what, why, by whose word, and how to mend it', () => {
  for (const { id, title, reason, source, mend } of allRules) {
    assert.match(
      title,
      /^([a-z]|[A-Z]{2}).*[^.]$/,
      `${id}: the title begins small, without a full stop`,
    );
    assert.match(reason, /^\S.*\.$/, `${id}: the reason is whole sentences`);
    assert.ok(source.length > 5 && !source.endsWith('.'), `${id}: a source`);
    assert.ok(mend.length > 5, `${id}: a way to mend it`);
  }
});

test('docs/check-rules.md says what the rules say', () => {
  const page = readFileSync('docs/check-rules.md', 'utf8');
  assert.equal(page, rulesPage(), 'npm run build && node tools/check-rules.mjs');
});
