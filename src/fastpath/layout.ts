/**
 * Numbers that the TypeScript and the WebAssembly of the fast path both know. Both languages compile
 * this file, so it holds nothing but lines `export const NAME = NUMBER;`.
 */

/** Of the module's exports and of what they expect to find in memory: both sides were built together. */
export const layoutVersion = 1;
