// Checks what neither the compiler nor the linter can see: who may import whom, what the models may
// ask the system, file names and sizes, and that the pages about the code still say what it does.
// Each check has a name, by which STYLE.md refers to it. Prints each violation; exits 1 if any.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

/** Room -> rooms it may import. A path with a slash is a room of its own. As in ARCHITECTURE.md. */
const rooms = {
  lib: [],
  defs: ['lib'],
  sys: ['lib'],
  net: ['lib'],
  srd: ['lib', 'net'],
  pci: ['lib'],
  'vfio-user': ['lib', 'sys', 'pci'],
  'devices/common': ['lib', 'net', 'pci'],
  'devices/amazon': ['lib', 'defs', 'pci'],
  'devices/ena': ['lib', 'defs', 'net', 'pci', 'devices/common', 'devices/amazon'],
  'devices/ixgbevf': ['lib', 'defs', 'net', 'pci', 'devices/common'],
  'devices/efa': ['lib', 'defs', 'net', 'pci', 'srd', 'devices/common', 'devices/amazon'],
  drivers: ['lib', 'defs', 'net', 'pci'],
  switch: ['lib', 'net'],
  fastpath: ['lib', 'net', 'defs'],
  vpc: ['lib', 'net', 'switch'],
  api: ['lib', 'vpc'],
  check: ['lib', 'vpc'],
  host: ['*'],
  cli: ['lib', 'host', 'check', 'vpc'],
};
/** Rooms that run in virtual time, under any transport: they know neither system nor clock. */
const models = ['defs', 'net', 'srd', 'pci', 'devices', 'drivers', 'switch'];
const maxLines = 500;
const maxDecisionLines = 50;
/** Declarations of public formats are tables: as long as the hardware is. */
const tables = /^defs\//;

const systemTime =
  /\b(Date\.now|performance\.now|process\.hrtime|setTimeout|setInterval)\b|Math\.random/;
/** What a test may not take for a seed, or CI fails by luck. */
const ownChance = /\bDate\.now\b|\bMath\.random\b|_SEED'\]/;
const bigInt = /\bBigInt\(|\b(0x[\da-f_]+|\d[\d_]*)n\b/;
/** Turns the time of day, which is one, into words: once, when a function is made. */
const usesBigInt = 'devices/ena/device-time.ts';
const suppression = /biome-ignore|@ts-(ignore|expect-error|nocheck)/;
const postponed = /\b(TODO|FIXME|XXX|HACK)\b/;
const fileName = /^[a-z0-9]+(-[a-z0-9]+)*(\.sim)?(\.test)?\.(ts|mjs)$/;
/** Absolute home and work directories are somebody's own. */
const ownPath = /(?:^|[\s'"`(])(\/work\/|\/root\/|\/Users\/|\/home\/[a-z])/m;

/** By name: what is checked of one TypeScript file in src/. Each returns what is wrong. */
const checks = {
  rooms: ({ file, text, isTest }) => {
    const from = roomOf(file);
    if (from === undefined) return ['belongs to no room of tools/tidy.mjs'];
    return importsOf(text).flatMap((path) => {
      if (path === 'koffi' && from !== 'sys') return ['only sys/ may import koffi'];
      if (!path.startsWith('.')) return [];
      const to = roomOf(relative('src', join('src', dirname(file), path)));
      const allowed = rooms[from];
      if (to === from || isTest || allowed.includes('*') || allowed.includes(to)) return [];
      return [`${from} may not import ${to} (${path})`];
    });
  },
  pure: ({ file, text, isTest }) => {
    if (isTest || !isModel(file)) return [];
    const found = importsOf(text).filter((path) => path.startsWith('node:'));
    return found.map((path) => `a model may not import ${path}`);
  },
  time: ({ file, text, isTest }) => {
    const [found] = (!isTest && isModel(file) && systemTime.exec(text)) || [];
    return found ? [`time and chance come from Clock and Prng, not from ${found}`] : [];
  },
  bigint: ({ file, text, isTest }) => {
    const [found] = (!isTest && isModel(file) && file !== usesBigInt && bigInt.exec(text)) || [];
    return found ? [`no BigInt near the data path (${found})`] : [];
  },
  head: ({ text, isTest }) =>
    isTest || /^(#!.*\n)?\/\*\*/.test(text) ? [] : ['no head comment that says what it is'],
  size: ({ file, text, isTest }) => {
    const lines = text.split('\n').length;
    return isTest || tables.test(file) || lines <= maxLines
      ? []
      : [`${lines} of ${maxLines} lines`];
  },
};

/** AssemblyScript adds the extension to what an import names. */
const isAssemblyScript = (file) => file.startsWith('src/fastpath/wasm/');

/** By name: what is checked of every TypeScript and JavaScript file of the project. */
const everywhere = {
  name: ({ file }) => (fileName.test(basename(file)) ? [] : ['file names are kebab-case']),
  extension: ({ file, text }) =>
    importsOf(text)
      .filter((path) => path.startsWith('.') && !isAssemblyScript(file))
      .filter((path) => !/\.(ts|mjs|js)$/.test(path))
      .map((path) => `an import names the file with its extension (${path})`),
  suppression: ({ text }) => matches(text, suppression, 'mend it, or change the rule for all'),
  postponed: ({ text }) => matches(text, postponed, 'do it, or file an issue'),
  chance: ({ file, text }) =>
    /\.test\.ts$/.test(file) ? matches(text, ownChance, 'seeds come from lib/testing-seed.ts') : [],
  only: ({ text }) => matches(text, /\b(test|it|describe)\.only\(/, 'all tests run'),
};

/** By name: what is checked of the project as a whole. */
const whole = {
  leaks: () =>
    tracked(/\.(ts|mjs|json|md|ya?ml|sh)$/).flatMap(({ file, text }) => {
      const [, found] = (file !== 'tools/tidy.mjs' && ownPath.exec(text)) || [];
      return found ? [`${file}: names a path of one machine (${found})`] : [];
    }),
  links: () =>
    tracked(/\.md$/).flatMap(({ file, text }) =>
      [...text.matchAll(/\]\(([^):#]+)(#[^)]*)?\)/g)]
        .filter(([, path]) => !existsSync(join(dirname(file), path)))
        .map(([, path]) => `${file}: links to ${path}, which is not there`),
    ),
  architecture: () => {
    const [, section] = /^## Rooms(.*?)^## /ms.exec(readFileSync('ARCHITECTURE.md', 'utf8'));
    const rows = section.matchAll(/^\| `([^`]+)` *\| ([^|]+) \|/gm);
    const said = new Map([...rows].map(([, room, allowed]) => [room, namesIn(allowed)]));
    const differ = Object.keys(rooms).filter((room) => `${said.get(room)}` !== `${rooms[room]}`);
    const strange = [...said.keys()].filter((room) => !(room in rooms));
    return [...differ, ...strange].map((room) => `ARCHITECTURE.md: room ${room} is another here`);
  },
  style: () => {
    const text = readFileSync('STYLE.md', 'utf8');
    const { compilerOptions } = JSON.parse(readFileSync('tsconfig.json', 'utf8'));
    const own = Object.keys({ ...checks, ...everywhere, ...whole });
    const named = [...text.matchAll(/\btidy `(\w+)`/g)].map(([, name]) => name);
    const options = [...text.matchAll(/\btsc `(\w+)`/g)].map(([, name]) => name);
    return [
      ...own.filter((name) => !named.includes(name)).map((name) => `does not name tidy ${name}`),
      ...named.filter((name) => !own.includes(name)).map((name) => `there is no tidy ${name}`),
      ...options.filter((name) => !(name in compilerOptions)).map((name) => `no option ${name}`),
    ].map((what) => `STYLE.md: ${what}`);
  },
  decisions: () =>
    readdirSync('docs/decisions')
      .sort()
      .flatMap((file, i) => {
        const number = String(i + 1).padStart(4, '0');
        const lines = readFileSync(join('docs/decisions', file), 'utf8').split('\n').length;
        return [
          ...(file.startsWith(`${number}-`) ? [] : [`${file}: the next number is ${number}`]),
          ...(lines <= maxDecisionLines ? [] : [`${file}: ${lines} lines are more than a screen`]),
        ].map((what) => `docs/decisions/${what}`);
      }),
};

const sources = filesBelow('src', '.ts');
const others = [...filesBelow('test', '.ts'), ...filesBelow('bench', '.mjs')];
const violations = [
  ...sources.flatMap((source) => run(checks, { ...source, file: source.file.slice(4) }, 'src/')),
  ...[...sources, ...others].flatMap((source) => run(everywhere, source, '')),
  ...Object.entries(whole).flatMap(([name, check]) => check().map((what) => `${what} [${name}]`)),
];
for (const violation of violations) console.error(violation);
console.log(`tidy: ${sources.length + others.length} files, ${violations.length} violations`);
process.exitCode = violations.length === 0 ? 0 : 1;

function run(table, source, folder) {
  return Object.entries(table).flatMap(([name, check]) =>
    check(source).map((what) => `${folder}${source.file}: ${what} [${name}]`),
  );
}

function filesBelow(folder, ending) {
  return readdirSync(resolve(folder), { recursive: true })
    .filter((file) => file.endsWith(ending))
    .map((name) => {
      const file = join(folder, name);
      return { file, text: readFileSync(file, 'utf8'), isTest: /\.test\.ts$/.test(file) };
    });
}

/** Files that git knows and that are there; none in an unpacked archive. */
function tracked(pattern) {
  let names = '';
  try {
    names = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return [];
  }
  return names.split('\0').flatMap((file) => {
    try {
      return pattern.test(file) ? [{ file, text: readFileSync(file, 'utf8') }] : [];
    } catch {
      return []; // deleted, not yet committed
    }
  });
}

function roomOf(file) {
  return Object.keys(rooms).find((room) => file === `${room}.ts` || file.startsWith(`${room}/`));
}

function isModel(file) {
  return models.some((room) => file.startsWith(`${room}/`));
}

function importsOf(text) {
  return [...text.matchAll(/(?:\bfrom|\bimport\(|^import) ?'([^']+)'/gm)].map(([, path]) => path);
}

function matches(text, pattern, advice) {
  const [found] = pattern.exec(text) ?? [];
  return found === undefined ? [] : [`${found}: ${advice}`];
}

function namesIn(cell) {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
}
