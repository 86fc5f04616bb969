import { known, unread } from '../fact.ts';
import { casesOf, type RuleCase, testRules } from '../testing-rules.ts';
import type { AccountFacts } from './facts.ts';
import { accountRules } from './rules.ts';
import {
  accountFacts,
  acl,
  allOut,
  at,
  attached,
  eni,
  entry,
  group,
  image,
  instance,
  permission,
  subnet,
  type,
} from './testing-account.ts';

type Case = RuleCase<AccountFacts>;

const well = accountFacts();
const no = unread('ec2:DescribeX is not permitted');

/** An instance of a type that only the catalogue knows, with its own interface. */
const of = (name: string, change: Parameters<typeof instance>[0] = {}): AccountFacts =>
  accountFacts({
    instances: known([instance({ type: name, ...change })], at),
    interfaces: known([eni({ kind: 'interface' })], at),
    told: known([], at),
    published: [type(name)],
  });
const images = (change: Parameters<typeof image>[0]): AccountFacts =>
  accountFacts({ images: known([image(change)], at) });
const interfaces = (...list: ReturnType<typeof eni>[]): AccountFacts =>
  accountFacts({ interfaces: known(list, at) });
const groups = (change: Parameters<typeof group>[0]): AccountFacts =>
  accountFacts({ groups: known([group(change)], at) });
const acls = (...list: ReturnType<typeof acl>[]): AccountFacts =>
  accountFacts({ acls: known(list, at) });

const { pass, fail, other } = casesOf<AccountFacts>();

const instances: readonly Case[] = [
  pass('account-instance-ena', 'the attribute', well),
  fail(
    'account-instance-ena',
    'a c5.large without it',
    of('c5.large', { enaSupport: false }),
    /c5\.large needs ENA/,
    /stop-instances --instance-ids i-1\n.*--instance-id i-1 --ena-support\n/,
  ),
  other('account-instance-ena', 'notApplicable', 'a Xen type', of('r4.large')),
  other('account-instance-ena', 'unknown', 'instances not told', accountFacts({ instances: no })),
  other(
    'account-instance-ena',
    'unknown',
    'a type that nobody knows',
    accountFacts({ instances: known([instance({ type: 'z99.large' })], at) }),
  ),
  pass('account-instance-enhanced', 'r4.large with ENA', of('r4.large')),
  pass(
    'account-instance-enhanced',
    'c3.large with its VF',
    of('c3.large', { enaSupport: false, sriovNetSupport: 'simple' }),
  ),
  fail(
    'account-instance-enhanced',
    'r4.large without ENA',
    of('r4.large', { enaSupport: false }),
    /r4\.large could have ENA/,
    /--ena-support/,
  ),
  fail(
    'account-instance-enhanced',
    'c3.large without its VF',
    of('c3.large', { enaSupport: false }),
    /82599 VF; there is no way back/,
    /--sriov-net-support simple/,
  ),
  other('account-instance-enhanced', 'notApplicable', 't2.micro', of('t2.micro')),
  pass('account-instance-interfaces', 'two of many', well),
  fail(
    'account-instance-interfaces',
    'three of two',
    {
      ...of('t3.nano'),
      interfaces: known(
        ['1', '2', '3'].map((id) => eni({ id: `eni-${id}`, kind: 'interface' })),
        at,
      ),
    },
    /3 of 2 interfaces of t3\.nano/,
    /detach-network-interface/,
  ),
  pass('account-interface-queues', 'the default', well),
  pass(
    'account-interface-queues',
    'more than the default',
    interfaces(eni({ attachment: attached({ enaQueues: 128 }) })),
  ),
  fail(
    'account-interface-queues',
    'one',
    interfaces(eni({ attachment: attached({ enaQueues: 1 }) })),
    /1 queues, c6in\.32xlarge has \d+ by default/,
    /DefaultEnaQueueCount=true/,
  ),
  pass('account-type-catalogue', 'what both say', well),
  fail(
    'account-type-catalogue',
    'one more interface',
    accountFacts({ told: known([type('c6in.32xlarge', { maxInterfaces: 99 })], at) }),
    /maxInterfaces 99, in the catalogue/,
    /describe-instance-types/,
  ),
  fail(
    'account-type-catalogue',
    'a new type',
    accountFacts({ told: known([type('c5.large', { name: 'z99.large' })], at) }),
    /z99\.large is not in the catalogue/,
    /describe-instance-types/,
  ),
  pass('account-image-ena', 'the attribute', well),
  fail('account-image-ena', 'none', images({ enaSupport: false }), /cannot be launched/, /--ena-s/),
  other(
    'account-image-ena',
    'notApplicable',
    "somebody else's",
    images({ isOwn: false, enaSupport: false }),
  ),
  pass('account-image-hvm', 'hvm', well),
  fail(
    'account-image-hvm',
    'paravirtual',
    images({ virtualization: 'paravirtual' }),
    /paravirtual/,
    /hvm/,
  ),
  pass('account-image-boot-mode', 'uefi-preferred', well),
  fail(
    'account-image-boot-mode',
    'UEFI on Xen',
    {
      ...of('r4.large'),
      images: known([image({ bootMode: 'uefi' })], at),
      published: [type('r4.large', { bootModes: ['legacy-bios'] })],
    },
    /ami-1 wants uefi, r4\.large has legacy-bios/,
    /uefi-preferred/,
  ),
  other(
    'account-image-boot-mode',
    'unknown',
    'an image that is gone',
    accountFacts({ images: known([], at) }),
  ),
  pass('account-image-imds', 'v2.0', well),
  fail('account-image-imds', 'none', images({ imdsSupport: '' }), /without a token/, /ami-1/),
];

const efa: readonly Case[] = [
  pass('account-efa-type', 'two of two', well),
  fail(
    'account-efa-type',
    'a c6i.large',
    { ...of('c6i.large'), interfaces: known([eni()], at) },
    /EFA interfaces: 1, and c6i\.large can have 0/,
    /virtfn types --efa/,
  ),
  other('account-efa-type', 'unknown', 'interfaces not told', accountFacts({ interfaces: no })),
  pass('account-efa-group-in', 'itself', well),
  fail(
    'account-efa-group-in',
    'TCP from itself, all from everywhere',
    groups({
      inbound: [
        permission({ protocol: 'tcp', fromPort: 0, toPort: 65_535, groups: ['sg-efa'] }),
        permission({ cidrs: ['0.0.0.0/0'] }),
      ],
    }),
    /sg-efa does not allow all traffic from itself/,
    /authorize-security-group-ingress --group-id sg-efa .*GroupId=sg-efa/,
  ),
  other('account-efa-group-in', 'unknown', 'groups not told', accountFacts({ groups: no })),
  pass('account-efa-group-out', 'itself', well),
  fail(
    'account-efa-group-out',
    'all to everywhere',
    groups({ outbound: [permission({ cidrs: ['0.0.0.0/0'] })] }),
    /sg-efa does not allow all traffic to itself/,
    /authorize-security-group-egress/,
  ),
  pass(
    'account-efa-primary',
    'EFA-only on another card',
    interfaces(eni({ kind: 'efa-only', attachment: attached({ deviceIndex: 1, cardIndex: 1 }) })),
  ),
  fail(
    'account-efa-primary',
    'EFA-only as the first',
    interfaces(eni({ kind: 'efa-only' })),
    /primary/,
    /InterfaceType=efa/,
  ),
  pass('account-efa-card', 'one per card', well),
  fail(
    'account-efa-card',
    'two on a card',
    interfaces(eni(), eni({ id: 'eni-2', attachment: attached({ deviceIndex: 1 }) })),
    /card 0 has several/,
    /NetworkCardIndex/,
  ),
  pass('account-efa-zone', 'one zone', well),
  fail(
    'account-efa-zone',
    'two zones',
    interfaces(eni(), eni({ id: 'eni-2', zone: 'eu-central-1b' })),
    /1 of 1 peers are elsewhere: eu-central-1[ab]/,
    /one subnet/,
  ),
  pass('account-efa-placement', 'a cluster', well),
  fail(
    'account-efa-placement',
    'a spread group',
    accountFacts({ placementGroups: known(new Map([['near', 'spread']]), at) }),
    /near is no cluster/,
    /--strategy cluster\n.*--instance-id i-1/,
  ),
  fail(
    'account-efa-placement',
    'no group',
    accountFacts({ instances: known([instance({ placementGroup: '' })], at) }),
    /no placement group/,
    /modify-instance-placement/,
  ),
  pass('account-express-type', 'on, of a type that has it', well),
  fail(
    'account-express-type',
    'on, of a t3.micro',
    of('t3.micro'),
    /t3\.micro does not have it/,
    /EnaSrdEnabled=false/,
  ),
  pass('account-express-off', 'on', well),
  fail(
    'account-express-off',
    'off',
    interfaces(eni({ attachment: attached({ enaExpress: null }) })),
    /has it, and it is off/,
    /EnaSrdEnabled=true/,
  ),
  other('account-express-off', 'unknown', 'instances not told', accountFacts({ instances: no })),
];

const ports = { isEgress: true, fromPort: 1024, toPort: 65_535 };
const network: readonly Case[] = [
  pass('account-acl-replies', 'all out', well),
  pass('account-acl-replies', 'ephemeral ports out', acls(acl(entry(), entry(ports)))),
  fail(
    'account-acl-replies',
    '443 in and nothing out',
    acls(acl(entry())),
    /inbound 100 lets TCP from 0\.0\.0\.0\/0 in/,
    /--egress --rule-number 100 .*--cidr-block 0\.0\.0\.0\/0/,
  ),
  fail(
    'account-acl-replies',
    'a deny in the middle of the ports',
    acls(acl(entry(), entry({ ...ports, number: 90, fromPort: 60_000, isAllow: false }), allOut)),
    /replies to it do not get out/,
    /--rule-number 200/,
  ),
  fail(
    'account-acl-replies',
    'IPv6 in and IPv4 out',
    acls(acl(entry({ cidr: '::/0' }), entry(ports))),
    /from ::\/0/,
    /--ipv6-cidr-block ::\/0/,
  ),
  other(
    'account-acl-replies',
    'notApplicable',
    'no subnet',
    acls({ ...acl(entry()), subnets: [] }),
  ),
  pass('account-acl-entries', 'one', well),
  fail(
    'account-acl-entries',
    'twenty',
    acls(acl(...Array.from({ length: 20 }, (_, i) => entry({ number: i + 1 })))),
    /20 of 20/,
    /L-2AEEBF1A/,
  ),
  pass('account-group-rules', 'one', well),
  fail(
    'account-group-rules',
    'sixty addresses',
    groups({
      inbound: [permission({ cidrs: Array.from({ length: 60 }, (_, i) => `10.0.0.${i}/32`) })],
    }),
    /60 of 60/,
    /L-0EA8095F/,
  ),
  pass('account-interface-groups', 'one of five', well),
  fail(
    'account-interface-groups',
    'one of one',
    accountFacts({ groupsPerInterface: known(1, at) }),
    /1 of 1 groups/,
    /L-2AFB9258/,
  ),
  other(
    'account-interface-groups',
    'unknown',
    'a limit that is not told',
    accountFacts({ groupsPerInterface: no }),
  ),
  pass('account-subnet-addresses', 'two hundred', well),
  fail(
    'account-subnet-addresses',
    'three',
    accountFacts({ subnets: known([subnet({ available: 3 })], at) }),
    /3 addresses left in 10\.0\.0\.0\/24/,
    /associate-vpc-cidr-block --vpc-id vpc-1/,
  ),
];

testRules('account', accountRules, [...instances, ...efa, ...network]);
