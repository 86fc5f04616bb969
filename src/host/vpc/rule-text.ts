/**
 * Rules as people write them: `tcp 22 from 0.0.0.0/0`, `udp 53 1024-65535 to dns`, `icmp
 * echo-request from self`, and for network ACLs `allow tcp 443 from 10.0.0.0/16`. Protocol numbers
 * are IANA's, types of ICMP RFC 792's and RFC 4443's.
 */

/** What a rule is about, apart from who. */
export type Kind = {
  /** -1: all. */
  readonly protocol: number;
  /** As in `SecurityGroupRule`: ports, or type and code of ICMP. */
  readonly fromPort?: number;
  readonly toPort?: number;
};

export type RuleLine = { readonly kinds: readonly Kind[]; readonly peers: readonly string[] };

export type AclLine = {
  readonly action: 'allow' | 'deny';
  readonly kind: Kind;
  readonly cidr: string;
};

/** The word before the other side: inbound rules say `from`, outbound ones `to`. */
export type Side = 'from' | 'to';

/** Says what was expected. */
export class RuleTextError extends Error {
  readonly expected: string;

  constructor(what: string) {
    super(`expected ${what}`);
    this.expected = what;
    this.name = 'RuleTextError';
  }
}

const protocols: Readonly<Record<string, number>> = {
  ...{ all: -1, icmp: 1, igmp: 2, ipip: 4, tcp: 6, udp: 17, gre: 47, esp: 50, ah: 51 },
  ...{ icmpv6: 58, ospf: 89, vrrp: 112, sctp: 132 },
};

const withPorts = new Set([protocols['tcp'], protocols['udp']]);

/** Type and code; -1: any. */
const icmpNames: Readonly<Record<string, readonly [type: number, code: number]>> = {
  'echo-reply': [0, -1],
  'destination-unreachable': [3, -1],
  'fragmentation-needed': [3, 4],
  'echo-request': [8, -1],
  'time-exceeded': [11, -1],
};
const icmpv6Names: typeof icmpNames = {
  'destination-unreachable': [1, -1],
  'packet-too-big': [2, -1],
  'time-exceeded': [3, -1],
  'echo-request': [128, -1],
  'echo-reply': [129, -1],
};

const example: Record<Side, string> = {
  from: '"tcp 22 from 10.0.0.0/16"',
  to: '"tcp 443 to 0.0.0.0/0"',
};

/** The word for a protocol: `tcp`, `gre`, or its number. */
export function protocolWord(protocol: number): string {
  const [word] = Object.entries(protocols).find(([, number]) => number === protocol) ?? [];
  return word ?? `protocol ${protocol}`;
}

/** The word for a type and code of ICMP: `echo-request`, or `3/1`. */
export function icmpWord(version: 4 | 6, type: number, code: number): string {
  const names = Object.entries(version === 4 ? icmpNames : icmpv6Names);
  const exact = names.find(([, [t, c]]) => t === type && c === code);
  const any = names.find(([, [t, c]]) => t === type && c === -1);
  const [word] = exact ?? (code === 0 ? any : undefined) ?? [];
  return word ?? (any === undefined ? `${type}/${code}` : `${any[0]} (${type}/${code})`);
}

/** @throws RuleTextError */
export function parseRule(text: string, side: Side): RuleLine {
  const { protocol, what, peers } = split(text, side, `a rule like ${example[side]}`);
  return { kinds: kindsOf(protocol, what), peers };
}

/** @throws RuleTextError */
export function parseAclEntry(text: string, side: Side): AclLine {
  const like = `an entry like "allow ${example[side].slice(1)}`;
  const [, action, rest = ''] = /^(allow|deny)\s+(.*)$/.exec(text.trim()) ?? [];
  if (action !== 'allow' && action !== 'deny') throw new RuleTextError(like);
  const { protocol, what, peers } = split(rest, side, like);
  const [kind, ...more] = kindsOf(protocol, what);
  const [cidr, ...others] = peers;
  if (kind === undefined || cidr === undefined || more.length > 0 || others.length > 0)
    throw new RuleTextError('one range of ports and one prefix in an entry of a network ACL');
  return { action, kind, cidr };
}

function split(
  text: string,
  side: Side,
  like: string,
): { protocol: number; what: string; peers: string[] } {
  const found = /^(\S+)(?:\s+(\S.*?))?\s+(from|to)\s+(\S.*)$/.exec(text.trim());
  if (found === null) throw new RuleTextError(like);
  const [, name = '', what = '', word, peers = ''] = found;
  if (word !== side)
    throw new RuleTextError(
      `'${side}' and not '${word}': this is about ${side === 'from' ? 'in' : 'out'}bound traffic`,
    );
  const protocol = protocols[name] ?? (/^\d+$/.test(name) ? Number(name) : Number.NaN);
  if (!(protocol <= 255))
    throw new RuleTextError(`a protocol: ${Object.keys(protocols).join(', ')}, or its number`);
  return { protocol, what, peers: listOf(peers) };
}

/** Spaces, as commas end a rule in YAML's `[...]`; elsewhere commas do as well. */
const listOf = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '');

function kindsOf(protocol: number, what: string): Kind[] {
  if (withPorts.has(protocol)) return portsOf(what).map((ports) => ({ protocol, ...ports }));
  if (protocol === protocols['icmp']) return [{ protocol, ...icmpOf(what, icmpNames) }];
  if (protocol === protocols['icmpv6']) return [{ protocol, ...icmpOf(what, icmpv6Names) }];
  if (what !== '') throw new RuleTextError(`no '${what}': only TCP and UDP have ports`);
  return [{ protocol }];
}

function portsOf(what: string): { fromPort: number; toPort: number }[] {
  if (what === '') return [{ fromPort: 0, toPort: 65_535 }];
  return listOf(what).map((part) => {
    const [, first = '', last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const [fromPort, toPort] = [Number(first), Number(last)];
    if (first === '' || fromPort > toPort || toPort > 65_535)
      throw new RuleTextError('ports like 22, 80 443, or 1024-65535');
    return { fromPort, toPort };
  });
}

function icmpOf(what: string, names: typeof icmpNames): { fromPort: number; toPort: number } {
  if (what === '') return { fromPort: -1, toPort: -1 };
  const named = names[what];
  if (named !== undefined) return { fromPort: named[0], toPort: named[1] };
  const [, type = '', code = ''] = /^(\d+)(?:\/(\d+))?$/.exec(what) ?? [];
  if (type === '' || Number(type) > 255 || Number(code) > 255)
    throw new RuleTextError(
      `a type of ICMP (${Object.keys(names).join(', ')}), or its number with or without a code: 3/4`,
    );
  return { fromPort: Number(type), toPort: code === '' ? -1 : Number(code) };
}
