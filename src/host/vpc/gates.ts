/** Security groups, network ACLs and prefix lists of a `vpc:` section. */

import { nearest } from '../../lib/nearest.ts';
import type {
  NetworkAcl,
  NetworkAclEntry,
  PrefixList,
  RulePeer,
  SecurityGroup,
  SecurityGroupRule,
} from '../../vpc/model.ts';
import { asCidr, parseCidr } from './cidr.ts';
import { defaultName, type Issues, type Names, type Path } from './names.ts';
import { type AclLine, parseAclEntry, parseRule, RuleTextError, type Side } from './rule-text.ts';
import type { VpcSection } from './section.ts';

/** What all of a section's parts are built with. */
export type Building = {
  readonly vpc: string;
  /** Whether the VPC has IPv6 prefixes. */
  readonly ipv6: boolean;
  readonly names: Names;
  readonly issues: Issues;
};

type Direction = 'in' | 'out';
const sides: Record<Direction, Side> = { in: 'from', out: 'to' };

/** All addresses of a family. */
const everyone = (ipv6: boolean): string[] => (ipv6 ? ['0.0.0.0/0', '::/0'] : ['0.0.0.0/0']);

type GroupSection = NonNullable<VpcSection['groups']>[string];

/** The default group is always there, as in every VPC. */
export function buildGroups({ groups = {} }: VpcSection, of: Building): SecurityGroup[] {
  const standard: GroupSection = { in: ['all from self'] };
  return Object.entries({ [defaultName]: standard, ...groups }).map(([name, group]) => {
    const rules = (direction: Direction): SecurityGroupRule[] | undefined =>
      group[direction]?.flatMap((line, index) =>
        groupRules(line, { ...of, name, direction, index }),
      );
    return {
      ...{ id: `sg-${name}`, vpc: of.vpc, name },
      inbound: rules('in') ?? [],
      outbound: rules('out') ?? openRules(name, of),
    };
  });
}

/** What a new group lets out: everything. */
function openRules(name: string, { ipv6 }: Building): SecurityGroupRule[] {
  return everyone(ipv6).map((cidr, i) => {
    return { id: `sgr-${name}-out-${i + 1}`, protocol: -1, peer: { cidr } };
  });
}

type Line = Building & {
  readonly name: string;
  readonly direction: Direction;
  readonly index: number;
};

/** A line becomes a rule for each of its ports and peers: `sgr-web-in-2`, or `-2a`, `-2b`, ... */
function groupRules(text: string, line: Line): SecurityGroupRule[] {
  const { name, direction, index, issues } = line;
  const path: Path = ['vpc', 'groups', name, direction, index];
  const parsed = attempt(path, issues, () => parseRule(text, sides[direction]));
  if (parsed === null) return [];
  const id = `sgr-${name}-${direction}-${index + 1}`;
  const peers = parsed.peers.flatMap((peer) => peersOf(peer, path, line));
  const rules = parsed.kinds.flatMap((kind) => peers.map((peer) => ({ ...kind, peer })));
  return rules.map((rule, i) => ({ id: rules.length === 1 ? id : `${id}${suffix(i)}`, ...rule }));
}

const suffix = (index: number): string =>
  index < 26 ? String.fromCharCode(97 + index) : `-${index + 1}`;

function peersOf(peer: string, path: Path, { names, name, issues }: Line): RulePeer[] {
  if (peer === 'self') return [{ group: `sg-${name}` }];
  if (peer === 'anywhere') return everyone(true).map((cidr) => ({ cidr }));
  const cidr = asCidr(peer);
  if (parseCidr(cidr) !== null) return [{ cidr }];
  const group = names.groups.get(peer);
  if (group !== undefined) return [{ group }];
  const prefixList = names.lists.get(peer);
  if (prefixList !== undefined) return [{ prefixList }];
  const known = [...names.groups.keys(), ...names.lists.keys()];
  const near = nearest(peer, known);
  const hint = near.length === 0 ? '' : `; did you mean ${near.join(', ')}?`;
  issues.add(
    path,
    `a prefix, anywhere, self, or the name of a group or prefix list (${known.join(', ')}) instead of '${peer}'${hint}`,
  );
  return [];
}

/** The default ACL allows everything, one that somebody made nothing that it does not name. */
export function buildAcls({ acls = {} }: VpcSection, of: Building): NetworkAcl[] {
  const open = (): NetworkAclEntry[] =>
    everyone(of.ipv6).map((cidr, i) => {
      return { number: 100 + i, action: 'allow', protocol: -1, cidr };
    });
  const made = Object.entries(acls).map(([name, acl]): NetworkAcl => {
    const entries = (direction: Direction): NetworkAclEntry[] =>
      Object.entries(acl[direction] ?? {}).flatMap(([number, text]) =>
        aclEntry(Number(number), text, ['vpc', 'acls', name, direction, number], direction, of),
      );
    return { id: `acl-${name}`, vpc: of.vpc, inbound: entries('in'), outbound: entries('out') };
  });
  if (Object.hasOwn(acls, defaultName)) return made;
  const standard = { id: `acl-${defaultName}`, vpc: of.vpc, inbound: open(), outbound: open() };
  return [standard, ...made];
}

function aclEntry(
  number: number,
  text: string,
  path: Path,
  direction: Direction,
  { issues }: Building,
): NetworkAclEntry[] {
  const parsed = attempt(path, issues, () => parseAclEntry(text, sides[direction]));
  if (parsed === null) return [];
  const cidr = asCidr(parsed.cidr);
  if (parseCidr(cidr) === null) {
    issues.add(path, `a prefix like 10.0.0.0/16 instead of '${parsed.cidr}': ACLs know no names`);
    return [];
  }
  return [{ number, action: parsed.action, cidr, ...entryKind(parsed) }];
}

/** ICMP has its own fields in an ACL, and all ports are not said. */
function entryKind({ kind }: AclLine): Omit<NetworkAclEntry, 'number' | 'action' | 'cidr'> {
  const { protocol, fromPort, toPort } = kind;
  if (fromPort === undefined || toPort === undefined) return { protocol };
  const isIcmp = protocol === 1 || protocol === 58;
  if (isIcmp) return { protocol, icmpType: fromPort, icmpCode: toPort };
  return fromPort === 0 && toPort === 65_535 ? { protocol } : { protocol, fromPort, toPort };
}

export function buildPrefixLists({ 'prefix-lists': lists = {} }: VpcSection): PrefixList[] {
  return Object.entries(lists).map(([name, cidrs]) => ({ id: `pl-${name}`, name, cidrs }));
}

function attempt<T>(path: Path, issues: Issues, parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof RuleTextError)) throw error;
    issues.add(path, error.expected);
    return null;
  }
}
