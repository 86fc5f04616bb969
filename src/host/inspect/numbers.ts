/** Facts made of facts: numbers of lines, and what must be there. */
import { type Fact, isKnown, known, unread } from '../../check/fact.ts';

/** What is made of a known value; `null` from `how`: it makes no sense. */
export function map<A, B>(fact: Fact<A>, how: (value: A) => B | null, sense: string): Fact<B> {
  if (!isKnown(fact)) return fact;
  const made = how(fact.value);
  return made === null ? unread(sense, fact.at) : known(made, fact.at);
}

export function present<T>(fact: Fact<T | null>, why = 'it is not there'): Fact<T> {
  return map(fact, (value) => value, why);
}

export function numberOf(fact: Fact<string | null>): Fact<number> {
  return map(present(fact), wholeNumber, 'it is no number');
}

export function numberOrNull(fact: Fact<string | null>): Fact<number | null> {
  if (isKnown(fact) && fact.value === null) return known(null, fact.at);
  return numberOf(fact);
}

export function wholeNumber(text: string): number | null {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : null;
}

/** How many CPUs a list like `0-3,8` names. */
export function countOfCpus(list: string): number | null {
  let count = 0;
  for (const range of list.split(',')) {
    const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range.trim()) ?? [];
    if (first === undefined) return null;
    count += Number(last ?? first) - Number(first) + 1;
  }
  return count > 0 ? count : null;
}
