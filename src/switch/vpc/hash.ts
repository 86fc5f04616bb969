/**
 * Where a key goes in a table of secret odd numbers, one per word. The sum of products differs for
 * keys that differ in one word, and nobody knows by how much; spreading its bits then makes neighbours
 * (ports in a row, addresses of one subnet) land apart, whatever the numbers are.
 */

/** Spreads a sum over all bits (the last steps of MurmurHash3, public domain). */
export function spreadBits(sum: number): number {
  let h = sum ^ (sum >>> 16);
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

/** The place of `words[at .. at + seeds.length]`, as 32 bits. */
export function hashWords(words: Int32Array, at: number, seeds: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < seeds.length; i++)
    sum = (sum + Math.imul(words[at + i] as number, seeds[i] as number)) | 0;
  return spreadBits(sum);
}
