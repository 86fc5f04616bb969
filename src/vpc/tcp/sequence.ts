/** Arithmetic of TCP sequence numbers (RFC 9293, section 3.4): 32 bits that wrap around. */

/** How far `a` is ahead of `b`; negative: behind. */
export const ahead = (a: number, b: number): number => (a - b) | 0;

/** `a` moved on by `n`, as a signed 32-bit integer. */
export const advance = (a: number, n: number): number => (a + n) | 0;
