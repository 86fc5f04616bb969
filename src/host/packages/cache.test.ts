import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cacheDirectory, createDirectory, readJson, withLock } from './cache.ts';

const scratch = mkdtempSync(join(tmpdir(), 'virtfn-test-'));
after(() => rmSync(scratch, { recursive: true }));

test('the cache is where the person or the XDG variables say', () => {
  assert.equal(cacheDirectory({ VIRTFN_CACHE: '/a' }), '/a');
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: '/b' }), '/b/virtfn');
  assert.match(cacheDirectory({ XDG_CACHE_HOME: 'relative' }), /\/\.cache\/virtfn$/);
});

test('a directory appears whole, and a failed one leaves nothing', async () => {
  const path = join(scratch, 'whole');
  const fill = (text: string) => async (temporary: string) => {
    writeFileSync(join(temporary, 'file'), text);
    if (text === 'bad') throw new Error('no');
  };
  await createDirectory(path, fill('old'));
  await assert.rejects(createDirectory(path, fill('bad')));
  assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'old');
  await createDirectory(path, fill('new'));
  assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'new');
  assert.deepEqual(readdirSync(scratch), ['whole']);
});

test('what a dead run left half done is swept', async () => {
  const left = join(scratch, 'gone.tmp-999999999-ab');
  writeFileSync(left, '');
  await createDirectory(join(scratch, 'whole'), async () => {});
  assert.equal(existsSync(left), false);
});

test('a lock lets one in at a time and is taken over from the dead', async () => {
  const path = join(scratch, 'lock');
  writeFileSync(path, '999999999 1 ab');
  let inside = 0;
  const enter = async (): Promise<void> => {
    inside++;
    assert.equal(inside, 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside--;
  };
  await Promise.all([1, 2].map(() => withLock(path, () => {}, enter)));
  assert.equal(existsSync(path), false);
});

test('broken JSON reads as none', () => {
  const path = join(scratch, 'broken.json');
  writeFileSync(path, '{"a":');
  assert.equal(readJson(path), undefined);
});
