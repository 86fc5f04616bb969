/**
 * Rules, entries and routes as people read them in traces and captures:
 * `sg-0a1 inbound sgr-0b2: tcp 5432 from sg-0c3`, `acl-0a1 outbound 100: deny udp 53 to 0.0.0.0/0`.
 */
import { ipProtocol } from '../net/ipv4.ts';
import type { NetworkAcl, NetworkAclEntry, SecurityGroup, SecurityGroupRule } from './model.ts';

export type Direction = 'inbound' | 'outbound';

const names: Readonly<Record<number, string>> = {
  [-1]: 'all',
  [ipProtocol.icmp]: 'icmp',
  [ipProtocol.tcp]: 'tcp',
  [ipProtocol.udp]: 'udp',
  [ipProtocol.icmp6]: 'icmpv6',
};

export const hasPorts = (protocol: number): boolean =>
  protocol === ipProtocol.tcp || protocol === ipProtocol.udp;

export const isIcmp = (protocol: number): boolean =>
  protocol === ipProtocol.icmp || protocol === ipProtocol.icmp6;

export function ruleName(
  group: SecurityGroup,
  direction: Direction,
  rule: SecurityGroupRule,
): string {
  const { peer, protocol, fromPort, toPort } = rule;
  const who = 'cidr' in peer ? peer.cidr : 'group' in peer ? peer.group : peer.prefixList;
  const what = kindName(protocol, fromPort, toPort, fromPort, toPort);
  return `${group.id} ${direction} ${rule.id}: ${what} ${word(direction)} ${who}`;
}

export function entryName(acl: NetworkAcl, direction: Direction, entry: NetworkAclEntry): string {
  const { protocol, fromPort, toPort, icmpType, icmpCode } = entry;
  const what = kindName(protocol, fromPort, toPort, icmpType, icmpCode);
  const decides = `${entry.action} ${what} ${word(direction)} ${entry.cidr}`;
  return `${acl.id} ${direction} ${entry.number}: ${decides}`;
}

export const finalEntryName = (acl: NetworkAcl, direction: Direction): string =>
  `${acl.id} ${direction} *: deny all`;

export const noRuleName = (groups: readonly string[], direction: Direction): string =>
  groups.length === 0
    ? 'the interface is in no security group'
    : `no ${direction} rule in ${groups.join(', ')} matches`;

const word = (direction: Direction): string => (direction === 'inbound' ? 'from' : 'to');

function kindName(protocol: number, fromPort = 0, toPort = 0xffff, type = -1, code = -1): string {
  const name = names[protocol] ?? `protocol ${protocol}`;
  if (isIcmp(protocol)) {
    if (type < 0) return name;
    return code < 0 ? `${name} type ${type}` : `${name} type ${type} code ${code}`;
  }
  if (!hasPorts(protocol) || (fromPort === 0 && toPort === 0xffff)) return name;
  return fromPort === toPort ? `${name} ${fromPort}` : `${name} ${fromPort}-${toPort}`;
}
