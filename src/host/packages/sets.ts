/**
 * Package sets as directories: a set is resolved, downloaded and unpacked once, into a root named
 * by its content (the exact package versions), and found again without apt or the network.
 */

import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  downloadPackages,
  type PrivateApt,
  preparePrivateApt,
  type ResolvedPackage,
  resolveSet,
  untested,
} from './apt.ts';
import { type Archive, findArchive, readMachineSources } from './apt-sources.ts';
import { createDirectory, readJson, replaceFile, withLock } from './cache.ts';
import { lastLines, runCommand } from './command.ts';
import { INSTALL_BY_HAND, SetupError } from './errors.ts';
import type { Progress } from './progress.ts';
import { type PackageSet, RECIPES, type Recipe } from './recipes.ts';

export interface SetOptions {
  /** The cache directory, `cacheDirectory()`. */
  cache: string;
  progress: Progress;
  /** Never touch the network: what is missing is an error. */
  offline?: boolean;
  signal?: AbortSignal | undefined;
}

/** An unpacked set. */
export interface PackageRoot {
  /** The directory which stands for `/`. */
  root: string;
  /** Hash over names and versions: the same key, the same content. */
  key: string;
  packages: ResolvedPackage[];
}

interface Manifest {
  packages: ResolvedPackage[];
  /** Path below the root and size in bytes of every regular file. */
  files: [string, number][];
}

/** The recipe for the machine's distribution and the archive it takes packages from. */
export function chooseRecipe(): { recipe: Recipe; archive: Archive } {
  if (process.arch !== 'x64' || process.platform !== 'linux')
    throw new SetupError(
      'unsupported-machine',
      `Guests are x86_64 Linux and no recipe sets them up on ${process.platform}/${process.arch}: ${INSTALL_BY_HAND}.`,
    );
  const ids = distributionIds();
  const recipe = RECIPES.find(({ distribution }) => ids.includes(distribution));
  if (recipe !== undefined && !(onPath('apt-get') && onPath('dpkg-deb')))
    throw new SetupError(
      'no-package-manager',
      `This system has no apt-get or dpkg-deb on PATH: ${INSTALL_BY_HAND}.`,
    );
  if (recipe === undefined)
    throw new SetupError(
      'unsupported-machine',
      `Nothing is known about setting guests up on ${ids[0] ?? 'this system'}: ${INSTALL_BY_HAND}.`,
    );
  const archive = findArchive(readMachineSources(), recipe.archive);
  if (archive === undefined)
    throw new SetupError(
      'no-archive',
      `No source in /etc/apt looks like the ${recipe.distribution} archive: add it, or ${INSTALL_BY_HAND}.`,
    );
  return { recipe, archive };
}

/**
 * The root of a set, from the cache or made now.
 *
 * @param name the set's name in the cache and in progress: 'qemu', 'kernel-7'
 * @throws SetupError
 */
export async function ensureSet(
  name: string,
  pick: Pick,
  options: SetOptions,
): Promise<PackageRoot> {
  const { cache, progress } = options;
  const found = findSet(name, pick, cache);
  if (found !== undefined) return found;
  if (options.offline)
    throw new SetupError(
      'offline',
      `The packages of ${name} are not in the cache ${cache}: run it once without --offline.`,
    );
  const { recipe, archive } = chooseRecipe();
  const set = pick(recipe);
  if (set === undefined)
    throw new SetupError(
      'package-missing',
      `There is no ${name} for ${recipe.distribution}: choose one of ` +
        `${Object.keys(recipe.sets.kernels).join(', ')}.`,
    );
  const waiting = (pid: number): void =>
    progress(name, undefined, `waiting for process ${pid}, which is setting up the same cache`);
  return withLock(join(cache, 'lock'), waiting, async () => {
    const made = findSet(name, pick, cache);
    if (made !== undefined) return made;
    const apt: PrivateApt = { directory: join(cache, 'apt', recipe.distribution), recipe, archive };
    try {
      return await makeSet(name, set, apt, { ...options, refresh: !hasLists(apt) });
    } catch (error) {
      if (!(error instanceof SetupError) || error.problem === 'offline') throw error;
      // the lists may be older than the archive: once more with new ones
      return await makeSet(name, set, apt, { ...options, refresh: true });
    }
  });
}

type Pick = (recipe: Recipe) => PackageSet | undefined;

/** The key of a set that was made by the recipe as it is now, without a look at its files. */
export function findSetKey(name: string, pick: Pick, cache: string): string | undefined {
  const record = readJson(join(cache, 'sets', `${name}.json`)) as
    | { recipe: string; key: string }
    | undefined;
  const known = RECIPES.map(pick).some((set) => set && describe(set) === record?.recipe);
  return known ? record?.key : undefined;
}

/** The same with its files, all of them there. */
function findSet(name: string, pick: Pick, cache: string): PackageRoot | undefined {
  const key = findSetKey(name, pick, cache);
  if (key === undefined) return undefined;
  const directory = join(cache, 'packages', key);
  const manifest = readJson(join(directory, 'manifest.json')) as Manifest | undefined;
  const root = join(directory, 'root');
  const intact = manifest?.files.every(([path, size]) => isIntact(root, path, size));
  return intact ? { root, key, packages: manifest?.packages ?? [] } : undefined;
}

async function makeSet(
  name: string,
  set: PackageSet,
  apt: PrivateApt,
  options: SetOptions & { refresh: boolean },
): Promise<PackageRoot> {
  const { cache, signal } = options;
  const step: Progress = (_, fraction, text) => options.progress(name, fraction, text);
  step(name, undefined, `${options.refresh ? 'reading the package lists' : 'resolving'}`);
  await preparePrivateApt(apt, step, { refresh: options.refresh, signal });
  const packages = await resolveSet(apt, set);
  const key = `${name}-${hash(JSON.stringify(packages)).slice(0, 16)}`;
  const directory = join(cache, 'packages', key);
  await createDirectory(directory, async (temporary) => {
    const archives = join(temporary, 'archives');
    const root = join(temporary, 'root');
    await mkdir(archives);
    await downloadPackages(apt, packages, archives, step, signal);
    await unpack(archives, root, step, signal);
    await rm(archives, { recursive: true });
    for (const name of [...(set.keepsDocs ? [] : ['doc']), 'locale', 'man'])
      await rm(join(root, 'usr/share', name), { recursive: true, force: true });
    const files = listFiles(root);
    if (!files.some(([path]) => set.proof.test(path)))
      throw new SetupError(
        'broken-package',
        `${set.packages.join(', ')} has no file ${set.proof.source}${untested(apt.recipe)}: ${INSTALL_BY_HAND}.`,
      );
    await writeFile(join(temporary, 'manifest.json'), JSON.stringify({ packages, files }));
  });
  await replaceFile(
    join(cache, 'sets', `${name}.json`),
    JSON.stringify({ recipe: describe(set), key }),
  );
  step(name, 1, `${packages.length} packages`);
  return { root: join(directory, 'root'), key, packages };
}

async function unpack(
  archives: string,
  root: string,
  step: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const names = (await readdir(archives)).filter((name) => name.endsWith('.deb')).sort();
  for (const [index, name] of names.entries()) {
    step('', index / names.length, `unpacking ${name.replace(/_.*/, '')}`);
    const result = await runCommand('dpkg-deb', ['-x', join(archives, name), root], { signal });
    if (result.code !== 0)
      throw new SetupError(
        'broken-package',
        `${name} could not be unpacked: ${lastLines(result.stderr)}; check the free space of the cache and run it again.`,
      );
  }
}

function hasLists(apt: PrivateApt): boolean {
  const lists = join(apt.directory, 'lists');
  if (!existsSync(join(apt.directory, 'sources.d', 'archive.sources')) || !existsSync(lists))
    return false;
  return apt.recipe.suites.every((suite) =>
    readdirSync(lists).some((name) => name.includes(`_${suite}_`) && name.includes('_Packages')),
  );
}

function describe(set: PackageSet): string {
  return hash(
    JSON.stringify([set.packages, set.release, set.only?.source, set.proof.source]),
  ).slice(0, 16);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function isIntact(root: string, path: string, size: number): boolean {
  return lstatSync(join(root, path), { throwIfNoEntry: false })?.size === size;
}

function listFiles(root: string): [string, number][] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry): [string, number] => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(root.length + 1), lstatSync(path).size];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function onPath(command: string): boolean {
  const path = process.env['PATH'] ?? '';
  return path.split(':').some((directory) => existsSync(join(directory, command)));
}

/** ID and ID_LIKE of os-release(5). */
function distributionIds(): string[] {
  const text = ['/etc/os-release', '/usr/lib/os-release'].map((path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  });
  const value = (name: string): string =>
    new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text.find((t) => t !== '') ?? '')?.[1] ?? '';
  return `${value('ID')} ${value('ID_LIKE')}`.split(' ').filter((id) => id !== '');
}
