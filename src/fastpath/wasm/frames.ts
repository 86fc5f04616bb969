/**
 * What stands in a frame: its headers, where they may be, and its sums. The first 64 bytes of a frame
 * (its front) are in four registers of 16, `a` to `d`: read once, judged, changed and stored from there.
 * In memory each look at what was just stored in other pieces would wait for all stores before it, those
 * into other cores' lines too.
 */
import { FRONT_BYTES, RECEIVER_MACS, RX_L4_CHECKED, RX_L4_ERROR } from '../layout';
import { copyShort, fold, sum } from './memory';
import { sumPieces } from './pieces';

export const ethernetBytes: i32 = 14;
export const ipv4Bytes: i32 = 20;
/** Where the transport header begins: IPv4 headers with options are for the ordinary path. */
export const l4At: i32 = ethernetBytes + ipv4Bytes;
export const protocolTcp: i32 = 6;
export const protocolUdp: i32 = 17;
/** FIN, SYN, RST, ACK. */
export const tcpSynAck: u32 = 0x12;
export const tcpSyn: u32 = 0x02;
export const tcpFinRst: u32 = 0x05;

/** Type 0x0800, version 4, a header of five words: bytes 12 to 14, as they lie in memory. */
export const plainIpv4: u64 = 0x45_0008;

/** Eight of its bytes. */
@inline
function low(v: v128): u64 {
  return <u64>i64x2.extract_lane(v, 0);
}

@inline
function high(v: v128): u64 {
  return <u64>i64x2.extract_lane(v, 1);
}

/**
 * The headers of plain IPv4: where the packet ends, its protocol and TCP's flags, 32, 8 and 8 bits from
 * the lowest one on; 0: it is something else.
 */
@inline
export function readHeaders(a: v128, b: v128, c: v128, length: i32): u64 {
  if (((high(a) >>> 32) & 0xff_ffff) !== plainIpv4) return 0;
  const words = low(b);
  const total = <i32>bswap<u16>(<u16>words);
  const end = ethernetBytes + total;
  if (end > length || ((words >>> 32) & 0xffbf) !== 0) return 0;
  const protocol = words >>> 56;
  let tcpFlags: u64 = 0;
  if (protocol === <u64>protocolUdp) {
    if (end < l4At + 8) return 0;
  } else if (protocol === <u64>protocolTcp) {
    const offsetAndFlags = high(c) >>> 48;
    const l4Bytes = <i32>((offsetAndFlags >>> 4) & 15) << 2;
    if (l4Bytes < 20 || end < l4At + l4Bytes) return 0;
    tcpFlags = offsetAndFlags >>> 8;
  } else return 0;
  return <u64>end | (protocol << 32) | (tcpFlags << 40);
}

/** What a flow is known by, of the frame's headers. */
@inline
export function sourceOf(b: v128): i32 {
  return <i32>bswap<u32>(<u32>(high(b) >>> 16));
}

@inline
export function destinationOf(b: v128, c: v128): i32 {
  return <i32>bswap<u32>(destinationWord(b, c));
}

/** As it lies in memory, half of it in each. */
@inline
function destinationWord(b: v128, c: v128): u32 {
  return <u32>(high(b) >>> 48) | (<u32>low(c) << 16);
}

/** Both ports. */
@inline
export function portsOf(c: v128): i32 {
  return <i32>bswap<u32>(<u32>(low(c) >>> 16));
}

@inline
export function toMacHiOf(a: v128): i32 {
  return <i32>bswap<u16>(<u16>low(a));
}

@inline
export function toMacLoOf(a: v128): i32 {
  return <i32>bswap<u32>(<u32>(low(a) >>> 16));
}

@inline
export function fromMacHiOf(a: v128): i32 {
  return <i32>bswap<u16>(<u16>(low(a) >>> 48));
}

@inline
export function fromMacLoOf(a: v128): i32 {
  return <i32>bswap<u32>(<u32>high(a));
}

/** The same of a frame that was not read yet, for a guess; all of it lies in its first bytes. */
export const keyBytes: i32 = l4At + 4;

@inline
export function sourceAt(frame: usize): i32 {
  return <i32>bswap<u32>(load<u32>(frame, 26));
}

@inline
export function destinationAt(frame: usize): i32 {
  return <i32>bswap<u32>(load<u32>(frame, 30));
}

@inline
export function portsAt(frame: usize): i32 {
  return <i32>bswap<u32>(load<u32>(frame, 34));
}

@inline
export function protocolAt(frame: usize): u8 {
  return load<u8>(frame, 23);
}

@inline
export function toMacHiAt(frame: usize): i32 {
  return <i32>bswap<u16>(load<u16>(frame));
}

@inline
export function toMacLoAt(frame: usize): i32 {
  return <i32>bswap<u32>(load<u32>(frame, 2));
}

/** What a hash is made of: addresses and ports, as they lie in memory. */
@inline
export function hashSource(b: v128): u32 {
  return <u32>(high(b) >>> 16);
}

@inline
export function hashDestination(b: v128, c: v128): u32 {
  return destinationWord(b, c);
}

@inline
export function hashPorts(c: v128): u32 {
  return <u32>(low(c) >>> 16);
}

/** `a` of a frame that comes by the router: with other MACs. */
@inline
export function readdressed(a: v128, receiver: usize): v128 {
  const first = i64x2.replace_lane(a, 0, load<i64>(receiver, RECEIVER_MACS));
  return i32x4.replace_lane(first, 2, load<i32>(receiver, RECEIVER_MACS + 8));
}

/** Of the IPv4 header. */
@inline
export function headerSum(a: v128, b: v128, c: v128): u32 {
  return fold((high(a) >>> 48) + halves(low(b)) + halves(high(b)) + (low(c) & 0xffff));
}

/** `b` with that in its checksum. */
@inline
export function withHeaderSum(a: v128, b: v128, c: v128): v128 {
  const cleared = i16x8.replace_lane(b, 4, 0);
  return i16x8.replace_lane(cleared, 4, <i16>~headerSum(a, cleared, c));
}

@inline
function halves(word: u64): u64 {
  return (word & 0xffff_ffff) + (word >>> 32);
}

/** The pseudo-header's sum, of words as they lie in memory. */
@inline
export function pseudo(b: v128, c: v128, protocol: i32, l4Bytes: i32): u32 {
  return fold(
    <u64>hashSource(b) +
      <u64>destinationWord(b, c) +
      <u64>bswap<u16>(<u16>protocol) +
      <u64>bswap<u16>(<u16>l4Bytes),
  );
}

/** The sum of a frame from its transport header to `end`; its rest lies at `from`, or where `pieces` say. */
@inline
export function sumL4(c: v128, d: v128, from: usize, pieces: usize, end: i32): u32 {
  const most = i8x16.splat(<i8>min(end, FRONT_BYTES));
  const places = i8x16(32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47);
  const inC = i16x8.replace_lane(v128.and(c, i8x16.lt_u(places, most)), 0, 0);
  const inD = v128.and(d, i8x16.lt_u(i8x16.add(places, i8x16.splat(16)), most));
  const lanes = i32x4.add(
    i32x4.extadd_pairwise_i16x8_u(inC),
    i32x4.extadd_pairwise_i16x8_u(inD),
  );
  let total = halves(low(lanes)) + halves(high(lanes));
  if (end > FRONT_BYTES) {
    if (pieces === 0) total += <u64>sum(from + FRONT_BYTES, end - FRONT_BYTES);
    else total += <u64>sumPieces(pieces, FRONT_BYTES, end - FRONT_BYTES);
  }
  return fold(total);
}

/** What a completion says of a TCP or UDP sum that nobody knows. */
@inline
export function checkL4(
  b: v128,
  c: v128,
  d: v128,
  from: usize,
  pieces: usize,
  end: i32,
  protocol: i32,
): u32 {
  if (protocol === protocolUdp && (high(c) & 0xffff) === 0) return 0;
  const seed = pseudo(b, c, protocol, end - l4At);
  const total = fold(<u64>seed + <u64>sumL4(c, d, from, pieces, end));
  return total === 0xffff ? RX_L4_CHECKED : RX_L4_CHECKED | RX_L4_ERROR;
}

/** Stores a front. */
@inline
export function storeFront(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

/** Stores as much of it as a frame has; `room`: of 64 bytes, to cut it. */
@inline
export function putFront(
  to: usize,
  room: usize,
  length: i32,
  a: v128,
  b: v128,
  c: v128,
  d: v128,
): void {
  if (length >= FRONT_BYTES) storeFront(to, a, b, c, d);
  else {
    storeFront(room, a, b, c, d);
    copyShort(to, room, length);
  }
}
