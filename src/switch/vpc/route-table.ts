/**
 * A subnet's routes, the most specific first, as rows of integers: base and mask of the prefix. The
 * first row that holds a destination is the route (longest prefix).
 */

/** What a route leads to. */
export const target = { local: 0, nic: 1, gateway: 2, blackhole: 3 } as const;

export type CompiledRoute = {
  readonly version: 4 | 6;
  readonly base: readonly number[];
  readonly mask: readonly number[];
  readonly kind: number;
  /** The number of the interface or gateway; -1: none. */
  readonly index: number;
  /** `10.0.0.0/16 local` */
  readonly name: string;
};

export class RouteRows {
  readonly #rows4: Int32Array;
  readonly #rows6: Int32Array;
  readonly #routes4: readonly CompiledRoute[];
  readonly #routes6: readonly CompiledRoute[];

  /** `routes`: in the order in which they are to be tried. */
  constructor(routes: readonly CompiledRoute[]) {
    this.#routes4 = routes.filter(({ version }) => version === 4);
    this.#routes6 = routes.filter(({ version }) => version === 6);
    this.#rows4 = Int32Array.from(this.#routes4.flatMap(({ base, mask }) => [base[0], mask[0]]));
    this.#rows6 = Int32Array.from(this.#routes6.flatMap(({ base, mask }) => [...base, ...mask]));
  }

  find4(destination: number): CompiledRoute | null {
    const rows = this.#rows4;
    for (let at = 0; at < rows.length; at += 2)
      if ((destination & (rows[at + 1] as number)) === rows[at])
        return this.#routes4[at / 2] as CompiledRoute;
    return null;
  }

  find6(a0: number, a1: number, a2: number, a3: number): CompiledRoute | null {
    const rows = this.#rows6;
    for (let at = 0; at < rows.length; at += 8)
      if (
        (a0 & (rows[at + 4] as number)) === rows[at] &&
        (a1 & (rows[at + 5] as number)) === rows[at + 1] &&
        (a2 & (rows[at + 6] as number)) === rows[at + 2] &&
        (a3 & (rows[at + 7] as number)) === rows[at + 3]
      )
        return this.#routes6[at / 8] as CompiledRoute;
    return null;
  }
}
