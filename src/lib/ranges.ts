/** Parts of a range of numbers (addresses, offsets): taken first-fit, given back, joined with neighbours. */

type Range = { start: number; end: number };

export class Ranges {
  /** What is free, by start; no two touch. */
  readonly #free: Range[];

  constructor(start: number, end: number) {
    this.#free = [{ start, end }];
  }

  get freeBytes(): number {
    return this.#free.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /**
   * The start of `size` numbers that are free, and taken from now on; -1 when there is no such part.
   * `bias` plus the start is a multiple of `align`.
   */
  take(size: number, align = 1, bias = 0): number {
    for (const [i, range] of this.#free.entries()) {
      const start = Math.ceil((range.start + bias) / align) * align - bias;
      if (start + size > range.end) continue;
      const parts = [
        { start: range.start, end: start },
        { start: start + size, end: range.end },
      ];
      this.#free.splice(i, 1, ...parts.filter((part) => part.start < part.end));
      return start;
    }
    return -1;
  }

  /** Gives back what was taken. */
  give(start: number, size: number): void {
    const end = start + size;
    const found = this.#free.findIndex((range) => range.start >= end);
    const at = found < 0 ? this.#free.length : found;
    const before = this.#free[at - 1];
    const after = this.#free[at];
    const joined = {
      start: before?.end === start ? before.start : start,
      end: after?.start === end ? after.end : end,
    };
    const first = before?.end === start ? at - 1 : at;
    const last = after?.start === end ? at : at - 1;
    this.#free.splice(first, last - first + 1, joined);
  }
}
