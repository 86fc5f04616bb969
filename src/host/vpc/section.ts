/**
 * The `vpc:` section of a topology file, and what an instance says about its place in the VPC, as
 * they are written: shapes only. What names what is for `build.ts` to find out. Words are EC2's;
 * examples/three-tier-vpc.yaml has all of it with comments.
 */
import { z } from 'zod';
import { expected, ipv4, ipv6, name, oneOrMore, text, whole, yesNo } from '../lab/schema.ts';
import { parseCidr } from './cidr.ts';

const isVersion = (version: 4 | 6, min: number, max: number) => {
  return (value: string): boolean => {
    const cidr = parseCidr(value);
    return cidr?.version === version && cidr.bits >= min && cidr.bits <= max;
  };
};

const vpcCidr = text('an IPv4 prefix of /16 to /28, like 10.0.0.0/16', isVersion(4, 16, 28));
const vpcCidr6 = text(
  'an IPv6 prefix of /44 to /60, like 2001:db8:0:100::/56',
  isVersion(6, 44, 60),
);
const subnetCidr6 = text('an IPv6 prefix of /64, like 2001:db8:0:101::/64', isVersion(6, 64, 64));
const anyCidr = text('a prefix, like 10.0.0.0/16', (value) => parseCidr(value) !== null);
const words = (what: string) => z.string(expected(what));

const subnetTable = z.strictObject(
  {
    cidr: vpcCidr,
    zone: text('an availability zone, like us-east-1a', (v) =>
      /^[a-z-]+\d[a-z]$/.test(v),
    ).optional(),
    ipv6: subnetCidr6.optional(),
    acl: words('the name of a network ACL').optional(),
    routes: words('the name of a route table').optional(),
  },
  expected('a subnet: cidr, zone, ipv6, acl, routes'),
);
/** `10.0.0.0/24` is short for `{ cidr: 10.0.0.0/24 }`. */
const subnet = z.preprocess(
  (value) => (typeof value === 'string' ? { cidr: value } : value),
  subnetTable,
);

/** One rule is a list of one. */
const ruleList = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z.array(words('a rule'), expected('a list of rules, like [tcp 22 from 10.0.0.0/16]')),
);
/** `[tcp 22 from self]` is short for `{ in: [tcp 22 from self] }`. */
const group = z.preprocess(
  (value) => (Array.isArray(value) ? { in: value } : value),
  z.strictObject(
    { in: ruleList.optional(), out: ruleList.optional() },
    expected('a security group: in, out'),
  ),
);

const entries = z.record(
  text(
    'the number of an entry, from 1 to 32766',
    (v) => /^\d+$/.test(v) && +v >= 1 && +v <= 32_766,
  ),
  words('an entry'),
  expected('entries by number, like { 100: allow tcp 22 from 10.0.0.0/16 }'),
);
const acl = z.strictObject(
  { in: entries.optional(), out: entries.optional() },
  expected('a network ACL: in, out'),
);

const routes = z.record(
  z.string(),
  words('where it leads: local, blackhole, or the name of a gateway or an instance'),
  expected('a route table: targets by destination, like { 0.0.0.0/0: igw }'),
);

const natTable = z.strictObject(
  {
    subnet: words("the name of the NAT gateway's subnet").optional(),
    address: ipv4.optional(),
    public: ipv4.optional(),
  },
  expected('a NAT gateway: subnet, address, public'),
);
const nothing = z.strictObject({}, expected('nothing more'));
const gatewayKinds = ['internet', 'egress-only', 'nat'];
/** `internet` is short for `{ internet: {} }`. */
const gateway = z.preprocess(
  (value) => (gatewayKinds.includes(String(value)) ? { [String(value)]: {} } : value),
  z.strictObject(
    { internet: nothing.optional(), 'egress-only': nothing.optional(), nat: natTable.optional() },
    expected(`a gateway: ${gatewayKinds.join(', ')}`),
  ),
);

const dhcp = z.strictObject(
  {
    domain: words('a domain name').optional(),
    servers: oneOrMore(words('a name server: an address, or AmazonProvidedDNS')).optional(),
    ntp: oneOrMore(ipv4).optional(),
  },
  expected('DHCP options: domain, servers, ntp'),
);

const STRATEGIES = ['cluster', 'spread', 'partition'] as const;

const vpcTable = z.strictObject(
  {
    cidr: oneOrMore(vpcCidr).optional(),
    ipv6: oneOrMore(vpcCidr6).optional(),
    dns: yesNo('whether the resolver answers').optional(),
    'dns-hostnames': yesNo('whether public addresses have names').optional(),
    dhcp: dhcp.optional(),
    subnets: z
      .record(
        name('a name of a subnet'),
        subnet,
        expected('subnets by name, like { web: 10.0.0.0/24 }'),
      )
      .optional(),
    groups: z
      .record(name('a name of a security group'), group, expected('security groups by name'))
      .optional(),
    acls: z
      .record(name('a name of a network ACL'), acl, expected('network ACLs by name'))
      .optional(),
    routes: z
      .record(name('a name of a route table'), routes, expected('route tables by name'))
      .optional(),
    gateways: z
      .record(
        name('a name of a gateway'),
        gateway,
        expected('gateways by name, like { igw: internet }'),
      )
      .optional(),
    'prefix-lists': z
      .record(
        name('a name of a prefix list'),
        z.array(anyCidr, expected('a list of prefixes')),
        expected('prefix lists by name'),
      )
      .optional(),
    'placement-groups': z
      .record(
        name('a name of a placement group'),
        z.enum(STRATEGIES, expected(`a strategy: ${STRATEGIES.join(', ')}`)),
        expected('placement groups by name, like { fast: cluster }'),
      )
      .optional(),
  },
  expected(
    'a VPC: cidr, ipv6, dns, dns-hostnames, dhcp, subnets, groups, acls, routes, gateways, prefix-lists, placement-groups',
  ),
);

/** `vpc:` with nothing behind it is a VPC with all defaults. */
export const vpcSection = z.preprocess((value) => value ?? {}, vpcTable);

const tracking = z.strictObject(
  {
    'tcp-established': whole('seconds', 60, 432_000).optional(),
    udp: whole('seconds', 30, 60).optional(),
    'udp-stream': whole('seconds', 60, 180).optional(),
  },
  expected('time-outs of tracked connections: tcp-established, udp, udp-stream'),
);

const metadata = z.strictObject(
  {
    endpoint: yesNo('whether the metadata service answers').optional(),
    tokens: z.enum(['optional', 'required'], expected('optional or required')).optional(),
    'hop-limit': whole('hops', 1, 64).optional(),
    ipv6: yesNo('whether it answers over IPv6 too').optional(),
    tags: yesNo("whether it shows the instance's tags").optional(),
  },
  expected('metadata options: endpoint, tokens, hop-limit, ipv6, tags'),
);

const texts = (what: string) => z.record(z.string(), words('a text'), expected(what));

/** `efa-only`: it has a second interface, which is that. */
const INTERFACE_TYPES = ['interface', 'efa', 'efa-only'] as const;

/** What an instance may say when there is a VPC. */
export const instanceInVpc = {
  subnet: words('the name of a subnet').optional(),
  'interface-type': z
    .enum(INTERFACE_TYPES, expected(`an interface type: ${INTERFACE_TYPES.join(', ')}`))
    .optional(),
  groups: oneOrMore(words('the name of a security group')).optional(),
  address: oneOrMore(ipv4).optional(),
  public: ipv4.optional(),
  ipv6: z
    .union([z.literal(true), oneOrMore(ipv6)], expected('true, an IPv6 address, or a list of them'))
    .optional(),
  'source-dest-check': yesNo('whether it takes only what is addressed to it').optional(),
  tracking: tracking.optional(),
  metadata: metadata.optional(),
  'user-data': words("the instance's user data").optional(),
  'placement-group': words('the name of a placement group').optional(),
  keys: texts('OpenSSH public keys by name').optional(),
  tags: texts('tags: texts by name').optional(),
};

export type VpcSection = z.infer<typeof vpcTable>;
const instanceShape = z.object(instanceInVpc);
export type InstanceInVpc = z.infer<typeof instanceShape>;
