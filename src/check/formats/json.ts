/**
 * `--json`: the report as one document, for programs. This type is its declaration; docs/check.md
 * explains it. What is added keeps the format's name; what changes its meaning makes it `/2`.
 */
import { type Counts, countsOf, type Readiness, type Report } from '../report.ts';
import type { Outcome, Severity } from '../rule.ts';

export const jsonFormat = 'virtfn-check/1';

export type CheckDocument = {
  readonly format: typeof jsonFormat;
  readonly target: { readonly kind: string; readonly name: string; readonly detail: string };
  readonly time: string;
  readonly readiness: Readiness;
  readonly counts: Counts;
  readonly findings: readonly {
    readonly rule: string;
    readonly group: string;
    readonly severity: Severity;
    readonly title: string;
    readonly outcome: Outcome;
    readonly subject: string | null;
    readonly text: string;
    readonly evidence: readonly {
      readonly value: string;
      /** One of `file` and `call` is null. */
      readonly file: string | null;
      readonly line: number | null;
      readonly call: string | null;
    }[];
    readonly reason: string;
    readonly source: string;
    readonly mend: readonly string[];
  }[];
};

export function toJson({ target, time, readiness, findings }: Report): string {
  const document: CheckDocument = {
    format: jsonFormat,
    target,
    time,
    readiness,
    counts: countsOf(findings),
    findings: findings.map(({ rule, outcome, subject, text, evidence, mend }) => ({
      rule: rule.id,
      group: rule.group,
      severity: rule.severity,
      title: rule.title,
      outcome,
      subject,
      text,
      evidence: evidence.map(({ value, at }) => ({
        value,
        file: 'file' in at ? at.file : null,
        line: 'file' in at ? (at.line ?? null) : null,
        call: 'call' in at ? at.call : null,
      })),
      reason: rule.reason,
      source: rule.source,
      mend,
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
