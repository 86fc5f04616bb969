/** Guest memory, sums and copies. */
import {
  MAX_WINDOWS,
  PORT_LAST_WINDOW,
  PORT_WINDOW_COUNT,
  PORT_WINDOWS,
  WINDOW_BYTES,
  WINDOW_END,
  WINDOW_IOVA,
  WINDOW_LINEAR,
  WINDOW_USE,
} from '../layout';

/** The DMA address in a descriptor of either direction. */
@inline
export function bufferOf(desc: usize): u64 {
  return (<u64>(load<u32>(desc, 12) & 0xffff) << 32) | <u64>load<u32>(desc, 8);
}

/** Where `length` bytes at a DMA address lie, or 0 when no window that may be so used has them. */
@inline
export function locate(port: usize, iova: u64, length: i32, use: i32): usize {
  const window = <usize>load<u32>(port, PORT_LAST_WINDOW);
  if (iova >= load<u64>(window, WINDOW_IOVA) && iova + <u64>length <= load<u64>(window, WINDOW_END))
    return inWindow(window, iova, use);
  return search(port, iova, length, use);
}

@inline
function inWindow(window: usize, iova: u64, use: i32): usize {
  if ((load<i32>(window, WINDOW_USE) & use) === 0) return 0;
  return <usize>load<u32>(window, WINDOW_LINEAR) + <usize>(iova - load<u64>(window, WINDOW_IOVA));
}

function search(port: usize, iova: u64, length: i32, use: i32): usize {
  let window = <usize>load<u32>(port, PORT_WINDOWS);
  const count = load<i32>(port, PORT_WINDOW_COUNT);
  for (let i = 0; i < count && i < MAX_WINDOWS; i++, window += WINDOW_BYTES) {
    if (iova < load<u64>(window, WINDOW_IOVA)) continue;
    if (iova + <u64>length > load<u64>(window, WINDOW_END)) continue;
    store<u32>(port, <u32>window, PORT_LAST_WINDOW);
    return inWindow(window, iova, use);
  }
  return 0;
}

/** Copies a few hundred bytes at most: for those a call of the engine's own costs more than the copy. */
@inline
export function copyShort(to: usize, from: usize, length: i32): void {
  let left = length;
  let t = to;
  let f = from;
  for (; left >= 16; left -= 16, t += 16, f += 16) v128.store(t, v128.load(f));
  if ((left & 8) !== 0) {
    store<u64>(t, load<u64>(f));
    t += 8;
    f += 8;
  }
  if ((left & 4) !== 0) {
    store<u32>(t, load<u32>(f));
    t += 4;
    f += 4;
  }
  if ((left & 2) !== 0) {
    store<u16>(t, load<u16>(f));
    t += 2;
    f += 2;
  }
  if ((left & 1) !== 0) store<u8>(t, load<u8>(f));
}

const longBytes: i32 = 512;

@inline
export function copy(to: usize, from: usize, length: i32): void {
  if (length < longBytes) copyShort(to, from, length);
  else memory.copy(to, from, <usize>length);
}

/** The sum of 16-bit words as they lie in memory (RFC 1071), of up to 64 KiB; not folded. */
export function sum(at: usize, length: i32): u32 {
  let lanes = i32x4.splat(0);
  let left = length;
  let p = at;
  for (; left >= 16; left -= 16, p += 16)
    lanes = i32x4.add(lanes, i32x4.extadd_pairwise_i16x8_u(v128.load(p)));
  let total: u64 =
    <u64>(<u32>i32x4.extract_lane(lanes, 0)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 1)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 2)) +
    <u64>(<u32>i32x4.extract_lane(lanes, 3));
  if ((left & 8) !== 0) {
    const word = load<u64>(p);
    total += (word & 0xffff_ffff) + (word >>> 32);
    p += 8;
  }
  if ((left & 4) !== 0) {
    total += <u64>load<u32>(p);
    p += 4;
  }
  if ((left & 2) !== 0) {
    total += <u64>load<u16>(p);
    p += 2;
  }
  if ((left & 1) !== 0) total += <u64>load<u8>(p);
  return fold(total);
}

@inline
export function fold(total: u64): u32 {
  let s = (total & 0xffff) + ((total >>> 16) & 0xffff) + (total >>> 32);
  s = (s & 0xffff) + (s >>> 16);
  return <u32>((s & 0xffff) + (s >>> 16));
}
