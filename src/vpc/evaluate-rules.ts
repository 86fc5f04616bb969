/**
 * What a security group's rule and a network ACL's entry match, as the Amazon VPC User Guide says
 * it: "Security group rules", "Control traffic to subnets using network ACLs", and the API's
 * IpPermission and CreateNetworkAclEntry for protocol numbers, ports, ICMP types and codes.
 */
import { holds, isAll, same, versionOf } from './evaluate-address.ts';
import { type Flow, hasPorts, isIcmp } from './evaluate-packet.ts';
import type { NetworkAclEntry, NetworkInterface, SecurityGroupRule, VpcModel } from './model.ts';

export type Direction = 'inbound' | 'outbound';

export const opposite = (direction: Direction): Direction =>
  direction === 'inbound' ? 'outbound' : 'inbound';

/** The other side, seen from the interface or subnet: where from, or where to. */
const otherSide = (flow: Flow, direction: Direction): string =>
  direction === 'inbound' ? flow.source : flow.destination;

/** The rules of all the interface's groups, as one list ("Components of a security group rule"). */
export function rulesOf(
  model: VpcModel,
  at: NetworkInterface,
  direction: Direction,
): readonly SecurityGroupRule[] {
  return at.groups.flatMap(
    (id) => model.securityGroups.find((group) => group.id === id)?.[direction] ?? [],
  );
}

/**
 * Whether a rule allows a packet.
 *
 * @param direct the packet entered the network at the interface that owns its source address. Rules
 *   that name a group do not match what a middlebox passes on ("Security group referencing")
 */
export function ruleMatches(
  model: VpcModel,
  rule: SecurityGroupRule,
  flow: Flow,
  direction: Direction,
  direct: boolean,
): boolean {
  return (
    protocolMatches(rule.protocol, flow) &&
    portsMatch(rule, flow) &&
    peerMatches(model, rule, otherSide(flow, direction), direct)
  );
}

const protocolMatches = (protocol: number, flow: Flow): boolean =>
  protocol === -1 || protocol === flow.protocol;

/** Ports are the receiver's; for ICMP `fromPort` is the type and `toPort` the code. */
function portsMatch(rule: SecurityGroupRule, flow: Flow): boolean {
  if (rule.protocol === -1) return true;
  if (hasPorts(flow)) return within(flow.destinationPort ?? 0, rule.fromPort, rule.toPort);
  if (isIcmp(flow))
    return typeMatches(rule.fromPort, flow.icmpType) && typeMatches(rule.toPort, flow.icmpCode);
  return true;
}

const within = (port: number, from = 0, to = 65_535): boolean => from <= port && port <= to;

/** -1, or nothing said: any. */
const typeMatches = (wanted = -1, is = 0): boolean => wanted === -1 || wanted === is;

function peerMatches(
  model: VpcModel,
  { peer }: SecurityGroupRule,
  other: string,
  direct: boolean,
): boolean {
  if ('cidr' in peer) return holds(peer.cidr, other);
  if ('prefixList' in peer) return prefixesOf(model, peer.prefixList).some((p) => holds(p, other));
  return direct && membersOf(model, peer.group).some((member) => owns(member, other));
}

/** The entries of a prefix list. */
export const prefixesOf = (model: VpcModel, id: string): readonly string[] =>
  model.prefixLists.find((list) => list.id === id)?.cidrs ?? [];

/** A group stands for the private addresses of its interfaces, in the group's own VPC. */
const membersOf = (model: VpcModel, group: string): NetworkInterface[] =>
  model.interfaces.filter(({ groups }) => groups.includes(group));

/** Whether an address is one of the interface's private ones. */
export const owns = (at: NetworkInterface, text: string): boolean =>
  at.addresses.some(({ address }) => same(address, text)) ||
  (at.ipv6Addresses ?? []).some((address) => same(address, text));

/**
 * Whether a rule is one of the two open ones that leave a flow untracked: it names all addresses of
 * the flow's version itself ("Untracked connections", EC2 User Guide).
 */
export const isOpen = (rule: SecurityGroupRule, flow: Flow): boolean =>
  'cidr' in rule.peer && isAll(rule.peer.cidr, versionOf(flow.source));

/** Whether a rule lets answers go to all ports. */
export function allowsAnyPort(rule: SecurityGroupRule, flow: Flow): boolean {
  if (rule.protocol === -1) return true;
  const { protocol, fromPort = 0, toPort = 65_535 } = rule;
  return protocol === flow.protocol && fromPort === 0 && toPort === 65_535;
}

/** The entry that decides: of those that match, the one with the lowest number. */
export function decidingEntry(
  entries: readonly NetworkAclEntry[],
  flow: Flow,
  direction: Direction,
): NetworkAclEntry | null {
  const matching = entries.filter((entry) => entryMatches(entry, flow, direction));
  return matching.sort((a, b) => a.number - b.number)[0] ?? null;
}

function entryMatches(entry: NetworkAclEntry, flow: Flow, direction: Direction): boolean {
  if (!protocolMatches(entry.protocol, flow)) return false;
  if (!holds(entry.cidr, otherSide(flow, direction))) return false;
  if (entry.protocol === -1) return true;
  if (hasPorts(flow)) return within(flow.destinationPort ?? 0, entry.fromPort, entry.toPort);
  if (isIcmp(flow))
    return typeMatches(entry.icmpType, flow.icmpType) && typeMatches(entry.icmpCode, flow.icmpCode);
  return true;
}
