/**
 * Facts: what was read about an image, a host, an account, as plain data. A fact that could not be
 * read says so and why, so that no rule can take it for a good one.
 */

/** Where something was seen: a file of the target, or the question that was asked. */
export type Place =
  | { readonly file: string; readonly line?: number }
  /** A program, system call or API call with what it was asked about: `DescribeImages ami-1`. */
  | { readonly call: string };

export type Known<T> = { readonly value: T; readonly at: Place };
/** `unknown`: why it could not be read, as an end of "could not tell: ..."; `mend`: how it could be. */
export type Unknown = {
  readonly unknown: string;
  readonly at?: Place;
  readonly mend?: readonly string[];
};
/** What is known to be absent is a value too: `null`. */
export type Fact<T> = Known<T> | Unknown;

/** What was seen, for a person: the value in words, and where. */
export type Evidence = { readonly value: string; readonly at: Place };

export const known = <T>(value: T, at: Place): Known<T> => ({ value, at });

export const unread = (why: string, at?: Place, mend?: readonly string[]): Unknown => ({
  unknown: why,
  ...(at === undefined ? {} : { at }),
  ...(mend === undefined ? {} : { mend }),
});

export const isKnown = <T>(fact: Fact<T>): fact is Known<T> => !('unknown' in fact);

/** The value, or null where it is not known: for texts, never for a verdict. */
export const valueIn = <T>(fact: Fact<T>): T | null => (isKnown(fact) ? fact.value : null);

/** `words` says the value for a person; plain values say themselves. */
export function evidenceOf<T>(
  { value, at }: Known<T>,
  words: (value: T) => string = (plain) => (plain === null ? 'absent' : String(plain)),
): Evidence {
  return { value: words(value), at };
}

/** `file:line`, or the call. */
export function placeText(place: Place): string {
  if ('call' in place) return place.call;
  return place.line === undefined ? place.file : `${place.file}:${place.line}`;
}
