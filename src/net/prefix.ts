/**
 * Prefixes (CIDR, RFC 4632; RFC 4291, 2.3): `10.0.0.0/16`, `2600:1f14::/56`. An IPv4 prefix is its
 * address in the first word; the other three are 0.
 */
import { formatIpv4, ipv4Mask, parseIpv4 } from './ipv4.ts';
import { formatIpv6, type Ipv6Address, parseIpv6 } from './ipv6.ts';

export type Prefix = {
  readonly version: 4 | 6;
  /** Bits behind the prefix are 0. */
  readonly base: Ipv6Address;
  readonly length: number;
};

/** Bits behind the prefix are cleared. Throws when it is none. */
export function parsePrefix(text: string): Prefix {
  const [address = '', bits = '', ...more] = text.split('/');
  const version = address.includes(':') ? 6 : 4;
  const length = Number(bits);
  if (more.length > 0 || !/^\d{1,3}$/.test(bits) || length > (version === 4 ? 32 : 128))
    throw new Error(`'${text}' is not a prefix: expected one like 10.0.0.0/16 or 2600:1f14::/56`);
  const words: Ipv6Address = version === 4 ? [parseIpv4(address), 0, 0, 0] : parseIpv6(address);
  const [a, b, c, d] = words.map((word, i) => word & wordMask(length, i));
  return { version, base: [a ?? 0, b ?? 0, c ?? 0, d ?? 0], length };
}

export const formatPrefix = ({ version, base, length }: Prefix): string =>
  `${version === 4 ? formatIpv4(base[0]) : formatIpv6(base)}/${length}`;

/** Whether an IPv4 address is in an IPv4 prefix. */
export const hasIpv4 = (prefix: Prefix, address: number): boolean =>
  prefix.version === 4 && (address & ipv4Mask(prefix.length)) === prefix.base[0];

/** Whether an IPv6 address is in an IPv6 prefix. */
export function hasIpv6({ version, base, length }: Prefix, address: Ipv6Address): boolean {
  if (version !== 6) return false;
  for (let i = 0; i * 32 < length; i++)
    if ((((address[i] as number) ^ (base[i] as number)) & wordMask(length, i)) !== 0) return false;
  return true;
}

/** The mask of a prefix's word `i`. */
const wordMask = (length: number, i: number): number =>
  ipv4Mask(Math.max(0, Math.min(32, length - 32 * i)));
