/**
 * The internet checksum (RFC 1071) over bytes at any alignment.
 *
 * A *sum* here is the folded one's complement sum of 16-bit words in network order, 0 .. 0xffff;
 * a *checksum* is its complement, as it stands in headers. Inside, words are summed as the machine
 * has them (little-endian), 32 bits at a time, and swapped once at the end (RFC 1071, section 2 B).
 */

/** Exchanges the bytes of a 16-bit value: what one odd byte before a range does to its sum. */
export const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);

/** Brings a sum of up to 2^16 sums back to 16 bits. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The sum of `bytes[start .. start + length]` (at most 64 KiB and a little), taken as a stream
 * that begins at an even position. */
export const sumBytes = (bytes: Uint8Array, start: number, length: number): number =>
  swap16(length < shortBytes ? sumShort(bytes, start, length) : sumLong(bytes, start, length));

/** The checksum of a range, ready to be written. */
export const internetChecksum = (bytes: Uint8Array, start: number, length: number): number =>
  ~sumBytes(bytes, start, length) & 0xffff;

/**
 * The sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1): both addresses, which
 * stand together at `addressesAt`, the protocol and the length of the L4 header and payload.
 */
export const pseudoHeaderSum = (
  bytes: Uint8Array,
  addressesAt: number,
  addressBytes: number,
  protocol: number,
  length: number,
): number =>
  fold(
    sumBytes(bytes, addressesAt, 2 * addressBytes) + protocol + (length & 0xffff) + (length >>> 16),
  );

/** Below this the word loop does not pay for its set-up. */
const shortBytes = 48;

/** Little-endian sum, two bytes at a time. */
function sumShort(bytes: Uint8Array, start: number, length: number): number {
  let sum = 0;
  const even = start + (length & ~1);
  let i = start;
  for (; i < even; i += 2) sum += (bytes[i] as number) | ((bytes[i + 1] as number) << 8);
  if ((length & 1) !== 0) sum += bytes[i] as number;
  return fold(sum);
}

/** Little-endian sum over aligned words; an odd number of bytes before them swaps their sum. */
function sumLong(bytes: Uint8Array, start: number, length: number): number {
  const words = wordsOf(bytes);
  const pad = -bytes.byteOffset & 3;
  const lead = (pad - start) & 3;
  const first = (start + lead - pad) >>> 2;
  const count = (length - lead) >>> 2;
  const unrolled = first + (count & ~3);
  const end = first + count;
  let low = 0;
  let high = 0;
  let w = first;
  for (; w < unrolled; w += 4) {
    const a = words[w] as number;
    const b = words[w + 1] as number;
    const c = words[w + 2] as number;
    const d = words[w + 3] as number;
    low += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff);
    high += (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16);
  }
  for (; w < end; w++) {
    const a = words[w] as number;
    low += a & 0xffff;
    high += a >>> 16;
  }
  const rest = lead + count * 4;
  const body = fold(fold(low) + fold(high) + sumShort(bytes, start + rest, length - rest));
  if (lead === 0) return body;
  return fold(sumShort(bytes, start, lead) + ((lead & 1) === 0 ? body : swap16(body)));
}

/** Word views by their bytes: senders' memories are few, and live for many frames. */
const views = new WeakMap<Uint8Array, Int32Array>();
const last: { bytes: Uint8Array; words: Int32Array } = {
  bytes: new Uint8Array(0),
  words: new Int32Array(0),
};

/** The aligned words of `bytes`, from its first 4-byte boundary on. */
function wordsOf(bytes: Uint8Array): Int32Array {
  if (bytes === last.bytes) return last.words;
  let words = views.get(bytes);
  if (words === undefined) {
    const pad = -bytes.byteOffset & 3;
    words = new Int32Array(bytes.buffer, bytes.byteOffset + pad, (bytes.length - pad) >>> 2);
    views.set(bytes, words);
  }
  last.bytes = bytes;
  last.words = words;
  return words;
}
