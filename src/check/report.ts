/** The engine: rules and facts in, findings and a verdict out. All formats are made of a `Report`. */
import type { Evidence, Place } from './fact.ts';
import { printable } from './printable.ts';
import type { Kind, Outcome, Rule, RuleInfo, Severity, Verdict } from './rule.ts';

export type Finding = {
  readonly rule: RuleInfo;
  readonly outcome: Outcome;
  readonly subject: string | null;
  readonly text: string;
  readonly evidence: readonly Evidence[];
  readonly mend: readonly string[];
};

/** `unknown`: no error was found, but what would be one could not be looked at, or there was no such thing. */
export type Readiness = 'ready' | 'notReady' | 'unknown';

export type Target = {
  readonly kind: Kind;
  /** What was checked: a path, a host's name, an account and region. */
  readonly name: string;
  /** More about it, in words; may be empty. */
  readonly detail: string;
};

export type Report = {
  readonly target: Target;
  /** When the facts were read, ISO 8601. */
  readonly time: string;
  readonly readiness: Readiness;
  /** In the order of the rules; each rule has at least one. */
  readonly findings: readonly Finding[];
};

/** More subjects than this are counted, not listed: an account may have thousands. */
const maxFindingsPerRule = 1000;
const maxEvidence = 20;

export function check<Facts>(
  target: Target,
  rules: readonly Rule<Facts>[],
  facts: Facts,
  time: string,
): Report {
  const findings = rules.flatMap((rule) => findingsOf(rule, facts));
  const { kind, name, detail } = target;
  return {
    target: { kind, name: printable(name), detail: printable(detail) },
    time,
    readiness: readinessOf(findings),
    findings,
  };
}

/** 0 ready, 1 not ready, 2 could not tell. */
export function exitCodeOf({ readiness }: Report): number {
  return { ready: 0, notReady: 1, unknown: 2 }[readiness];
}

export type Counts = Readonly<Record<Severity | Exclude<Outcome, 'fail'>, number>>;

/** Failures by their severity, the others by their outcome. */
export function countsOf(findings: readonly Finding[]): Counts {
  const counts = { error: 0, warning: 0, note: 0, pass: 0, unknown: 0, notApplicable: 0 };
  for (const { outcome, rule } of findings) counts[outcome === 'fail' ? rule.severity : outcome]++;
  return counts;
}

/** Where nothing was judged that could have been an error, nothing is known. */
function readinessOf(findings: readonly Finding[]): Readiness {
  const errors = findings.filter(({ rule }) => rule.severity === 'error');
  if (errors.some(({ outcome }) => outcome === 'fail')) return 'notReady';
  if (errors.some(({ outcome }) => outcome === 'unknown')) return 'unknown';
  return errors.some(({ outcome }) => outcome === 'pass') ? 'ready' : 'unknown';
}

function findingsOf<Facts>(rule: Rule<Facts>, facts: Facts): Finding[] {
  const { evaluate, ...info } = rule;
  const verdicts = evaluate(facts);
  if (verdicts.length === 0) return [findingOf(info, nothingToJudge)];
  const worst = [...verdicts].sort((a, b) => weight[a.outcome] - weight[b.outcome]);
  const listed =
    verdicts.length <= maxFindingsPerRule ? verdicts : worst.slice(0, maxFindingsPerRule);
  const more = verdicts.length - listed.length;
  const findings = listed.map((verdict) => findingOf(info, verdict));
  if (more === 0) return findings;
  const outcome = worst[maxFindingsPerRule]?.outcome ?? 'unknown';
  const text = `${more} more like this or better are not listed`;
  return [...findings, findingOf(info, { outcome, text, seen: [], mend: [] })];
}

const nothingToJudge: Verdict = {
  outcome: 'notApplicable',
  text: 'there is nothing here that this is about',
  seen: [],
  mend: [],
};

const weight: Readonly<Record<Outcome, number>> = {
  fail: 0,
  unknown: 1,
  pass: 2,
  notApplicable: 3,
};

/** From here on all words are fit to print: no format has to think of it again. */
function findingOf(rule: RuleInfo, { outcome, subject, text, seen, mend }: Verdict): Finding {
  return {
    rule,
    outcome,
    subject: subject === undefined ? null : printable(subject, 120),
    text: printable(text),
    evidence: seen.slice(0, maxEvidence).map(({ value, at }) => ({
      value: printable(value),
      at: printablePlace(at),
    })),
    mend: mend.map((command) => printable(command, 1000)),
  };
}

function printablePlace(place: Place): Place {
  if ('call' in place) return { call: printable(place.call) };
  return { ...place, file: printable(place.file) };
}
