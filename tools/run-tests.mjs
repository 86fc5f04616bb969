// Runs the compiled tests below one folder: `node tools/run-tests.mjs FOLDER [NAME-PART]`.
// The sources decide which tests exist, so that a stale file in dist/ is never run, and the
// globbing of `node --test` (which differs between Node 20 and 24) is never needed.
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const [folder = 'src', part = ''] = process.argv.slice(2);
const files = readdirSync(folder, { recursive: true })
  .filter((file) => file.endsWith('.test.ts') && file.includes(part))
  .map((file) => join('dist', folder, file.replace(/\.ts$/, '.js')))
  .sort();
if (files.length === 0) {
  console.error(`no test below ${folder}/ has a name that contains '${part}'`);
  process.exit(1);
}
// A file that hangs fails, and the others still run.
const maxMsPerFile = 15 * 60_000;
// Guest tests share two cores among two guests and a data plane: one file at a time.
const concurrency = folder === 'test' ? 1 : availableParallelism();
run({ files, concurrency, timeout: maxMsPerFile })
  .on('test:fail', ({ todo }) => {
    if (todo === undefined) process.exitCode = 1; // a known gap is shown, and fails nothing
  })
  .compose(spec)
  .pipe(process.stdout);
