/**
 * A VPC with two instances, `a` and `b`, as tests of behaviours start from it: each in a subnet of
 * its own with an ACL, a route table and a group of its own, all as EC2 creates them, IPv6 too.
 * A third one, `m`, is an appliance; nothing leads to it unless a route does.
 */
import { defaultAcl, emptyModel, newGroup, newRouteTable } from '../src/vpc/defaults.ts';
import type {
  NetworkAcl,
  NetworkInterface,
  Route,
  RulePeer,
  SecurityGroup,
  SecurityGroupRule,
  VpcModel,
} from '../src/vpc/model.ts';

export type Name = 'a' | 'b' | 'm';

export const addresses = { a: '10.0.0.10', b: '10.0.1.11', m: '10.0.2.12' } as const;
export const addresses6 = {
  a: '2001:db8:0:100::10',
  b: '2001:db8:0:101::11',
  m: '2001:db8:0:102::12',
} as const;
export const macs = {
  a: '02:00:00:00:00:01',
  b: '02:00:00:00:00:02',
  m: '02:00:00:00:00:03',
} as const;

const vpc = { id: 'vpc-1', cidrs: ['10.0.0.0/16'], ipv6Cidrs: ['2001:db8:0:100::/56'] };
const names = ['a', 'b', 'm'] as const;

const interfaceOf = (name: Name): NetworkInterface => ({
  id: `eni-${name}`,
  subnet: `subnet-${name}`,
  mac: macs[name],
  addresses: [{ address: addresses[name] }],
  ipv6Addresses: [addresses6[name]],
  groups: [`sg-${name}`],
  instance: `i-${name}`,
});

const standard: VpcModel = {
  ...emptyModel,
  vpcs: [vpc],
  subnets: names.map((name, i) => ({
    id: `subnet-${name}`,
    vpc: vpc.id,
    zone: `us-east-1${name === 'm' ? 'c' : name}`,
    cidr: `10.0.${i}.0/24`,
    ipv6Cidr: `2001:db8:0:10${i}::/64`,
    networkAcl: `acl-${name}`,
    routeTable: `rtb-${name}`,
  })),
  interfaces: names.map(interfaceOf),
  instances: names.map((name) => ({ id: `i-${name}`, name, type: 'c6i.large' })),
  securityGroups: names.map((name) => newGroup(vpc, `sg-${name}`, name)),
  networkAcls: names.map((name) => defaultAcl(vpc, `acl-${name}`)),
  routeTables: names.map((name) => newRouteTable(vpc, `rtb-${name}`)),
};

type Rules = { readonly inbound?: Rule[]; readonly outbound?: Rule[] };
type Rule = Omit<SecurityGroupRule, 'id'>;
export type Change = {
  /** Rules of an instance's group instead of what it has. */
  readonly groups?: Partial<Record<Name, Rules>>;
  readonly acls?: Partial<Record<Name, Partial<Pick<NetworkAcl, 'inbound' | 'outbound'>>>>;
  readonly routes?: Partial<Record<Name, readonly Route[]>>;
  readonly interfaces?: Partial<Record<Name, Partial<NetworkInterface>>>;
  readonly more?: Partial<VpcModel>;
};

/** The VPC with some things changed. */
export function pair(change: Change = {}, model: VpcModel = standard): VpcModel {
  const { groups = {}, acls = {}, routes = {}, interfaces = {}, more = {} } = change;
  return {
    ...model,
    securityGroups: [
      ...model.securityGroups.map((group) => withRules(group, groups[nameOf(group.id)] ?? {})),
      ...(more.securityGroups ?? []),
    ],
    networkAcls: model.networkAcls.map((acl) => ({ ...acl, ...acls[nameOf(acl.id)] })),
    routeTables: model.routeTables.map((table) => {
      return { ...table, routes: routes[nameOf(table.id)] ?? table.routes };
    }),
    interfaces: model.interfaces.map((at) => ({ ...at, ...interfaces[nameOf(at.id)] })),
    prefixLists: [...model.prefixLists, ...(more.prefixLists ?? [])],
    internetGateways: [...model.internetGateways, ...(more.internetGateways ?? [])],
  };
}

const nameOf = (id: string): Name => id.slice(id.indexOf('-') + 1) as Name;

/** Rules have the ids `sgr-b-in-1`, `sgr-b-out-1`, ... */
function withRules(group: SecurityGroup, { inbound, outbound }: Rules): SecurityGroup {
  const numbered = (rules: readonly Rule[], side: string): SecurityGroupRule[] =>
    rules.map((rule, i) => ({ ...rule, id: `sgr-${nameOf(group.id)}-${side}-${i + 1}` }));
  return {
    ...group,
    ...(inbound === undefined ? {} : { inbound: numbered(inbound, 'in') }),
    ...(outbound === undefined ? {} : { outbound: numbered(outbound, 'out') }),
  };
}

export const anywhere: RulePeer = { cidr: '0.0.0.0/0' };
export const anywhere6: RulePeer = { cidr: '::/0' };
export const only = (name: Name): RulePeer => ({ cidr: `${addresses[name]}/32` });
export const group = (name: Name): RulePeer => ({ group: `sg-${name}` });

export const tcp = (port: number, peer: RulePeer, toPort = port): Rule => ({
  protocol: 6,
  fromPort: port,
  toPort,
  peer,
});
export const udp = (port: number, peer: RulePeer, toPort = port): Rule => ({
  protocol: 17,
  fromPort: port,
  toPort,
  peer,
});
export const icmp = (peer: RulePeer, type = -1, code = -1): Rule => ({
  protocol: 1,
  fromPort: type,
  toPort: code,
  peer,
});
export const all = (peer: RulePeer): Rule => ({ protocol: -1, peer });
export const ipProtocol = (protocol: number, peer: RulePeer): Rule => ({ protocol, peer });
