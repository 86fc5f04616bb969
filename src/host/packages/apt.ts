/**
 * A private apt: the machine's own configuration (proxies, credentials, keys) with sources, lists,
 * status and archives of its own, so that it needs no root and changes nothing of the machine.
 * Follows apt.conf(5), apt-get(8) and apt's README.progress-reporting.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Archive } from './apt-sources.ts';
import { replaceFile } from './cache.ts';
import { lastLines, runCommand } from './command.ts';
import { SetupError } from './errors.ts';
import type { Progress } from './progress.ts';
import type { PackageSet, Recipe } from './recipes.ts';

export interface PrivateApt {
  directory: string;
  recipe: Recipe;
  archive: Archive;
}

export interface ResolvedPackage {
  name: string;
  version: string;
  architecture: string;
}

/** Writes the configuration and, when there are no package lists yet, gets them. */
export async function preparePrivateApt(
  apt: PrivateApt,
  progress: Progress,
  options: { refresh: boolean; signal?: AbortSignal | undefined },
): Promise<void> {
  const { directory } = apt;
  for (const name of ['lists/partial', 'archives/partial', 'preferences.d', 'sources.d'])
    await mkdir(join(directory, name), { recursive: true });
  await writeFile(join(directory, 'status'), '');
  await writeFile(join(directory, 'apt.conf'), configuration(directory));
  if (options.refresh) await update(apt, progress, options.signal);
}

/** What the set and all that it depends on would install. */
export async function resolveSet(apt: PrivateApt, set: PackageSet): Promise<ResolvedPackage[]> {
  const release = set.release === undefined ? [] : ['-t', set.release];
  const result = await aptGet(apt, ['install', '-s', ...release, ...set.packages]);
  if (result.code !== 0)
    throw new SetupError(
      'package-missing',
      `The archive has no usable ${set.packages.join(', ')}${untested(apt.recipe)}: ` +
        lastLines(result.stderr),
    );
  return parseSimulation(result.stdout).filter(({ name }) => set.only?.test(name) ?? true);
}

/** Downloads into `directory`; apt checks every file against the signed lists. */
export async function downloadPackages(
  apt: PrivateApt,
  packages: readonly ResolvedPackage[],
  directory: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const names = packages.map((p) => `${p.name}:${p.architecture}=${p.version}`);
  const result = await aptGet(apt, ['download', ...names], progress, directory, signal);
  if (result.code !== 0)
    throw new SetupError(
      'download-failed',
      `${packages.length} packages could not be downloaded from the machine's package archive: ` +
        `${lastLines(result.stderr)}; check the network or proxy of apt and run it again.`,
    );
}

/** The lines `Inst NAME [OLD] (VERSION RELEASE... [ARCH]) [...]` of a simulated installation. */
export function parseSimulation(text: string): ResolvedPackage[] {
  const packages: ResolvedPackage[] = [];
  for (const line of text.split('\n')) {
    const match = /^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) [^)]*\[([^\]]+)\]\)/.exec(line);
    const [, name, version, architecture] = match ?? [];
    if (name !== undefined && version !== undefined && architecture !== undefined)
      packages.push({ name: name.replace(/:.*/, ''), version, architecture });
  }
  return packages;
}

/** The text of a deb822 source of these suites, trusted and reached as the machine does it. */
export function sourceText(archive: Archive, suites: readonly string[], recipe: Recipe): string {
  const fields: [string, string][] = [
    ['Types', 'deb'],
    ['URIs', archive.uri],
    ['Suites', suites.join(' ')],
    ['Components', recipe.components.join(' ')],
    ['Architectures', 'amd64'],
    ['Targets', 'Packages'],
    ...archive.options,
  ];
  return `${fields.map(([name, value]) => `${name}: ${value}`).join('\n')}\n`;
}

export function untested(recipe: Recipe): string {
  return recipe.seenToWork ? '' : ` (the recipe for ${recipe.distribution} is untested)`;
}

async function update(apt: PrivateApt, progress: Progress, signal?: AbortSignal): Promise<void> {
  const { recipe, archive, directory } = apt;
  const all = [...recipe.suites, ...recipe.optionalSuites];
  let complaint = '';
  for (const suites of [all, recipe.suites]) {
    await replaceFile(
      join(directory, 'sources.d', 'archive.sources'),
      sourceText(archive, suites, recipe),
    );
    const result = await aptGet(apt, ['update'], progress, undefined, signal);
    // apt-get update calls a failed download a warning and keeps the old list
    if (result.code === 0 && !/^[EW]: (Failed|Some index)/m.test(result.stderr)) return;
    complaint = lastLines(result.stderr);
  }
  throw new SetupError(
    'offline',
    `The package lists of ${recipe.suites.join(', ')} could not be had${untested(recipe)}: ` +
      `${complaint}; check that 'apt-get update' works on this machine, then run it again.`,
  );
}

/** Read after the machine's own files, so that it wins over them. */
function configuration(directory: string): string {
  return `Dir::State "${directory}";
Dir::State::lists "${directory}/lists";
Dir::State::status "${directory}/status";
Dir::State::extended_states "${directory}/extended_states";
Dir::Cache "${directory}";
Dir::Cache::archives "${directory}/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "${directory}/sources.d";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "${directory}/preferences.d";
#clear APT::Architectures;
#clear APT::Update;
#clear DPkg;
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Default-Release "";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::Retries "2";
Quiet "1";
`;
}

function aptGet(
  apt: PrivateApt,
  args: readonly string[],
  progress?: Progress,
  cwd = apt.directory,
  signal?: AbortSignal,
): ReturnType<typeof runCommand> {
  const config = join(apt.directory, 'apt.conf');
  const onStatus = (line: string): void => {
    const [kind, , percent = '', text = ''] = line.split(':');
    if (kind === 'dlstatus') progress?.('download', Number(percent) / 100, text);
  };
  return runCommand('apt-get', ['-c', config, '-o', 'APT::Status-Fd=3', ...args], {
    cwd,
    timeoutMs: 15 * 60_000,
    signal,
    onStatus,
  });
}
