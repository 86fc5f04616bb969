// Checks the code itself: who may import whom, one head comment per file, file sizes, and that
// nothing of the machine it was written on has leaked into it. Prints each violation; exits 1.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** Room -> rooms it may import. A path with a slash is a room of its own. STYLE.md explains. */
const rooms = {
  lib: [],
  defs: ['lib'],
  sys: ['lib'],
  net: ['lib'],
  pci: ['lib'],
  'vfio-user': ['lib', 'sys', 'pci'],
  'devices/ena': ['lib', 'defs', 'net', 'pci'],
  'devices/ixgbevf': ['lib', 'defs', 'net', 'pci'],
  'devices/efa': ['lib', 'defs', 'net', 'pci'],
  drivers: ['lib', 'defs', 'net', 'pci'],
  switch: ['lib', 'net'],
  vpc: ['lib', 'net', 'switch'],
  api: ['lib', 'vpc'],
  check: ['lib', 'vpc'],
  host: ['*'],
  cli: ['lib', 'host', 'check', 'vpc'],
};
const maxLines = 500;
/** Declarations of public formats are tables: as long as the hardware is. */
const tables = /^defs\//;

const root = resolve('src');
const violations = [];
const files = readdirSync(root, { recursive: true }).filter((file) => file.endsWith('.ts'));
for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8');
  const isTest = file.endsWith('.test.ts');
  checkImports(file, text, isTest);
  if (!isTest && !/^(#!.*\n)?\/\*\*/.test(text)) violations.push(`${file}: no head comment`);
  const lines = text.split('\n').length;
  if (!isTest && !tables.test(file) && lines > maxLines)
    violations.push(`${file}: ${lines} lines, at most ${maxLines}`);
}
checkLeaks();
for (const violation of violations) console.error(violation);
console.log(`tidy: ${files.length} files, ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;

function roomOf(file) {
  return Object.keys(rooms).find((room) => file === `${room}.ts` || file.startsWith(`${room}/`));
}

function checkImports(file, text, isTest) {
  const from = roomOf(file);
  if (from === undefined) {
    violations.push(`${file}: belongs to no room of tools/tidy.mjs`);
    return;
  }
  for (const [, path] of text.matchAll(/(?:from|import\() ?'([^']+)'/g)) {
    if (path === 'koffi' && from !== 'sys') violations.push(`${file}: only sys/ may import koffi`);
    if (!path.startsWith('.')) continue;
    const to = roomOf(relative(root, resolve(root, dirname(file), path)));
    const allowed = rooms[from];
    if (to === from || isTest || allowed.includes('*') || allowed.includes(to)) continue;
    violations.push(`${file}: ${from} may not import ${to} (${path})`);
  }
}

/** Absolute home or work paths and mirror addresses have no place in a public tree. */
function checkLeaks() {
  let tracked = '';
  try {
    tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' });
  } catch {
    return; // an unpacked archive: nothing to ask
  }
  for (const file of tracked
    .split('\0')
    .filter((name) => /\.(ts|mjs|json|md|ya?ml|sh)$/.test(name))) {
    let text;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      continue; // deleted, not yet committed
    }
    const found = text.match(/(?:^|[\s'"`(])(\/work\/|\/root\/|\/home\/[a-z])/m);
    if (found) violations.push(`${file}: names a path of one machine (${found[1]})`);
  }
}
