/** Checks an image as `virtfn check image` does, and sees to it that nothing was written to it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import type { ImageFacts } from '../../src/check/image/facts.ts';
import { imageRules } from '../../src/check/image/rules.ts';
import { check, type Report } from '../../src/check/report.ts';
import { gatherImage } from '../../src/host/image/gather.ts';
import { ImageTools } from '../../src/host/image/tools.ts';
import { cacheDirectory } from '../../src/host/packages/cache.ts';
import { noProgress } from '../../src/host/packages/progress.ts';

export const tools = new ImageTools({ cache: cacheDirectory(), progress: noProgress });

export interface Checked {
  facts: ImageFacts;
  report: Report;
  /** Ids of the rules that failed, by severity; those that could not be told. */
  errors: string[];
  warnings: string[];
  unknown: string[];
}

export async function checked(path: string): Promise<Checked> {
  const before = fingerprint(path);
  const facts = await gatherImage(tools, path, () => {}).finally(() =>
    assert.equal(fingerprint(path), before, `${path} was written to`),
  );
  const target = { kind: 'image', name: path, detail: '' } as const;
  const report = check(target, imageRules, facts, '2026-01-01T00:00:00Z');
  const failed = report.findings.filter(({ outcome }) => outcome === 'fail');
  const ids = (severity: string): string[] => [
    ...new Set(failed.filter(({ rule }) => rule.severity === severity).map(({ rule }) => rule.id)),
  ];
  const untold = report.findings.filter(({ outcome }) => outcome === 'unknown');
  return {
    facts,
    report,
    errors: ids('error'),
    warnings: ids('warning'),
    unknown: [...new Set(untold.map(({ rule }) => rule.id))],
  };
}

/** What would change if somebody wrote to it; of a directory, its own times. */
export function fingerprint(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) return `${stat?.mtimeMs} ${stat?.ino}`;
  return createHash('sha256').update(readFileSync(path)).update(`${stat.mtimeMs}`).digest('hex');
}
