/**
 * Where tables take their memory from. Usually each array has its own; with an arena that is one memory, who
 * knows that memory finds a table in it by its array's `byteOffset`.
 */

export interface Arena {
  /** Zeroed, and at a multiple of 64 bytes where places matter. */
  int32(count: number): Int32Array;
  float64(count: number): Float64Array;
}

/** Arrays that have nothing to do with each other. */
export const ordinaryArena: Arena = {
  int32: (count) => new Int32Array(count),
  float64: (count) => new Float64Array(count),
};
