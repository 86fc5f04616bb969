/**
 * Whether the rules of security groups and the entries of network ACLs are ones that EC2 would take:
 * IpPermission and CreateNetworkAclEntry in the API reference, and the quotas.
 */
import { ipProtocol } from '../net/ipv4.ts';
import { type Problems, readPrefix } from './check-addresses.ts';
import type {
  NetworkAcl,
  NetworkAclEntry,
  NetworkInterface,
  PrefixList,
  SecurityGroup,
  SecurityGroupRule,
  VpcModel,
} from './model.ts';
import { ceilings, type Quotas } from './quotas.ts';
import { type Direction, hasPorts, isIcmp } from './rule-names.ts';

const directions = ['inbound', 'outbound'] as const;
const versions = [4, 6] as const;

export const checkFilters = (model: VpcModel, quotas: Quotas): Problems => [
  ...model.securityGroups.flatMap((group) => checkGroup(group, model, quotas)),
  ...model.networkAcls.flatMap((acl) => checkAcl(acl, quotas)),
  ...model.interfaces.flatMap((at) => checkGroupsOf(at, model, quotas)),
  ...model.prefixLists.flatMap(checkPrefixList),
  ...checkCounts(model, quotas),
];

// Security groups.

function checkGroup(group: SecurityGroup, model: VpcModel, quotas: Quotas): Problems {
  return directions.flatMap((direction) => {
    const seen = new Set<string>();
    const ids = new Set<string>();
    const problems = group[direction].flatMap((rule) => {
      const where = `${group.id} ${direction} ${rule.id}`;
      const key = JSON.stringify([rule.protocol, rule.fromPort, rule.toPort, rule.peer]);
      const twice = seen.has(key) ? [`${where} is there already: remove one of the two`] : [];
      const sameId = ids.has(rule.id)
        ? [`${where}: another rule has this id: give it its own`]
        : [];
      seen.add(key);
      ids.add(rule.id);
      return [...twice, ...sameId, ...checkRule(where, rule, group, model)];
    });
    return [...problems, ...checkRuleCount(group, direction, model, quotas)];
  });
}

function checkRule(
  where: string,
  rule: SecurityGroupRule,
  group: SecurityGroup,
  model: VpcModel,
): Problems {
  const { peer, protocol, fromPort, toPort } = rule;
  return [
    ...checkProtocol(where, protocol),
    ...(isIcmp(protocol)
      ? checkIcmp(where, fromPort, toPort)
      : checkPorts(where, protocol, fromPort, toPort)),
    ...('cidr' in peer ? checkCidr(where, peer.cidr) : []),
    ...('prefixList' in peer ? checkList(where, peer.prefixList, model.prefixLists) : []),
    ...('group' in peer ? checkPeerGroup(where, peer.group, group, model.securityGroups) : []),
  ];
}

function checkPeerGroup(
  where: string,
  id: string,
  group: SecurityGroup,
  groups: readonly SecurityGroup[],
): Problems {
  const peer = groups.find((g) => g.id === id);
  if (peer === undefined) return [`${where}: there is no security group ${id}: create it first`];
  if (peer.vpc === group.vpc) return [];
  return [`${where}: ${id} is in ${peer.vpc}, not in ${group.vpc}: name a group of the same VPC`];
}

const checkList = (where: string, id: string, lists: readonly PrefixList[]): Problems =>
  lists.some((list) => list.id === id)
    ? []
    : [`${where}: there is no prefix list ${id}: create it first`];

/** How many rules it counts as: a group for each version, a prefix list as many as it may hold. */
function ruleCount(rules: readonly SecurityGroupRule[], version: 4 | 6, model: VpcModel): number {
  return rules.reduce((sum, { peer }) => {
    if ('group' in peer) return sum + 1;
    if ('cidr' in peer) return sum + (versionOf(peer.cidr) === version ? 1 : 0);
    const list = model.prefixLists.find(({ id }) => id === peer.prefixList);
    if (list === undefined || versionOf(list.cidrs[0] ?? '') !== version) return sum;
    return sum + (list.maxEntries ?? list.cidrs.length);
  }, 0);
}

const versionOf = (cidr: string): 4 | 6 => (cidr.includes(':') ? 6 : 4);

function checkRuleCount(
  group: SecurityGroup,
  direction: Direction,
  model: VpcModel,
  { rulesPerGroup }: Quotas,
): Problems {
  return versions.flatMap((version) => {
    const count = ruleCount(group[direction], version, model);
    if (count <= rulesPerGroup) return [];
    const what = `${count} ${direction} rules for IPv${version}`;
    return [
      `${group.id} has ${what}: the quota is ${rulesPerGroup}, use a prefix or another group`,
    ];
  });
}

function checkGroupsOf(at: NetworkInterface, model: VpcModel, quotas: Quotas): Problems {
  const { groupsPerInterface, rulesPerGroup } = quotas;
  const { id, groups } = at;
  const problems: string[] = [];
  if (groups.length === 0)
    problems.push(`${id} is in no security group: put it in one, if only the default group`);
  if (groups.length > groupsPerInterface)
    problems.push(
      `${id} is in ${groups.length} security groups: the quota is ${groupsPerInterface}`,
    );
  if (new Set(groups).size < groups.length)
    problems.push(`${id} names a security group twice: remove one of the two`);
  for (const direction of directions)
    for (const version of versions) {
      const sum = model.securityGroups
        .filter((group) => groups.includes(group.id))
        .reduce((all, group) => all + ruleCount(group[direction], version, model), 0);
      const most = Math.min(
        ceilings.rulesPerInterface,
        ceilings.groupsPerInterface * rulesPerGroup,
      );
      if (sum > most)
        problems.push(
          `${id} has ${sum} ${direction} rules for IPv${version} in all of its groups: ${most} are the most`,
        );
    }
  return problems;
}

// Network ACLs.

function checkAcl(acl: NetworkAcl, quotas: Quotas): Problems {
  return directions.flatMap((direction) => {
    const numbers = new Set<number>();
    const problems = acl[direction].flatMap((entry) => {
      const where = `${acl.id} ${direction} ${entry.number}`;
      const twice = numbers.has(entry.number);
      numbers.add(entry.number);
      return [
        ...(twice ? [`${where} is there twice: number one of them differently`] : []),
        ...checkEntry(where, entry),
      ];
    });
    for (const version of versions) {
      const count = acl[direction].filter(({ cidr }) => versionOf(cidr) === version).length;
      if (count > quotas.entriesPerAcl)
        problems.push(
          `${acl.id} has ${count} ${direction} entries for IPv${version}: the quota is ${quotas.entriesPerAcl}`,
        );
    }
    return problems;
  });
}

function checkEntry(where: string, entry: NetworkAclEntry): Problems {
  const { number, protocol, cidr, fromPort, toPort, icmpType, icmpCode } = entry;
  const inRange = Number.isInteger(number) && number >= 1 && number <= 32_766;
  return [
    ...(inRange ? [] : [`${where}: an entry's number is from 1 to 32766: choose one of these`]),
    ...checkProtocol(where, protocol),
    ...(fromPort === undefined && toPort === undefined
      ? []
      : checkPorts(where, protocol, fromPort, toPort)),
    ...checkIcmp(where, icmpType, icmpCode),
    ...(isIcmp(protocol) || icmpType === undefined
      ? []
      : [`${where}: only ICMP has types: remove icmpType`]),
    ...checkCidr(where, cidr),
  ];
}

// What both have.

function checkProtocol(where: string, protocol: number): Problems {
  if (Number.isInteger(protocol) && protocol >= -1 && protocol <= 255) return [];
  return [`${where}: ${protocol} is no IP protocol: use a number up to 255, or -1 for all`];
}

function checkPorts(where: string, protocol: number, from?: number, to?: number): Problems {
  if (from === undefined && to === undefined)
    return hasPorts(protocol)
      ? [`${where}: it has no ports: say 0 to 65535 if you mean all of them`]
      : [];
  if (!hasPorts(protocol))
    return from === -1 && to === -1
      ? []
      : [
          `${where}: only TCP (${ipProtocol.tcp}) and UDP (${ipProtocol.udp}) have ports: remove them`,
        ];
  const valid = [from, to].every(
    (p) => p !== undefined && Number.isInteger(p) && p >= 0 && p < 65_536,
  );
  if (!valid)
    return [`${where}: ports go from 0 to 65535, and there are two: ${from} to ${to} is none`];
  if ((from as number) <= (to as number)) return [];
  return [`${where}: the ports ${from} to ${to} are the wrong way round: exchange them`];
}

function checkIcmp(where: string, type = -1, code = -1): Problems {
  const valid = [type, code].every((n) => Number.isInteger(n) && n >= -1 && n <= 255);
  if (!valid) return [`${where}: ICMP types and codes go from 0 to 255, or are -1 for any`];
  if (type === -1 && code !== -1)
    return [`${where}: all ICMP types have all codes: say -1 for the code, too`];
  return [];
}

function checkCidr(where: string, cidr: string): Problems {
  const prefix = readPrefix(cidr);
  return typeof prefix === 'string' ? [`${where}: ${prefix}`] : [];
}

function checkPrefixList({ id, cidrs, maxEntries }: PrefixList): Problems {
  const problems = [...cidrs.flatMap((cidr) => checkCidr(id, cidr))];
  if (new Set(cidrs.map(versionOf)).size > 1)
    problems.push(`${id} has prefixes of both IP versions: make it two lists`);
  if (maxEntries !== undefined && cidrs.length > maxEntries)
    problems.push(`${id} has ${cidrs.length} entries: raise its maximum, which is ${maxEntries}`);
  return problems;
}

function checkCounts(model: VpcModel, { aclsPerVpc, groupsPerRegion }: Quotas): Problems {
  const problems: string[] = [];
  if (model.securityGroups.length > groupsPerRegion)
    problems.push(
      `there are ${model.securityGroups.length} security groups: the quota is ${groupsPerRegion} per Region`,
    );
  for (const { id } of model.vpcs) {
    const count = model.networkAcls.filter(({ vpc }) => vpc === id).length;
    if (count > aclsPerVpc)
      problems.push(`${id} has ${count} network ACLs: the quota is ${aclsPerVpc}`);
  }
  return problems;
}
