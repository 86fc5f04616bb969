/** A report of `virtfn check` for people: a line per finding, more where there is something to do. */
import { placeText } from '../check/fact.ts';
import { countsOf, type Finding, type Report } from '../check/report.ts';
import type { Outcome, RuleInfo, Severity } from '../check/rule.ts';
import { fit, type Paint, wrap } from './terminal.ts';

export type Look = { readonly width: number; readonly paint: Paint; readonly all: boolean };

const indent = ' '.repeat(9);
/** So many that are well by one rule have a line each. */
const mostAlike = 4;
/** Sentences are not drawn over a wide screen. */
const readable = 100;

export function renderReport(report: Report, look: Look): string[] {
  const { target, findings } = report;
  const { bold } = look.paint;
  const shown = findings.filter(({ outcome }) => look.all || outcome !== 'notApplicable');
  const groups = [...new Set(shown.map(({ rule }) => rule.group))];
  const about = target.detail === '' ? '' : `  ${target.detail}`;
  return [
    `${bold(`${target.kind} ${target.name}`)}${about}`,
    ...groups.flatMap((group) => [
      '',
      bold(group),
      ...groupLines(
        shown.filter(({ rule }) => rule.group === group),
        look,
      ),
    ]),
    '',
    ...summary(report, look),
  ];
}

function groupLines(findings: readonly Finding[], look: Look): string[] {
  const told = look.all ? findings : shorten(findings);
  const room = Math.min(24, Math.max(0, ...told.map(({ subject }) => subject?.length ?? 0)));
  return told.flatMap((finding) => lines(finding, room, look));
}

/** Many things that are well by one rule are one line. */
function shorten(findings: readonly Finding[]): Finding[] {
  const rules = [...new Set(findings.map(({ rule }) => rule))];
  return rules.flatMap((rule) => {
    const own = findings.filter((finding) => finding.rule === rule);
    const well = own.filter(({ outcome }) => outcome === 'pass');
    const [first] = well;
    if (first === undefined || well.length <= mostAlike) return own;
    const all = { ...first, subject: `${well.length} of ${own.length}`, text: rule.title };
    return [all, ...own.filter(({ outcome }) => outcome !== 'pass')];
  });
}

function lines(finding: Finding, room: number, look: Look): string[] {
  const { outcome, rule, subject } = finding;
  const { paint } = look;
  const width = Math.min(look.width, readable) - indent.length;
  const about = room === 0 ? '' : `${(subject ?? '').padEnd(room)}  `;
  const said = saidOf(finding);
  const [first = '', ...more] = wrap(said, Math.max(24, width - about.length));
  const mark = markOf(outcome, rule.severity);
  const head = [
    `  ${colourOf(outcome, rule.severity, paint)(mark.padEnd(5))}  ${about}${first}`,
    ...more.map((line) => `${indent}${' '.repeat(about.length)}${line}`),
  ];
  if (outcome === 'pass' || outcome === 'notApplicable') return head;
  const field = (name: string, value: string): string[] =>
    wrap(value, Math.max(24, width - 8)).map(
      (line, i) => `${indent}${paint.dim(i === 0 ? name.padEnd(6) : '      ')}  ${line}`,
    );
  const seen = finding.evidence.map(({ value, at }) => `${placeText(at)}: ${value}`);
  return [
    ...head,
    ...seen.slice(0, 4).flatMap((one) => field('seen', one)),
    ...field('why', outcome === 'fail' ? rule.reason : `${rule.title}?`),
    // A command is copied as it is: it is never broken.
    ...finding.mend.map(
      (one, i) => `${indent}${paint.dim((i === 0 ? 'mend' : '').padEnd(6))}  ${one}`,
    ),
    ...field('rule', rule.id),
  ];
}

/** What was not judged names its rule: its text alone would not say what is meant. */
function saidOf({ outcome, rule, text }: Finding): string {
  if (outcome === 'unknown') return `could not tell: ${text}`;
  return outcome === 'notApplicable' ? `${rule.id}: ${text}` : text;
}

const marks: Readonly<Record<Exclude<Outcome, 'fail'>, string>> = {
  pass: 'ok',
  unknown: '?',
  notApplicable: '-',
};

function markOf(outcome: Outcome, severity: Severity): string {
  if (outcome !== 'fail') return marks[outcome];
  return { error: 'ERROR', warning: 'warn', note: 'note' }[severity];
}

function colourOf(outcome: Outcome, severity: Severity, paint: Paint): (text: string) => string {
  if (outcome === 'pass') return paint.green;
  if (outcome === 'notApplicable') return paint.dim;
  if (outcome === 'fail' && severity === 'error') return paint.red;
  return outcome === 'fail' && severity === 'note' ? paint.bold : paint.yellow;
}

function summary({ readiness, findings }: Report, { paint, all, width }: Look): string[] {
  const counts = countsOf(findings);
  const some = (count: number, one: string, many: string): string[] =>
    count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  const parts = [
    ...some(counts.error, 'error', 'errors'),
    ...some(counts.warning, 'warning', 'warnings'),
    ...some(counts.note, 'note', 'notes'),
    ...some(counts.unknown, 'could not be told', 'could not be told'),
    ...some(counts.pass, 'is well', 'are well'),
  ];
  const word = {
    ready: paint.green('ready'),
    notReady: paint.red('not ready'),
    unknown: paint.yellow('could not tell'),
  }[readiness];
  const hidden =
    all || counts.notApplicable === 0
      ? []
      : [fit(`${counts.notApplicable} did not apply (--all lists them)`, width)];
  return [
    `${word}: ${parts.join(', ') || 'nothing here is what the rules are about'}`,
    ...hidden.map(paint.dim),
  ];
}

/** `virtfn check rules`: what a rule demands, and why. */
export function renderRule(
  rule: RuleInfo,
  { width, paint }: Pick<Look, 'width' | 'paint'>,
): string[] {
  const room = Math.max(24, Math.min(width, readable) - 10);
  const field = (name: string, text: string): string[] =>
    wrap(text, room).map((line, i) => `  ${paint.dim((i === 0 ? name : '').padEnd(6))}  ${line}`);
  return [
    `${paint.bold(rule.id)}  ${rule.severity}`,
    ...field('rule', rule.title),
    ...field('why', rule.reason),
    ...field('source', rule.source),
    `  ${paint.dim('mend  ')}  ${rule.mend}`,
  ];
}
