/** All instance types against one image: which run it, and why the others do not, by reason. */
import type { InstanceType } from '../../vpc/instance-type.ts';
import type { ImageFacts } from '../image/facts.ts';
import { check, type Finding } from '../report.ts';
import { abilitiesOf } from './abilities.ts';
import { typeRules } from './rules.ts';

/** `slower`: it runs, but not by the enhanced networking that the type offers. */
export type Fitness = 'runs' | 'slower' | 'no' | 'unknown';

export type Reason = {
  readonly rule: string;
  readonly text: string;
  readonly mend: readonly string[];
  readonly types: readonly string[];
};

export type Fit = {
  readonly runs: readonly string[];
  readonly slower: readonly string[];
  readonly no: readonly string[];
  readonly unknown: readonly string[];
  /** Why not; a type is in each of its reasons. The most common first. */
  readonly reasons: readonly Reason[];
  /** Types with EFA, of those that run, on which the image has none. */
  readonly withoutEfa: readonly string[];
};

export function fitOf(facts: ImageFacts, types: readonly InstanceType[], time: string): Fit {
  const image = abilitiesOf(facts);
  const lists: Record<Fitness, string[]> = { runs: [], slower: [], no: [], unknown: [] };
  const reasons = new Map<string, { finding: Finding; types: string[] }>();
  const withoutEfa: string[] = [];
  for (const type of types) {
    const target = { kind: 'types', name: type.name, detail: '' } as const;
    const { findings, readiness } = check(target, typeRules, { type, image }, time);
    const isSlower = findings.some((f) => f.outcome === 'fail' && f.rule.severity === 'warning');
    const fitness: Fitness =
      readiness === 'notReady'
        ? 'no'
        : readiness === 'unknown'
          ? 'unknown'
          : isSlower
            ? 'slower'
            : 'runs';
    lists[fitness].push(type.name);
    if (fitness !== 'no' && findings.some((f) => f.rule.id === 'types-efa' && f.outcome === 'fail'))
      withoutEfa.push(type.name);
    const why = findings.filter((f) => counts(f, fitness));
    // for other processors nothing else matters
    const first = why.filter((f) => f.rule.id === 'types-architecture');
    for (const finding of first.length > 0 ? first : why) {
      const key = `${finding.rule.id} ${finding.text}`;
      const entry = reasons.get(key) ?? { finding, types: [] };
      entry.types.push(type.name);
      reasons.set(key, entry);
    }
  }
  const sorted = [...reasons.values()].sort((a, b) => b.types.length - a.types.length);
  return {
    ...lists,
    withoutEfa,
    reasons: sorted.map(({ finding: { rule, text, mend }, types: names }) => {
      return { rule: rule.id, text, mend, types: names };
    }),
  };
}

/** Of a finding, whether it is why a type is in its list. */
function counts({ outcome, rule }: Finding, fitness: Fitness): boolean {
  if (fitness === 'no') return outcome === 'fail' && rule.severity === 'error';
  if (fitness === 'unknown') return outcome === 'unknown' && rule.severity === 'error';
  return fitness === 'slower' && outcome === 'fail' && rule.severity === 'warning';
}
