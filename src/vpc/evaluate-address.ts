/**
 * Addresses and prefixes for the evaluator, as numbers without a limit: a prefix holds an address
 * when both are of one version and their first bits are the same (RFC 4632, RFC 4291). Slow and
 * plain on purpose; the switch has tables of its own.
 */

export type Address = { readonly version: 4 | 6; readonly value: bigint };
export type Prefix = Address & { readonly bits: number };

const widths = { 4: 32, 6: 128 } as const;
const addresses = new Map<string, Address>();
const prefixes = new Map<string, Prefix>();

/** Throws when the text is no address. What was read once is remembered. */
export function address(text: string): Address {
  let known = addresses.get(text);
  if (known === undefined) {
    known = text.includes(':') ? address6(text) : address4(text);
    addresses.set(text, known);
  }
  return known;
}

/** Throws when the text is no prefix. Bits behind the prefix are dropped, as EC2 drops them. */
export function prefix(text: string): Prefix {
  let known = prefixes.get(text);
  if (known === undefined) {
    const [base = '', length = ''] = text.split('/');
    const { version, value } = address(base);
    const bits = Number(length);
    if (!/^\d+$/.test(length) || bits > widths[version])
      throw new Error(`'${text}' is not a prefix: expected one like 10.0.0.0/16`);
    const behind = BigInt(widths[version] - bits);
    known = { version, value: (value >> behind) << behind, bits };
    prefixes.set(text, known);
  }
  return known;
}

export function holds(cidr: string, text: string): boolean {
  const p = prefix(cidr);
  const a = address(text);
  if (p.version !== a.version) return false;
  const behind = BigInt(widths[p.version] - p.bits);
  return a.value >> behind === p.value >> behind;
}

export const same = (a: string, b: string): boolean =>
  address(a).version === address(b).version && address(a).value === address(b).value;

export const versionOf = (text: string): 4 | 6 => address(text).version;

/** All addresses of the version: `0.0.0.0/0` or `::/0`. */
export const isAll = (cidr: string, version: 4 | 6): boolean =>
  prefix(cidr).bits === 0 && prefix(cidr).version === version;

/** The address that is `offset` above the prefix's first one. */
export const nth = (cidr: string, offset: number): Address => ({
  version: prefix(cidr).version,
  value: prefix(cidr).value + BigInt(offset),
});

export const isNth = (cidr: string, offset: number, text: string): boolean => {
  const a = address(text);
  const n = nth(cidr, offset);
  return a.version === n.version && a.value === n.value;
};

function address4(text: string): Address {
  const parts = text.split('.');
  const valid = parts.length === 4 && parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) < 256);
  if (!valid) throw new Error(`'${text}' is not an IPv4 address: expected one like 10.0.0.1`);
  return { version: 4, value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
}

/** RFC 4291, 2.2: eight groups of 16 bits, one run of zeros as `::`; the IPv4 tail is not used. */
function address6(text: string): Address {
  const wrong = new Error(`'${text}' is not an IPv6 address: expected one like fd00::1`);
  const halves = text.split('::');
  if (halves.length > 2) throw wrong;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) throw wrong;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) throw wrong;
  return { version: 6, value: groups.reduce((sum, g) => sum * 65536n + BigInt(`0x${g}`), 0n) };
}
