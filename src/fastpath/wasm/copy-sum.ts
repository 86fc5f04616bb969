/** Copies that tell the sum of what they copy: the payload of a segment is touched once. */
import { fold } from './memory';

/** Words of 16 bits as numbers that have signs: the only ones that are added up in pairs by one instruction. */
const halfWord: i32 = 0x8000;

@inline
function pairs(words: v128): v128 {
  return i32x4.dot_i16x8_s(v128.xor(words, i16x8.splat(-0x8000)), i16x8.splat(1));
}

/**
 * Copies bytes, and returns the sum of their 16-bit words as they lie in memory (RFC 1071), of up to
 * 64 KiB, folded: what was summed is what was copied, whoever writes there meanwhile.
 */
export function copySum(to: usize, from: usize, length: i32): u32 {
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  let left = length;
  let t = to;
  let f = from;
  for (; left >= 64; left -= 64, t += 64, f += 64) {
    const w0 = v128.load(f);
    const w1 = v128.load(f, 16);
    const w2 = v128.load(f, 32);
    const w3 = v128.load(f, 48);
    v128.store(t, w0);
    v128.store(t, w1, 16);
    v128.store(t, w2, 32);
    v128.store(t, w3, 48);
    a = i32x4.add(a, i32x4.add(pairs(w0), pairs(w1)));
    b = i32x4.add(b, i32x4.add(pairs(w2), pairs(w3)));
  }
  for (; left >= 16; left -= 16, t += 16, f += 16) {
    const words = v128.load(f);
    v128.store(t, words);
    a = i32x4.add(a, pairs(words));
  }
  a = i32x4.add(a, b);
  let total: i64 =
    <i64>i32x4.extract_lane(a, 0) +
    <i64>i32x4.extract_lane(a, 1) +
    <i64>i32x4.extract_lane(a, 2) +
    <i64>i32x4.extract_lane(a, 3) +
    <i64>((length - left) >> 1) * <i64>halfWord;
  for (; left >= 2; left -= 2, t += 2, f += 2) {
    const word = load<u16>(f);
    store<u16>(t, word);
    total += <i64>word;
  }
  if (left === 1) {
    const byte = load<u8>(f);
    store<u8>(t, byte);
    total += <i64>byte;
  }
  return fold(<u64>total);
}
