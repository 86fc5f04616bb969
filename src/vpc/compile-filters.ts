/**
 * Security groups and network ACLs as the switch's tables: what is text in the model becomes rows of
 * integers (`switch/vpc/filter-table.ts`), for each direction and IP version.
 */
import { ipProtocol, ipv4Mask } from '../net/ipv4.ts';
import { type Prefix, parsePrefix } from '../net/prefix.ts';
import { EntryTable, RuleTable } from '../switch/vpc/filter-table.ts';
import type { AclTables, ByVersion, GroupTables } from '../switch/vpc/policy.ts';
import type { NetworkAcl, NetworkAclEntry, SecurityGroup, SecurityGroupRule } from './model.ts';
import { type Direction, entryName, finalEntryName, hasPorts, ruleName } from './rule-names.ts';

type GroupContext = {
  /** Places of security groups. */
  readonly groups: ReadonlyMap<string, number>;
  readonly prefixLists: ReadonlyMap<string, readonly Prefix[]>;
};

type Version = 4 | 6;

const noPrefix: Prefix['base'] = [0, 0, 0, 0];

export function compileGroup(group: SecurityGroup, context: GroupContext): GroupTables {
  return {
    id: group.id,
    inbound: byVersion((version) => compileRules(group, 'inbound', version, context)),
    outbound: byVersion((version) => compileRules(group, 'outbound', version, context)),
  };
}

function compileRules(
  group: SecurityGroup,
  direction: Direction,
  version: Version,
  { groups, prefixLists }: GroupContext,
): RuleTable {
  const rows: number[] = [];
  const names: string[] = [];
  const open: number[] = [];
  for (const rule of group[direction]) {
    const { peer } = rule;
    const name = ruleName(group, direction, rule);
    const kind = kindOf(rule, rule.fromPort, rule.toPort, version);
    if ('group' in peer) {
      rows.push(...kind, groups.get(peer.group) ?? absent, ...prefixWords(null, version));
      names.push(name);
      continue;
    }
    const prefixes =
      'cidr' in peer ? [parsePrefix(peer.cidr)] : (prefixLists.get(peer.prefixList) ?? []);
    for (const prefix of prefixes) {
      if (prefix.version !== version) continue;
      rows.push(...kind, -1, ...prefixWords(prefix, version));
      names.push(name);
      if ('cidr' in peer && prefix.length === 0) open.push(...kind);
    }
  }
  return new RuleTable(Int32Array.from(rows), names, Int32Array.from(open));
}

/** The place of a group that is not there: nobody is in it. */
const absent = 0x7fff_ffff;

export function compileAcl(acl: NetworkAcl): AclTables {
  return {
    id: acl.id,
    inbound: byVersion((version) => compileEntries(acl, 'inbound', version)),
    outbound: byVersion((version) => compileEntries(acl, 'outbound', version)),
    finalInbound: finalEntryName(acl, 'inbound'),
    finalOutbound: finalEntryName(acl, 'outbound'),
  };
}

function compileEntries(acl: NetworkAcl, direction: Direction, version: Version): EntryTable {
  const rows: number[] = [];
  const names: string[] = [];
  const allow: number[] = [];
  for (const entry of [...acl[direction]].sort((a, b) => a.number - b.number)) {
    const prefix = parsePrefix(entry.cidr);
    if (prefix.version !== version) continue;
    const kind = kindOfEntry(entry, version);
    rows.push(...kind, -1, ...prefixWords(prefix, version));
    names.push(entryName(acl, direction, entry));
    allow.push(entry.action === 'allow' ? 1 : 0);
  }
  return new EntryTable(Int32Array.from(rows), names, Uint8Array.from(allow));
}

/** Protocol, lowest and highest value. */
type Kind = readonly [protocol: number, low: number, high: number];

const kindOfEntry = (entry: NetworkAclEntry, version: Version): Kind =>
  hasPorts(entry.protocol)
    ? kindOf(entry, entry.fromPort, entry.toPort, version)
    : kindOf(entry, entry.icmpType, entry.icmpCode, version);

/** ICMP of the other version of IP is any protocol: it has neither ports nor types. */
function kindOf(
  { protocol }: Pick<SecurityGroupRule, 'protocol'>,
  from: number | undefined,
  to: number | undefined,
  version: Version,
): Kind {
  if (hasPorts(protocol)) return [protocol, from ?? 0, to ?? 0xffff];
  const type = from ?? -1;
  const isTyped = protocol === (version === 4 ? ipProtocol.icmp : ipProtocol.icmp6) && type >= 0;
  if (!isTyped) return [protocol, 0, 0xffff];
  const code = to ?? -1;
  return code < 0
    ? [protocol, type << 8, (type << 8) | 255]
    : [protocol, (type << 8) | code, (type << 8) | code];
}

/** Base and mask. */
function prefixWords(prefix: Prefix | null, version: Version): number[] {
  const words = version === 4 ? 1 : 4;
  const { base, length } = prefix ?? { base: noPrefix, length: 0 };
  return [...base.slice(0, words), ...masksOf(length, words)];
}

/** The words of a prefix's mask. */
export const masksOf = (length: number, words: number): number[] =>
  Array.from({ length: words }, (_, i) => ipv4Mask(Math.max(0, Math.min(32, length - 32 * i))));

const byVersion = <T>(make: (version: Version) => T): ByVersion<T> => ({
  v4: make(4),
  v6: make(6),
});
