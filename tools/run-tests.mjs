// Runs the compiled tests below one folder: `node tools/run-tests.mjs FOLDER [NAME-PART]`.
// The sources decide which tests exist, so that a stale file in dist/ is never run, and the
// globbing of `node --test` (which differs between Node 20 and 24) is never needed.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';
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
const cores = availableParallelism();
// A guest, two cores and a data plane, or somebody who measures: one file at a time, and last. What
// takes no guest tells of a failure in a minute, and then there is no need to wait for the others.
const takesMachine = (file) =>
  /^dist\/test\/(bench|guest|host\/idle|check\/guest|image\/boot)/.test(file);
// Many and small: a process for each would cost more than they do, so a few processes share them.
const isSmall = (file) => /^dist\/(src|test\/sim)\//.test(file);
const small = grouped(files.filter(isSmall), 2 * cores);
const others = files.filter((file) => !isSmall(file) && !takesMachine(file));
await runAll([...small, ...others], cores);
if (process.exitCode === undefined) await runAll(files.filter(takesMachine), 1);

async function runAll(some, concurrency) {
  if (some.length === 0) return;
  const events = run({ files: some, concurrency, timeout: maxMsPerFile });
  events.on('test:fail', ({ todo }) => {
    if (todo === undefined) process.exitCode = 1; // a known gap is shown, and fails nothing
  });
  await pipeline(events, new Spec(), process.stdout, { end: false });
}

/**
 * Writes modules that import the test files between them, evenly; returns their paths. Who looks at
 * what the whole process has open or mapped (proc(5)), or sets its environment, has one of its own.
 */
function grouped(some, count) {
  const source = (file) => file.replace(/^dist./, '').replace(/\.js$/, '.ts');
  const processWide = /\/proc\/self\/|delete process\.env|process\.env\[.*\] = /;
  const isAlone = (file) => processWide.test(readFileSync(source(file), 'utf8'));
  const shared = some.filter((file) => !isAlone(file));
  const directory = join('dist', 'unit-tests');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const groups = Array.from({ length: Math.min(count, shared.length) }, (_, group) => {
    const own = shared.filter((_, i) => i % count === group);
    const path = join(directory, `${group}.test.js`);
    writeFileSync(path, own.map((file) => `import '${pathToFileURL(resolve(file))}';\n`).join(''));
    return path;
  });
  return [...groups, ...some.filter(isAlone)];
}
