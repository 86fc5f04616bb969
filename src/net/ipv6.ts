/**
 * IPv6 (RFC 8200), and its addresses as text (RFC 4291, written as RFC 5952 wants it). Offsets
 * count from the IPv6 header. An address is four signed 32-bit words, as in `Headers`.
 */
import { read32, write16, write32 } from './bytes.ts';

export const ipv6 = {
  payloadLength: 4,
  nextHeader: 6,
  hopLimit: 7,
  source: 8,
  destination: 24,
  bytes: 40,
} as const;

/** Next-header values that are extension headers, or that end the chain. */
export const ipv6Next = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  noNext: 59,
  destinationOptions: 60,
  mobility: 135,
} as const;

/** A chain longer than this is nothing that an honest sender builds. */
export const maxIpv6Extensions = 8;

export type Ipv6Address = readonly [number, number, number, number];

export const readIpv6 = (bytes: Uint8Array, at: number): Ipv6Address => [
  read32(bytes, at),
  read32(bytes, at + 4),
  read32(bytes, at + 8),
  read32(bytes, at + 12),
];

export function writeIpv6Address(bytes: Uint8Array, at: number, address: Ipv6Address): void {
  for (let i = 0; i < 4; i++) write32(bytes, at + 4 * i, address[i] as number);
}

export const sameIpv6 = (a: Ipv6Address, b: Ipv6Address): boolean =>
  a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0];

/** A header without extension headers. */
export function writeIpv6(
  bytes: Uint8Array,
  at: number,
  payloadLength: number,
  nextHeader: number,
  hopLimit: number,
  source: Ipv6Address,
  destination: Ipv6Address,
): void {
  write32(bytes, at, 0x6000_0000);
  write16(bytes, at + ipv6.payloadLength, payloadLength);
  bytes[at + ipv6.nextHeader] = nextHeader;
  bytes[at + ipv6.hopLimit] = hopLimit;
  writeIpv6Address(bytes, at + ipv6.source, source);
  writeIpv6Address(bytes, at + ipv6.destination, destination);
}

/** `2600:1f14::10` as words. Throws when it is not an address. */
export function parseIpv6(text: string): Ipv6Address {
  const [head, tail, ...more] = text.split('::');
  const first = groups(head ?? '', tail === undefined);
  const last = tail === undefined ? [] : groups(tail, true);
  const missing = first === null || last === null ? -1 : 8 - first.length - last.length;
  const whole = tail === undefined ? missing === 0 : missing >= 1;
  if (more.length > 0 || first === null || last === null || !whole)
    throw new Error(`'${text}' is not an IPv6 address: expected one like 2600:1f14::10`);
  const all = [...first, ...new Array<number>(missing).fill(0), ...last];
  const word = (i: number): number => ((all[i] as number) << 16) | (all[i + 1] as number);
  return [word(0), word(2), word(4), word(6)];
}

/** The 16-bit groups of one side of `::`, or null. An address may end in dotted form. */
function groups(text: string, isEnd: boolean): number[] | null {
  if (text === '') return [];
  const result: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    const dotted =
      isEnd && i === parts.length - 1 ? /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/ : null;
    const found = dotted?.exec(part);
    if (found) {
      const [a = 256, b = 256, c = 256, d = 256] = found.slice(1).map(Number);
      if (Math.max(a, b, c, d) > 255) return null;
      result.push((a << 8) | b, (c << 8) | d);
    } else if (/^[\da-f]{1,4}$/i.test(part)) result.push(Number.parseInt(part, 16));
    else return null;
  }
  return result;
}

/** As RFC 5952 writes it: lower case, the longest run of zeros as `::`. */
export function formatIpv6(address: Ipv6Address): string {
  const all = address.flatMap((word) => [word >>> 16, word & 0xffff]);
  let best = 0;
  let bestAt = -1;
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (all[at + length] === 0) length++;
    if (length > Math.max(best, 1)) {
      best = length;
      bestAt = at;
    }
  }
  const text = (part: readonly number[]): string => part.map((n) => n.toString(16)).join(':');
  return bestAt < 0
    ? text(all)
    : `${text(all.slice(0, bestAt))}::${text(all.slice(bestAt + best))}`;
}
