/** Addresses and prefixes as text: whether they are such, what lies in what, which one is free. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

export type Cidr = { readonly address: string; readonly bits: number; readonly version: 4 | 6 };

/** Null for what is no prefix. */
export function parseCidr(text: string): Cidr | null {
  const [address = '', length = '', ...rest] = text.split('/');
  const version = isIP(address);
  if ((version !== 4 && version !== 6) || !/^\d{1,3}$/.test(length) || rest.length > 0) return null;
  const bits = Number(length);
  return bits <= (version === 4 ? 32 : 128) ? { address, bits, version } : null;
}

export function isWithin(address: string, cidr: string): boolean {
  const parsed = parseCidr(cidr);
  if (parsed === null || isIP(address) !== parsed.version) return false;
  const family = parsed.version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(parsed.address, parsed.bits, family);
  return list.check(address, family);
}

/** A single address is a prefix of its whole length. */
export function asCidr(text: string): string {
  if (isIPv4(text)) return `${text}/32`;
  return isIPv6(text) ? `${text}/128` : text;
}

/** In numbers: EC2 keeps the first four addresses of a subnet, and the last. */
const firstHost = 10;
const reserved = { first: 4, last: 1 };

/** The next address of an IPv4 prefix that is not in `taken`; null: there is none. */
export function freeAddress(cidr: string, taken: ReadonlySet<string>): string | null {
  const parsed = parseCidr(cidr);
  if (parsed === null || parsed.version !== 4) return null;
  const size = 2 ** (32 - parsed.bits);
  const base = Math.floor(toNumber(parsed.address) / size) * size;
  const start = size > 2 * firstHost ? firstHost : reserved.first;
  for (let host = start; host < size - reserved.last; host++) {
    const address = fromNumber(base + host);
    if (!taken.has(address)) return address;
  }
  return null;
}

/** The same of a /64. */
export function freeAddress6(cidr: string, taken: ReadonlySet<string>): string | null {
  const parsed = parseCidr(cidr);
  if (parsed === null || parsed.version !== 6) return null;
  const prefix = parsed.address.replace(/::$/, '');
  if (prefix === parsed.address) return null; // it has an interface identifier
  for (let host = 0x10; host < 0x1_0000; host++) {
    const address = `${prefix}::${host.toString(16)}`;
    if (!taken.has(address)) return address;
  }
  return null;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function fromNumber(n: number): string {
  return [24, 16, 8, 0].map((bits) => (n >>> bits) & 0xff).join('.');
}
