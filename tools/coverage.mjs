// Line coverage of one room by some tests: `node tools/coverage.mjs ROOM LEAST-PERCENT FOLDER [PART]`,
// like `node tools/coverage.mjs devices/ena 95 test/sim`. Build first. Counts lines of code, not
// comments, of the compiled files; a line is covered when any test's process ran all of it that is
// not a branch of its own. (Node 20's own report breaks off on files this large.)
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [room = '', least = '0', folder = 'test/sim', ...part] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'virtfn-coverage-'));
const tests = spawnSync(process.execPath, ['tools/run-tests.mjs', folder, ...part], {
  env: { ...process.env, NODE_V8_COVERAGE: directory },
  stdio: ['ignore', 'ignore', 'inherit'],
});
const code = (line) => !/^\s*(\/\*|\*|\/\/|$)/.test(line) && !/^\s*[)}\]]+[;,]?\s*$/.test(line);

/** By file: its lines, and for each whether it has run. */
const files = new Map(
  readdirSync(`src/${room}`, { recursive: true })
    .filter((name) => name.endsWith('.ts') && !/(\.test|testing-[^/]*)\.ts$/.test(name))
    .map((name) => {
      const built = `dist/src/${room}/${name.replace(/\.ts$/, '.js')}`;
      const text = readFileSync(built, 'utf8');
      return [built, { text, lines: text.split('\n'), ran: new Set() }];
    }),
);

for (const name of readdirSync(directory)) {
  const { result } = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  for (const { url, functions } of result) {
    if (!url.startsWith('file:')) continue;
    const file = files.get(fileURLToPath(url).slice(process.cwd().length + 1));
    if (file !== undefined) note(file, functions);
  }
}
rmSync(directory, { recursive: true });

/** Inner ranges come after outer ones and have the last word. */
function note({ text, lines, ran }, functions) {
  const counts = new Uint8Array(text.length);
  const ranges = functions.flatMap((one) => one.ranges);
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const { startOffset, endOffset, count } of ranges)
    counts.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  let at = 0;
  for (const [i, line] of lines.entries()) {
    const first = at + line.search(/\S|$/);
    if (counts.subarray(first, at + line.length).every((count) => count > 0)) ran.add(i);
    at += line.length + 1;
  }
}

let [all, covered] = [0, 0];
for (const [name, { lines, ran }] of files) {
  const wanted = lines.flatMap((line, i) => (code(line) ? [i] : []));
  const missed = wanted.filter((i) => !ran.has(i));
  all += wanted.length;
  covered += wanted.length - missed.length;
  const percent = (100 * (1 - missed.length / Math.max(1, wanted.length))).toFixed(1);
  const where = missed.length === 0 ? '' : `  not: ${missed.map((i) => i + 1).join(' ')}`;
  console.log(`${percent.padStart(5)} %  ${name.slice(`dist/src/${room}/`.length)}${where}`);
}
const percent = (100 * covered) / Math.max(1, all);
console.log(`${percent.toFixed(1).padStart(5)} %  of ${all} lines of ${room}, by ${folder}`);
if (tests.status !== 0 || percent < Number(least)) process.exitCode = 1;
