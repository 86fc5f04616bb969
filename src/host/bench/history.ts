/**
 * Where recorded runs go: a line of JSON each in docs/performance-history.jsonl, and the last one as
 * tables in docs/performance.md, between two marks.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from '../packages/errors.ts';
import type { BenchReport } from './bench.ts';
import { markdownOf } from './markdown.ts';

const PAGE = 'docs/performance.md';
const HISTORY = 'docs/performance-history.jsonl';
const marks = { begin: '<!-- bench: the last recorded run -->', end: '<!-- bench end -->' };

/** Returns the files that were written. @throws SetupError where this is no checkout */
export function recordRun(report: BenchReport): string[] {
  const depth = import.meta.url.endsWith('.ts') ? '../../..' : '../../../..';
  const root = fileURLToPath(new URL(depth, import.meta.url));
  const page = join(root, PAGE);
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
  if (!text.includes(marks.begin) || !text.includes(marks.end))
    throw new SetupError(
      'no-checkout',
      `${PAGE} is not there, or has no marks: --record is for a checkout.`,
    );
  appendFileSync(join(root, HISTORY), `${JSON.stringify(entryOf(report, commitOf(root)))}\n`);
  writeFileSync(page, withTables(text, markdownOf(report)));
  return [HISTORY, PAGE];
}

export function withTables(page: string, tables: readonly string[]): string {
  const [before = '', rest = ''] = page.split(marks.begin);
  const [, after = ''] = rest.split(marks.end);
  return `${before}${marks.begin}\n\n${tables.join('\n')}\n\n${marks.end}${after}`;
}

/** One run on one line: medians and extremes, by id. */
export function entryOf(report: BenchReport, commit: string | null): Record<string, unknown> {
  const { when, machine, request, figures, targets, ratios, absent } = report;
  const three = ({ median, min, max }: { median: number; min: number; max: number }): number[] =>
    [median, min, max].map((value) => Number(value.toPrecision(4)));
  return {
    ...{ when, commit, machine, request },
    figures: Object.fromEntries(figures.map((it) => [it.id, [...three(it), it.unit]])),
    ratios: Object.fromEntries(ratios.map((it) => [`${it.of}/${it.to}`, three(it)])),
    targets: targets.map(({ goal, peer, ratio, verdict }) => [
      ...[goal, peer, verdict],
      ratio === null ? null : three(ratio),
    ]),
    absent,
  };
}

/** With a plus where the checkout is not as it was committed; null: git does not know. */
function commitOf(root: string): string | null {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`;
  } catch {
    return null;
  }
}
