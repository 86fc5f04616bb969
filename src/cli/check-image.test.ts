import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, mock, test } from 'node:test';
import { parseCards } from './boot-cards.ts';
import { run } from './run.ts';

const scratch = mkdtempSync(join(tmpdir(), 'virtfn-check-image-'));
after(() => rmSync(scratch, { recursive: true }));
const root = join(scratch, 'root');
for (const directory of ['etc', 'usr/bin']) mkdirSync(join(root, directory), { recursive: true });
writeFileSync(join(root, 'etc/os-release'), 'ID=debian\nPRETTY_NAME="A \u001b[31mDebian"\n');

/** What a command line says, and how it ends. */
async function virtfn(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const lines = { log: '', error: '' };
  const mocks = (['log', 'error'] as const).map((name) =>
    mock.method(console, name, (line: string) => {
      lines[name] += `${line}\n`;
    }),
  );
  const progress = mock.method(process.stderr, 'write', () => true);
  try {
    const code = await run(args);
    return { code, out: lines.log, error: lines.error };
  } finally {
    for (const { mock } of [...mocks, progress]) mock.restore();
  }
}

test('a directory without a kernel is not ready, and its words are fit to print', async () => {
  const { code, out } = await virtfn('check', 'image', root, '--json', '--offline');
  const report = JSON.parse(out) as { target: { detail: string }; readiness: string };
  assert.deepEqual([code, report.readiness], [1, 'notReady']);
  assert.match(report.target.detail, /^A \\x1b\[31mDebian/);
});

test('what cannot be looked at is no answer: exit code 2, and a sentence', async () => {
  const none = await virtfn('check', 'image', join(scratch, 'none'));
  assert.equal(none.code, 2);
  assert.match(none.error, /There is no .*none: give the path/);
  const nothing = await virtfn('check', 'image');
  assert.match(nothing.error, /needs a disk image/);
  const empty = await virtfn('check', 'image', join(root, 'etc'));
  assert.match(empty.error, /holds no system that can be read/);
});

test('a directory cannot be booted, and says so', async () => {
  const { code, error } = await virtfn('check', 'image', root, '--boot', '--offline');
  assert.equal(code, 2);
  assert.match(error, /--boot needs a disk/);
});

test('types that there are not are told with what was meant', async () => {
  const { error } = await virtfn('check', 'types', 'c6i.lage', '--image', root);
  assert.match(error, /no instance type like 'c6i\.lage'; did you mean c6i\.large/);
});

test('an image that does not start runs on no type, with the reasons', async () => {
  const { code, out } = await virtfn(
    'check',
    'types',
    'c6i',
    '--image',
    root,
    '--json',
    '--offline',
  );
  const fit = JSON.parse(out) as { runs: string[]; unknown: string[]; reasons: unknown[] };
  assert.notEqual(code, 0);
  assert.deepEqual(fit.runs, []);
  assert.ok(fit.reasons.length > 0);
});

test('cards to boot on are models, with a profile or all of them', () => {
  assert.deepEqual(parseCards(true), [{ model: 'ena' }]);
  assert.deepEqual(parseCards('82599vf,ena:nitro-v5'), [
    { model: '82599vf' },
    { model: 'ena', profile: 'nitro-v5' },
  ]);
  assert.ok(parseCards('efa:each').length >= 4);
  assert.throws(() => parseCards('e1000'), /no card 'e1000'; expected ena/);
  assert.throws(() => parseCards('ena:nitro-v99'), /no profile 'nitro-v99'; expected each/);
});
