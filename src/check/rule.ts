/**
 * A rule: one thing that must be so for Enhanced Networking to work, with the reason and where that is
 * written. It looks at facts and nothing else, and gives a verdict on each subject (each NIC, kernel,
 * instance) that it applies to.
 */
import type { Evidence, Fact, Unknown } from './fact.ts';
import { evidenceOf, isKnown } from './fact.ts';

/** error: it will not work. warning: worse than it could be, or later trouble. note: good to know. */
export type Severity = 'error' | 'warning' | 'note';
export type Outcome = 'pass' | 'fail' | 'unknown' | 'notApplicable';
/** What is checked. Each has a command, `virtfn check KIND`. */
export type Kind = 'image' | 'types' | 'host' | 'account';

/** What a person can be told of a rule without any facts. */
export type RuleInfo = {
  /** `KIND-what-it-demands`, stable: people suppress and grep by it. */
  readonly id: string;
  /** The heading in a report that it stands under. */
  readonly group: string;
  readonly severity: Severity;
  /** What it demands: "each ENA function has its driver". */
  readonly title: string;
  /** Why EC2 or the driver needs it: whole sentences. */
  readonly reason: string;
  /** The document that says so. */
  readonly source: string;
  /** How it is mended in general: a command, with CAPITALS where a name belongs. */
  readonly mend: string;
};

export type Rule<Facts> = RuleInfo & {
  /** One verdict per subject. None means that there was nothing to judge: `notApplicable`. */
  readonly evaluate: (facts: Facts) => readonly Verdict[];
};

export type Verdict = {
  readonly outcome: Outcome;
  /** `eth0`, `i-0123`: what this is about; absent where the target has only one. */
  readonly subject?: string;
  /** One sentence without a full stop: what is so, or why it cannot be told. */
  readonly text: string;
  readonly seen: readonly Evidence[];
  /** Exact commands; what is no command is a `# comment`. */
  readonly mend: readonly string[];
};

type About = { readonly subject?: string; readonly seen?: readonly Evidence[] };

const verdict = (
  outcome: Outcome,
  text: string,
  { subject, seen = [] }: About,
  mend: readonly string[] = [],
): Verdict => ({ outcome, ...(subject === undefined ? {} : { subject }), text, seen, mend });

export const pass = (text: string, about: About = {}): Verdict => verdict('pass', text, about);

/** What is wrong can be mended: no `fail` without saying how. */
export const fail = (
  text: string,
  about: About & { readonly mend: readonly [string, ...string[]] },
): Verdict => verdict('fail', text, about, about.mend);

/** `mend` says how to find out: as root, with a permission, with a tool. */
export const unknown = (why: string, about: About & { mend?: readonly string[] } = {}): Verdict =>
  verdict('unknown', why, about, about.mend);

export const notApplicable = (why: string, about: About = {}): Verdict =>
  verdict('notApplicable', why, about);

/** What a verdict on a fact is about, and what was seen: to be passed on to `pass` and `fail`. */
export type Judged = { readonly subject?: string; readonly seen: readonly Evidence[] };

/** Judges a fact; one that could not be read is `unknown`, with its reason. */
export function judge<T>(
  fact: Fact<T>,
  subject: string | undefined,
  how: (value: T, about: Judged) => Verdict,
  words?: (value: T) => string,
): Verdict {
  const about = subject === undefined ? {} : { subject };
  if (!isKnown(fact)) return untold(fact, about);
  return how(fact.value, { ...about, seen: [evidenceOf(fact, words)] });
}

/** Judges two facts; the first that could not be read makes it `unknown`. */
export function judgeBoth<A, B>(
  first: Fact<A>,
  second: Fact<B>,
  subject: string | undefined,
  how: (a: A, b: B, about: Judged) => Verdict,
  wordsOfA?: (value: A) => string,
  wordsOfB?: (value: B) => string,
): Verdict {
  const both = (a: A, { seen }: Judged): Verdict =>
    judge(
      second,
      subject,
      (b, about) => how(a, b, { ...about, seen: [...seen, ...about.seen] }),
      wordsOfB,
    );
  return judge(first, subject, both, wordsOfA);
}

/** Judges each of several things; that they could not be listed is one `unknown`. */
export function judgeEach<T>(fact: Fact<readonly T[]>, how: (one: T) => Verdict): Verdict[] {
  if (!isKnown(fact)) return [untold(fact, {})];
  return fact.value.map(how);
}

function untold({ unknown: why, at, mend = [] }: Unknown, about: About): Verdict {
  const seen = at === undefined ? [] : [{ value: 'not read', at }];
  return unknown(why, { ...about, seen, mend });
}
