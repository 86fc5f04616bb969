/** Network ACLs, subnets, and how near things are to their quotas. */
import { contains, readPrefix } from '../../vpc/check-addresses.ts';
import { ceilings, defaultQuotas } from '../../vpc/quotas.ts';
import { shellWord } from '../printable.ts';
import { fail, judge, judgeEach, notApplicable, pass, type Rule } from '../rule.ts';
import type { AccountFacts, AclEntryFacts, AclFacts, GroupFacts } from './facts.ts';
import { about, call } from './walk.ts';

const acls = 'network ACLs';
const quotas = 'quotas';
/** Of Linux: net.ipv4.ip_local_port_range. */
const ephemeral = { from: 32_768, to: 60_999 } as const;

const replies: Rule<AccountFacts> = {
  id: 'account-acl-replies',
  group: acls,
  severity: 'warning',
  title: 'a network ACL lets the replies to what it lets in get out',
  reason:
    'Network ACLs are stateless: a reply goes to an ephemeral port (32768 to 60999 of Linux, 1024 to 65535 of load ' +
    'balancers), and needs a rule of its own.',
  source: 'VPC User Guide, "Ephemeral ports"',
  mend: 'aws ec2 create-network-acl-entry --network-acl-id ACL --egress --rule-number N --protocol tcp --port-range From=1024,To=65535 --cidr-block CIDR --rule-action allow',
  evaluate: (facts) =>
    judgeEach(facts.acls, (acl) => {
      const said = { subject: acl.id, seen: [seenOf(acl)] };
      if (acl.subnets.length === 0) return notApplicable('no subnet has it', said);
      const asked = acl.entries.filter(isServiceIn);
      if (asked.length === 0) return notApplicable('it lets in no TCP by name', said);
      const lost = asked.filter(({ cidr }) => !letsReplyOut(acl, cidr));
      if (lost.length === 0) return pass('replies get out', said);
      const { number, cidr = '' } = lost[0] ?? { number: 0 };
      const option = cidr.includes(':') ? '--ipv6-cidr-block' : '--cidr-block';
      return fail(`inbound ${number} lets TCP from ${cidr} in, and replies to it do not get out`, {
        ...said,
        mend: [
          `aws ec2 create-network-acl-entry --network-acl-id ${shellWord(acl.id)} --egress --rule-number ${freeNumber(acl)} --protocol tcp --port-range From=1024,To=65535 ${option} ${shellWord(cidr)} --rule-action allow`,
        ],
      });
    }),
};

const entries: Rule<AccountFacts> = {
  id: 'account-acl-entries',
  group: quotas,
  severity: 'note',
  title: 'a network ACL has room for more entries',
  reason: `An ACL has ${defaultQuotas.entriesPerAcl} entries per direction and IP version, ${ceilings.entriesPerAcl} at most if raised.`,
  source: 'VPC User Guide, "Amazon VPC quotas"',
  mend: 'aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-2AEEBF1A --desired-value 40',
  evaluate: (facts) =>
    judgeEach(facts.acls, (acl) => {
      // The last, which denies the rest, is not counted.
      const own = acl.entries.filter(({ number }) => number < 32_767);
      const most = Math.max(
        0,
        ...countsOf(own, ({ isEgress, cidr }) => `${isEgress} ${cidr.includes(':')}`),
      );
      const text = `${most} of ${defaultQuotas.entriesPerAcl} entries`;
      const said = about('DescribeNetworkAcls', acl.id, text);
      if (most < defaultQuotas.entriesPerAcl) return pass(text, said);
      return fail(text, { ...said, mend: [entries.mend] });
    }),
};

const groupRules: Rule<AccountFacts> = {
  id: 'account-group-rules',
  group: quotas,
  severity: 'note',
  title: 'a security group has room for more rules',
  reason: `A group has ${defaultQuotas.rulesPerGroup} rules per direction and IP version unless that was raised.`,
  source: 'VPC User Guide, "Amazon VPC quotas"',
  mend: 'aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-0EA8095F --desired-value 120',
  evaluate: (facts) =>
    judgeEach(facts.groups, (group) => {
      const most = mostRules(group);
      const text = `${most} of ${defaultQuotas.rulesPerGroup} rules`;
      const said = about('DescribeSecurityGroups', group.id, text);
      if (most < defaultQuotas.rulesPerGroup) return pass(text, said);
      return fail(text, { ...said, mend: [groupRules.mend] });
    }),
};

const groupsEach: Rule<AccountFacts> = {
  id: 'account-interface-groups',
  group: quotas,
  severity: 'note',
  title: 'an interface can be in one more group',
  reason:
    'The account has a limit of groups per interface; the cluster or EFA group has to fit in.',
  source: 'EC2 API, DescribeAccountAttributes, vpc-max-security-groups-per-interface',
  mend: 'aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-2AFB9258 --desired-value 10',
  evaluate: (facts) =>
    judgeEach(facts.interfaces, ({ id, groups }) =>
      judge(facts.groupsPerInterface, id, (limit) => {
        const text = `${groups.length} of ${limit} groups`;
        const said = about('DescribeNetworkInterfaces', id, text);
        if (groups.length < limit) return pass(text, said);
        return fail(text, { ...said, mend: [groupsEach.mend] });
      }),
    ),
};

const addresses: Rule<AccountFacts> = {
  id: 'account-subnet-addresses',
  group: quotas,
  severity: 'warning',
  title: 'a subnet has addresses left',
  reason:
    'Each interface takes one at least: without any, nothing more is launched or attached there.',
  source: 'VPC User Guide, "Subnet CIDR blocks"; EC2 API, Subnet.AvailableIpAddressCount',
  mend: 'aws ec2 associate-vpc-cidr-block --vpc-id VPC --cidr-block CIDR   # and a subnet in it',
  evaluate: (facts) =>
    judgeEach(facts.subnets, ({ id, cidr, available, vpc }) => {
      const text = `${available} addresses left in ${cidr}`;
      const said = about('DescribeSubnets', id, text);
      if (available >= 8) return pass(text, said);
      const more = `aws ec2 associate-vpc-cidr-block --vpc-id ${shellWord(vpc)} --cidr-block CIDR`;
      return fail(text, { ...said, mend: [more] });
    }),
};

/** An allow of TCP to ports that are not ephemeral: somebody asks, and waits for a reply. */
function isServiceIn({ isEgress, isAllow, protocol, fromPort }: AclEntryFacts): boolean {
  if (isEgress || !isAllow) return false;
  return protocol === '6' && (fromPort ?? 0) < 1024;
}

/** By the first entry that matches, at both ends of the ephemeral ports. */
function letsReplyOut({ entries: all }: AclFacts, cidr: string): boolean {
  const out = all.filter(({ isEgress }) => isEgress).sort((a, b) => a.number - b.number);
  return [ephemeral.from, ephemeral.to].every(
    (port) => out.find((one) => matches(one, cidr, port))?.isAllow === true,
  );
}

function matches(
  { protocol, cidr, fromPort, toPort }: AclEntryFacts,
  to: string,
  port: number,
): boolean {
  const inner = readPrefix(to);
  if (typeof inner === 'string' || !contains(cidr, inner)) return false;
  if (protocol === '-1') return true;
  return protocol === '6' && port >= (fromPort ?? 0) && port <= (toPort ?? 65_535);
}

/** The first hundred that no outbound entry has. */
function freeNumber({ entries: all }: AclFacts): number {
  const taken = new Set(all.filter(({ isEgress }) => isEgress).map(({ number }) => number));
  for (let number = 100; number < 32_767; number += 100) if (!taken.has(number)) return number;
  return 1;
}

function seenOf({ id, entries: all }: AclFacts) {
  const words = all.map(
    ({ number, isEgress, isAllow, protocol, cidr, fromPort, toPort }) =>
      `${isEgress ? 'out' : 'in'} ${number} ${isAllow ? 'allow' : 'deny'} ${protocol} ${cidr} ${fromPort ?? ''}-${toPort ?? ''}`,
  );
  return { value: words.join('; '), at: call('DescribeNetworkAcls', id) };
}

/** A rule counts once per peer, by direction and IP version; a group as a peer counts for both. */
function mostRules({ inbound, outbound }: GroupFacts): number {
  const most = (list: GroupFacts['inbound']): number => {
    const sum = (of: (one: (typeof list)[number]) => number) =>
      list.reduce((all, one) => all + of(one), 0);
    const both = sum(({ groups, prefixLists }) => groups.length + prefixLists);
    const six = sum(({ cidrs }) => cidrs.filter((cidr) => cidr.includes(':')).length);
    const four = sum(({ cidrs }) => cidrs.length) - six;
    return both + Math.max(four, six);
  };
  return Math.max(most(inbound), most(outbound));
}

function countsOf<T>(list: readonly T[], key: (one: T) => string): number[] {
  const counts = new Map<string, number>();
  for (const one of list) counts.set(key(one), (counts.get(key(one)) ?? 0) + 1);
  return [...counts.values()];
}

export const networkRules: readonly Rule<AccountFacts>[] = [
  replies,
  addresses,
  entries,
  groupRules,
  groupsEach,
];
