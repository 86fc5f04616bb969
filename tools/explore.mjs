// Looks for what the gate's fixed seeds do not meet: `npm run explore -- [MINUTES] [NAME-PART]` runs
// every test file with seeds of its own, one file at a time, for MINUTES altogether (10 if not said).
// Each failure is printed with the command that replays it; exits 1 if there was any.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';

const [minutes = '10', part = ''] = process.argv.slice(2);
const files = ['src', 'test/sim']
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => join(folder, file)))
  .filter((file) => file.endsWith('.test.ts') && file.includes(part))
  .map((file) => ({ file, tests: seededTestsOf(file) }))
  .filter(({ tests }) => tests > 0)
  .sort((a, b) => a.file.localeCompare(b.file));
const tests = files.reduce((sum, file) => sum + file.tests, 0);
if (!(Number(minutes) > 0) || tests === 0) {
  console.error('npm run explore -- [MINUTES] [PART of the name of a test file that has seeds]');
  process.exit(1);
}
process.env['VIRTFN_FUZZ_SECONDS'] = String((Number(minutes) * 60) / tests);
// Each test begins at a seed of its own, in CI too.
delete process.env['CI'];
for (const { file } of files) {
  const compiled = join('dist', file.replace(/\.ts$/, '.js'));
  for await (const { type, data } of run({ files: [compiled] })) {
    if (type === 'test:diagnostic' && /seeds from/.test(data.message)) console.log(data.message);
    if (type !== 'test:fail' || data.details.error.failureType === 'subtestsFailed') continue;
    console.error(`FAILED ${file}: ${data.name}\n${inspect(data.details.error.cause)}`);
    process.exitCode = 1;
  }
}

/** How many tests of the file go on with more seeds, as near as its text says. */
function seededTestsOf(file) {
  const calls = readFileSync(file, 'utf8').match(/^ *(seeded|seededTimes|withSeeds)\(/gm);
  return calls?.length ?? 0;
}
