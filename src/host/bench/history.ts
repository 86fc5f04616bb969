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
import { rounded, type Spread } from './figures.ts';
import { type HistoryEntry, historyOf, markdownOf } from './markdown.ts';

const PAGE = 'docs/performance.md';
const HISTORY = 'docs/performance-history.jsonl';
const lastMarks = ['<!-- bench: the last recorded run -->', '<!-- bench end -->'] as const;
const historyMarks = ['<!-- bench: all recorded runs -->', '<!-- bench history end -->'] as const;
type Marks = readonly [begin: string, end: string];

/** Returns the files that were written. @throws SetupError where this is no checkout */
export function recordRun(report: BenchReport): string[] {
  const depth = import.meta.url.endsWith('.ts') ? '../../..' : '../../../..';
  const root = fileURLToPath(new URL(depth, import.meta.url));
  const page = join(root, PAGE);
  const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
  if (![...lastMarks, ...historyMarks].every((mark) => text.includes(mark)))
    throw new SetupError(
      'no-checkout',
      `${PAGE} is not there, or has no marks: --record is for a checkout.`,
    );
  const history = join(root, HISTORY);
  appendFileSync(history, `${JSON.stringify(entryOf(report, commitOf(root)))}\n`);
  const lines = readFileSync(history, 'utf8').trim().split('\n');
  const withLast = between(text, lastMarks, markdownOf(report));
  writeFileSync(page, between(withLast, historyMarks, historyOf(lines)));
  return [HISTORY, PAGE];
}

/** The page with `lines` instead of what stands between two marks. */
export function between(page: string, [begin, end]: Marks, lines: readonly string[]): string {
  const [before = '', rest = ''] = page.split(begin);
  const [, after = ''] = rest.split(end);
  return `${before}${begin}\n\n${lines.join('\n')}\n\n${end}${after}`;
}

/** One run on one line: medians and extremes, by id. */
export function entryOf(report: BenchReport, commit: string | null): HistoryLine {
  const { when, machine, request, figures, targets, ratios, absent } = report;
  const three = ({ median, min, max }: Spread): [number, number, number] => [
    ...([rounded(median), rounded(min), rounded(max)] as const),
  ];
  return {
    ...{ when, commit, machine, request },
    figures: Object.fromEntries(figures.map((it) => [it.id, [...three(it), it.unit]])),
    ratios: Object.fromEntries(ratios.map((it) => [`${it.of}/${it.to}`, three(it)])),
    targets: Object.fromEntries(
      targets.map(({ id, ratio, verdict }) => [
        id,
        { ratio: ratio === null ? null : three(ratio), verdict },
      ]),
    ),
    absent,
  };
}

type HistoryLine = HistoryEntry &
  Pick<BenchReport, 'request' | 'absent'> & {
    readonly figures: Readonly<Record<string, readonly (number | string)[]>>;
    readonly ratios: Readonly<Record<string, readonly number[]>>;
  };

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
