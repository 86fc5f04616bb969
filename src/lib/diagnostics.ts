/**
 * Refusals with a reason: every rule of a device or a protocol that a peer can break has an id
 * and a sentence, declared once where it is enforced. Breaking one is counted, and told to
 * whoever listens; it never throws.
 */

export type Rule = {
  /** `room/what-was-wrong`, stable: people grep for it. */
  readonly id: string;
  /** One sentence: what the hardware demands. */
  readonly text: string;
  /** Where that is written down, or who saw it. */
  readonly source: string;
};

/** A table of rules whose keys are the ids below `room/`. */
export function rules<const T extends Record<string, readonly [text: string, source: string]>>(
  room: string,
  table: T,
): { readonly [K in keyof T]: Rule } {
  const entries = Object.entries(table).map(([key, [text, source]]) => {
    return [key, { id: `${room}/${key}`, text, source }];
  });
  return Object.fromEntries(entries);
}

export type Refusal = { readonly rule: Rule; readonly detail: string; readonly count: number };
export type RefusalListener = (refusal: Refusal) => void;

/**
 * The refusals of one function. A peer can break rules millions of times a second, so listeners
 * hear the first few of each rule, then each time the count doubles.
 */
export class Diagnostics {
  readonly #counts = new Map<string, number>();
  readonly #listener: RefusalListener;

  constructor(listener: RefusalListener = () => {}) {
    this.#listener = listener;
  }

  /** `detail` is called only when somebody is told. */
  refuse(rule: Rule, detail: () => string): void {
    const count = (this.#counts.get(rule.id) ?? 0) + 1;
    this.#counts.set(rule.id, count);
    const told = count <= 4 || (count & (count - 1)) === 0;
    if (told) this.#listener({ rule, detail: detail(), count });
  }

  count(rule: Rule): number {
    return this.#counts.get(rule.id) ?? 0;
  }

  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
