/** What a card is said to have, line by line, with who says so. */

/** The vendor says so; somebody saw it on a real card; we think so. */
export type Provenance = 'published' | 'observed' | 'assumed';

export type Claim<T> = {
  readonly value: T;
  readonly provenance: Provenance;
  readonly source: string;
};

/** A claim for each trait. */
export type Claims<T> = { readonly [K in keyof T]: Claim<T[K]> };

const claimed =
  (provenance: Provenance) =>
  <T>(value: T, source: string): Claim<T> => ({ value, provenance, source });
export const published = claimed('published');
export const observed = claimed('observed');
export const assumed = claimed('assumed');

/** The traits themselves, under a name, with their claims beside them. */
export function profileOf<T extends object>(
  name: string,
  claims: Claims<T>,
): T & { readonly name: string; readonly claims: Claims<T> } {
  const traits = Object.entries(claims as Record<string, Claim<unknown>>);
  const values = Object.fromEntries(traits.map(([trait, { value }]) => [trait, value])) as T;
  return { ...values, name, claims };
}
