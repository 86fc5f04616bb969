/** EFA interfaces: what their type, group, card and peers must be like. ENA Express besides. */
import { type Evidence, isKnown } from '../fact.ts';
import { shellWord } from '../printable.ts';
import { fail, judge, judgeEach, notApplicable, pass, type Rule, type Verdict } from '../rule.ts';
import type {
  AccountFacts,
  EniFacts,
  GroupFacts,
  InstanceFacts,
  PermissionFacts,
  TypeFacts,
} from './facts.ts';
import { about, call, eachInstance, instanceOf, interfacesOf, isEfa, typeNamed } from './walk.ts';

const group = 'EFA';
const express = 'ENA Express';
const guide = 'EC2 User Guide, "Elastic Fabric Adapter"';
const types =
  'EC2 User Guide, "Maximize network bandwidth on Amazon EC2 instances with multiple network cards"';

function eachEfa(facts: AccountFacts, how: (one: EniFacts) => Verdict): Verdict[] {
  const { interfaces } = facts;
  if (!isKnown(interfaces)) return judgeEach(interfaces, how);
  return interfaces.value.filter(isEfa).map(how);
}

const typeHas: Rule<AccountFacts> = {
  id: 'account-efa-type',
  group,
  severity: 'error',
  title: 'an instance has no more EFA interfaces than its type',
  reason: 'A type without EFA, or with fewer, does not start with them.',
  source: 'DescribeInstanceTypes, NetworkInfo.EfaInfo.MaximumEfaInterfaces',
  mend: 'aws ec2 modify-instance-attribute --instance-id INSTANCE --instance-type TYPE   # virtfn types --efa lists them',
  evaluate: (facts) =>
    eachInstance(facts, (instance, type, { seen }) =>
      judge(
        interfacesOf(facts, instance),
        instance.id,
        (own, more) => {
          const efas = own.filter(isEfa);
          const said = { ...more, seen: [...seen, ...more.seen] };
          if (efas.length === 0) return notApplicable('it has no EFA interface', said);
          const text = `EFA interfaces: ${efas.length}, and ${type.name} can have ${type.efaInterfaces}`;
          if (efas.length <= type.efaInterfaces) return pass(text, said);
          return fail(text, { ...said, mend: ['virtfn types --efa', changeType(instance)] });
        },
        (own) => own.map(({ id, kind }) => `${id} ${kind}`).join(', '),
      ),
    ),
};

const groupSelf = (direction: 'in' | 'out'): Rule<AccountFacts> => {
  const isIn = direction === 'in';
  const authorize = `authorize-security-group-${isIn ? 'ingress' : 'egress'}`;
  return {
    id: `account-efa-group-${direction}`,
    group,
    severity: 'error',
    title: `a security group of an EFA interface allows all traffic ${isIn ? 'from' : 'to'} itself`,
    reason:
      'What bypasses the operating system is no IP, so that no address in a rule stands for it: only a rule for all ' +
      'traffic that names the group lets it through, in both directions.',
    source: `${guide}, "Prepare an EFA-enabled security group"`,
    mend: `aws ec2 ${authorize} --group-id GROUP --ip-permissions 'IpProtocol=-1,UserIdGroupPairs=[{GroupId=GROUP}]'`,
    evaluate: (facts) =>
      eachEfa(facts, ({ id, groups }) =>
        judge(facts.groups, id, (all) => {
          const own = all.filter((one) => groups.includes(one.id));
          const said = { subject: id, seen: own.map((one) => seenOf(one, direction)) };
          const open = own.find((one) => allowsItself(one, isIn ? one.inbound : one.outbound));
          if (open !== undefined)
            return pass(
              `${open.id} ${open.name} allows all traffic ${isIn ? 'from' : 'to'} itself`,
              said,
            );
          const [first = 'GROUP'] = groups;
          const word = shellWord(first);
          return fail(
            `${groups.join(', ') || 'no group'} does not allow all traffic ${isIn ? 'from' : 'to'} itself`,
            {
              ...said,
              mend: [
                `aws ec2 ${authorize} --group-id ${word} --ip-permissions 'IpProtocol=-1,UserIdGroupPairs=[{GroupId=${first.replaceAll("'", '')}}]'`,
              ],
            },
          );
        }),
      ),
  };
};

const primary: Rule<AccountFacts> = {
  id: 'account-efa-primary',
  group,
  severity: 'error',
  title: 'an EFA-only interface is not the primary one',
  reason: 'It has no address: an instance with nothing else cannot be reached.',
  source: `${types}; EC2 API, InstanceNetworkInterfaceSpecification.InterfaceType`,
  mend: '# launch it anew: InterfaceType=efa, or interface, at DeviceIndex=0,NetworkCardIndex=0',
  evaluate: (facts) =>
    eachEfa(facts, ({ id, kind, attachment }) => {
      const where =
        attachment === null
          ? 'not attached'
          : `device ${attachment.deviceIndex}, card ${attachment.cardIndex}`;
      const said = about('DescribeNetworkInterfaces', id, `${kind}, ${where}`);
      if (attachment === null || kind !== 'efa-only')
        return notApplicable(`${kind}, ${where}`, said);
      if (attachment.deviceIndex !== 0 || attachment.cardIndex !== 0) return pass(where, said);
      return fail('it is the primary interface', { ...said, mend: [primary.mend] });
    }),
};

const perCard: Rule<AccountFacts> = {
  id: 'account-efa-card',
  group,
  severity: 'error',
  title: 'there is one EFA interface per network card',
  reason: 'A network card has one EFA function.',
  source: types,
  mend: '# launch it anew, each EFA interface with a NetworkCardIndex of its own',
  evaluate: (facts) =>
    eachInstanceWithEfa(facts, (_instance, own, said) => {
      const cards = own.map(({ attachment }) => attachment?.cardIndex ?? 0);
      const twice = cards.find((card, i) => cards.indexOf(card) !== i);
      if (twice === undefined) return pass(`one EFA interface on card ${cards.join(', ')}`, said);
      return fail(`card ${twice} has several`, { ...said, mend: [perCard.mend] });
    }),
};

const zone: Rule<AccountFacts> = {
  id: 'account-efa-zone',
  group,
  severity: 'warning',
  title: 'EFA interfaces that share a group are in one zone of one VPC',
  reason:
    'EFA traffic does not cross zones or VPCs: peers there fall back to TCP, or do not connect.',
  source: guide,
  mend: '# launch them anew in one subnet, best in a cluster placement group',
  evaluate: (facts) =>
    eachEfa(facts, (one) =>
      judge(facts.interfaces, one.id, (all) => {
        const said = about('DescribeNetworkInterfaces', one.id, `${one.zone} ${one.vpc}`);
        const peers = all.filter(
          (other) => isEfa(other) && other.id !== one.id && sharesGroup(one, other),
        );
        if (peers.length === 0)
          return notApplicable('no other EFA interface is in its groups', said);
        const far = peers.filter((other) => other.zone !== one.zone || other.vpc !== one.vpc);
        if (far.length === 0) return pass(`with ${peers.length} peers in ${one.zone}`, said);
        const where = [...new Set(far.map((other) => other.zone))].join(', ');
        return fail(`${far.length} of ${peers.length} peers are elsewhere: ${where}`, {
          ...said,
          mend: [zone.mend],
        });
      }),
    ),
};

const placement: Rule<AccountFacts> = {
  id: 'account-efa-placement',
  group,
  severity: 'note',
  title: 'instances with EFA are in a cluster placement group',
  reason:
    'Close to each other they have less latency, and a single flow of ENA has 10 Gbit/s in place of 5.',
  source: 'EC2 User Guide, "Placement groups"; "Amazon EC2 instance network bandwidth"',
  mend: 'aws ec2 modify-instance-placement --instance-id INSTANCE --group-name GROUP   # while it is stopped',
  evaluate: (facts) =>
    eachInstanceWithEfa(facts, ({ id, placementGroup }, _own, { seen }) =>
      judge(facts.placementGroups, id, (strategies) => {
        const strategy = strategies.get(placementGroup) ?? '';
        const value = `placement group ${placementGroup || 'none'} ${strategy}`.trim();
        const said = {
          subject: id,
          seen: [...seen, { value, at: call('DescribePlacementGroups') }],
        };
        if (strategy === 'cluster') return pass(`in ${placementGroup}`, said);
        const move = `aws ec2 modify-instance-placement --instance-id ${shellWord(id)} --group-name GROUP`;
        const text =
          placementGroup === '' ? 'it is in no placement group' : `${placementGroup} is no cluster`;
        return fail(text, {
          ...said,
          mend: ['aws ec2 create-placement-group --group-name GROUP --strategy cluster', move],
        });
      }),
    ),
};

const expressType: Rule<AccountFacts> = {
  id: 'account-express-type',
  group: express,
  severity: 'warning',
  title: 'ENA Express is on only where the type has it',
  reason: 'Both ends need a type that has it; elsewhere packets go without, silently.',
  source:
    'EC2 User Guide, "Improve network performance with ENA Express"; NetworkInfo.EnaSrdSupported',
  mend: 'aws ec2 modify-network-interface-attribute --network-interface-id ENI --ena-srd-specification EnaSrdEnabled=false',
  evaluate: (facts) =>
    judgeEach(facts.interfaces, (one) =>
      expressVerdict(facts, one, (type, said) => {
        if (one.attachment?.enaExpress !== true) return notApplicable('it is off', said);
        if (type.enaExpress) return pass(`on, and ${type.name} has it`, said);
        return fail(`on, and ${type.name} does not have it`, {
          ...said,
          mend: [setExpress(one, false)],
        });
      }),
    ),
};

const expressOff: Rule<AccountFacts> = {
  id: 'account-express-off',
  group: express,
  severity: 'note',
  title: 'ENA Express is on where the type has it',
  reason:
    'A flow inside a zone may have 25 Gbit/s in place of 5, with lower tail latency; it costs nothing.',
  source: 'EC2 User Guide, "Improve network performance with ENA Express"',
  mend: 'aws ec2 modify-network-interface-attribute --network-interface-id ENI --ena-srd-specification EnaSrdEnabled=true',
  evaluate: (facts) =>
    judgeEach(facts.interfaces, (one) =>
      expressVerdict(facts, one, (type, said) => {
        if (!type.enaExpress || one.kind === 'efa-only')
          return notApplicable(`${type.name} has none, or the interface no IP`, said);
        if (one.attachment?.enaExpress === true) return pass(`on, ${type.name}`, said);
        return fail(`${type.name} has it, and it is off`, {
          ...said,
          mend: [setExpress(one, true)],
        });
      }),
    ),
};

// What the rules share.

type Said = { readonly subject: string; readonly seen: readonly Evidence[] };

function eachInstanceWithEfa(
  facts: AccountFacts,
  how: (instance: InstanceFacts, own: readonly EniFacts[], said: Said) => Verdict,
): Verdict[] {
  return judgeEach(facts.instances, (instance) =>
    judge(
      interfacesOf(facts, instance),
      instance.id,
      (own, { seen }) => {
        const efas = own.filter(isEfa);
        const said = { subject: instance.id, seen };
        return efas.length === 0
          ? notApplicable('it has no EFA interface', said)
          : how(instance, efas, said);
      },
      (own) => own.map(({ id, kind }) => `${id} ${kind}`).join(', '),
    ),
  );
}

function expressVerdict(
  facts: AccountFacts,
  one: EniFacts,
  how: (type: TypeFacts, said: Said) => Verdict,
): Verdict {
  const value = `EnaSrdEnabled ${one.attachment?.enaExpress ?? 'absent'}`;
  const said = about('DescribeNetworkInterfaces', one.id, value);
  return judge(instanceOf(facts, one), one.id, (instance) => {
    if (instance === null) return notApplicable('it is attached to no instance', said);
    return judge(typeNamed(facts, instance.type), one.id, (type) => how(type, said));
  });
}

/** All traffic, from or to a group that names itself. */
function allowsItself({ id }: GroupFacts, permissions: readonly PermissionFacts[]): boolean {
  return permissions.some(({ protocol, groups }) => protocol === '-1' && groups.includes(id));
}

function seenOf({ id, inbound, outbound }: GroupFacts, direction: 'in' | 'out') {
  const rules = (direction === 'in' ? inbound : outbound).map(
    ({ protocol, groups, cidrs, prefixLists }) => {
      const peers = [
        ...groups,
        ...cidrs,
        ...(prefixLists > 0 ? [`${prefixLists} prefix lists`] : []),
      ];
      return `${protocol === '-1' ? 'all' : protocol} ${peers.join(' ')}`;
    },
  );
  return { value: rules.join('; ') || 'no rule', at: call('DescribeSecurityGroups', id) };
}

const sharesGroup = (one: EniFacts, other: EniFacts): boolean =>
  one.groups.some((id) => other.groups.includes(id));

const changeType = ({ id }: InstanceFacts): string =>
  `aws ec2 modify-instance-attribute --instance-id ${shellWord(id)} --instance-type TYPE`;

const setExpress = ({ id }: EniFacts, on: boolean): string =>
  `aws ec2 modify-network-interface-attribute --network-interface-id ${shellWord(id)} --ena-srd-specification EnaSrdEnabled=${on}`;

export const efaRules: readonly Rule<AccountFacts>[] = [
  typeHas,
  groupSelf('in'),
  groupSelf('out'),
  primary,
  perCard,
  zone,
  placement,
  expressType,
  expressOff,
];
