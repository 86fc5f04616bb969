// Runs the compiled tests below one folder: `node tools/run-tests.mjs FOLDER [NAME-PART]`.
// The sources decide which tests exist, so that a stale file in dist/ is never run, and the
// globbing of `node --test` (which differs between Node 20 and 24) is never needed.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';

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
// Guest tests share two cores among two guests and a data plane: one file at a time. Unit tests are
// many and small: a process for each would cost more than they do, so a few processes share them.
const isUnit = folder !== 'test' && !folder.startsWith('test/');
const concurrency = folder === 'test' ? 1 : availableParallelism();
run({ files: isUnit ? grouped(2 * concurrency) : files, concurrency, timeout: maxMsPerFile })
  .on('test:fail', ({ todo }) => {
    if (todo === undefined) process.exitCode = 1; // a known gap is shown, and fails nothing
  })
  .compose(spec)
  .pipe(process.stdout);

/**
 * Writes modules that import the test files between them, evenly; returns their paths. Who looks at
 * what the whole process has open or mapped (proc(5)), or sets its environment, has one of its own.
 */
function grouped(count) {
  const source = (file) => file.replace(/^dist./, '').replace(/\.js$/, '.ts');
  const processWide = /\/proc\/self\/|delete process\.env|process\.env\[.*\] = /;
  const isAlone = (file) => processWide.test(readFileSync(source(file), 'utf8'));
  const shared = files.filter((file) => !isAlone(file));
  const directory = join('dist', 'unit-tests');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const groups = Array.from({ length: Math.min(count, shared.length) }, (_, group) => {
    const own = shared.filter((_, i) => i % count === group);
    const path = join(directory, `${group}.test.js`);
    writeFileSync(path, own.map((file) => `import '${pathToFileURL(resolve(file))}';\n`).join(''));
    return path;
  });
  return [...groups, ...files.filter(isAlone)];
}
