/** What stands in a frame: its headers, where they may be, and its sums. */
import { RECEIVER_MACS, RX_L4_CHECKED, RX_L4_ERROR } from '../layout';
import { fold, sum, sum20 } from './memory';
import { sumPieces } from './pieces';

export const ethernetBytes: i32 = 14;
export const ipv4Bytes: i32 = 20;
export const protocolTcp: i32 = 6;
export const protocolUdp: i32 = 17;
/** FIN, SYN, RST, ACK. */
export const tcpSynAck: u32 = 0x12;
export const tcpSyn: u32 = 0x02;
export const tcpFinRst: u32 = 0x05;

/**
 * The headers of plain IPv4: where the transport header begins and the packet ends, its protocol and
 * TCP's flags, 16, 16, 8 and 8 bits from the lowest one on; 0: it is something else.
 */
@inline
export function readHeaders(head: usize, length: i32): u64 {
  if (load<u16>(head, 12) !== 0x0008) return 0;
  const first = <i32>load<u8>(head, 14);
  const headerBytes = (first & 15) << 2;
  if (first >> 4 !== 4 || headerBytes < ipv4Bytes) return 0;
  const total = <i32>bswap<u16>(load<u16>(head, 16));
  const end = ethernetBytes + total;
  if (total < headerBytes || end > length) return 0;
  if ((load<u16>(head, 20) & 0xffbf) !== 0) return 0;
  const protocol = <i32>load<u8>(head, 23);
  const l4 = ethernetBytes + headerBytes;
  let tcpFlags: u32 = 0;
  if (protocol === protocolUdp) {
    if (l4 + 8 > end) return 0;
  } else if (protocol === protocolTcp) {
    if (l4 + 20 > end) return 0;
    const l4Bytes = <i32>(load<u8>(head + l4, 12) >> 4) << 2;
    if (l4Bytes < 20 || l4 + l4Bytes > end) return 0;
    tcpFlags = load<u8>(head + l4, 13);
  } else return 0;
  return <u64>l4 | (<u64>end << 16) | (<u64>protocol << 32) | (<u64>tcpFlags << 40);
}

/** What a flow is known by, of the frame's headers. */
@inline
export function sourceOf(head: usize): i32 {
  return <i32>bswap<u32>(load<u32>(head, 26));
}

@inline
export function destinationOf(head: usize): i32 {
  return <i32>bswap<u32>(load<u32>(head, 30));
}

/** Both ports; at the transport header. */
@inline
export function portsOf(l4: usize): i32 {
  return <i32>bswap<u32>(load<u32>(l4));
}

@inline
export function toMacHiOf(head: usize): i32 {
  return <i32>bswap<u16>(load<u16>(head, 0));
}

@inline
export function toMacLoOf(head: usize): i32 {
  return <i32>bswap<u32>(load<u32>(head, 2));
}

/** The MACs of a frame that comes by the router. */
@inline
export function readdress(head: usize, receiver: usize): void {
  store<u64>(head, load<u64>(receiver, RECEIVER_MACS));
  store<u32>(head, load<u32>(receiver, RECEIVER_MACS + 8), 8);
}

/** Of the IPv4 header. */
@inline
export function headerSum(head: usize, headerBytes: i32): u32 {
  const at = head + ethernetBytes;
  return headerBytes === ipv4Bytes ? sum20(at) : sum(at, headerBytes);
}

/** The pseudo-header's sum, of words as they lie in memory. */
@inline
export function pseudo(head: usize, protocol: i32, l4Bytes: i32): u32 {
  const addresses = load<u64>(head, 26);
  return fold(
    (addresses & 0xffff_ffff) +
      (addresses >>> 32) +
      <u64>bswap<u16>(<u16>protocol) +
      <u64>bswap<u16>(<u16>l4Bytes),
  );
}

/**
 * The sum of the bytes `l4` .. `end` of a frame, of which the head was copied. The rest lies at `from`,
 * or where the notes at `pieces` say.
 */
@inline
export function sumL4(
  head: usize,
  from: usize,
  pieces: usize,
  l4: i32,
  end: i32,
  headBytes: i32,
): u32 {
  const inHead = min(end, headBytes);
  let total: u64 = sum(head + l4, inHead - l4);
  if (end > headBytes) {
    if (pieces === 0) total += <u64>sum(from + headBytes, end - headBytes);
    else total += <u64>sumPieces(pieces, headBytes, end - headBytes);
  }
  return fold(total);
}

/** What a completion says of a TCP or UDP sum that nobody knows. */
@inline
export function checkL4(
  head: usize,
  from: usize,
  pieces: usize,
  l4: i32,
  end: i32,
  headBytes: i32,
  protocol: i32,
  checksumAt: i32,
): u32 {
  if (protocol === protocolUdp && load<u16>(head + checksumAt) === 0) return 0;
  const seed = pseudo(head, protocol, end - l4);
  const total = fold(<u64>seed + <u64>sumL4(head, from, pieces, l4, end, headBytes));
  return total === 0xffff ? RX_L4_CHECKED : RX_L4_CHECKED | RX_L4_ERROR;
}
