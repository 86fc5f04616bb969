/**
 * What EC2 creates by itself, exactly as it does: the default VPC ("Default VPCs"), and the group,
 * network ACL and route table that every VPC comes with, and that new ones start as ("Default
 * security groups for your VPCs", "Default network ACL", "Custom network ACL", Amazon VPC User Guide).
 */
import type {
  NetworkAcl,
  NetworkAclEntry,
  RouteTable,
  SecurityGroup,
  SecurityGroupRule,
  Subnet,
  Vpc,
  VpcModel,
} from './model.ts';

/** A region in which nothing was created. */
export const emptyModel: VpcModel = {
  vpcs: [],
  subnets: [],
  interfaces: [],
  instances: [],
  securityGroups: [],
  networkAcls: [],
  routeTables: [],
  prefixLists: [],
  internetGateways: [],
  egressOnlyInternetGateways: [],
  natGateways: [],
  placementGroups: [],
};

/** Nothing comes in; everything goes out, over IPv6 too where the VPC has a block of it. */
export const newGroup = (vpc: Vpc, id: string, name: string): SecurityGroup => ({
  id,
  vpc: vpc.id,
  name,
  inbound: [],
  outbound: allOut(vpc, id),
});

/** The group named `default`: its members reach each other; everything goes out. */
export const defaultGroup = (vpc: Vpc, id: string): SecurityGroup => ({
  ...newGroup(vpc, id, 'default'),
  inbound: [{ id: ruleId(id, 'self'), protocol: -1, peer: { group: id } }],
});

function allOut(vpc: Vpc, group: string): SecurityGroupRule[] {
  const out4 = { id: ruleId(group, 'out4'), protocol: -1, peer: { cidr: '0.0.0.0/0' } };
  if (!hasIpv6(vpc)) return [out4];
  return [out4, { id: ruleId(group, 'out6'), protocol: -1, peer: { cidr: '::/0' } }];
}

/** `sg-0a1` has `sgr-0a1-self`: EC2's are random, ours can be read. */
const ruleId = (group: string, what: string): string => `sgr-${group.replace(/^sg-/, '')}-${what}`;

/** Denies all, in and out, until entries are added. */
export const newAcl = (vpc: Vpc, id: string): NetworkAcl => ({
  id,
  vpc: vpc.id,
  inbound: [],
  outbound: [],
});

/** Allows all: entry 100, and 101 for IPv6 where the VPC has a block of it. */
export const defaultAcl = (vpc: Vpc, id: string): NetworkAcl => ({
  ...newAcl(vpc, id),
  inbound: allowAll(vpc),
  outbound: allowAll(vpc),
});

function allowAll(vpc: Vpc): NetworkAclEntry[] {
  const ipv4 = { number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' } as const;
  if (!hasIpv6(vpc)) return [ipv4];
  return [ipv4, { number: 101, action: 'allow', protocol: -1, cidr: '::/0' }];
}

const hasIpv6 = ({ ipv6Cidrs = [] }: Vpc): boolean => ipv6Cidrs.length > 0;

/** The main route table of a VPC of one's own: the local route only, which is not listed. */
export const newRouteTable = (vpc: Vpc, id: string): RouteTable => ({
  id,
  vpc: vpc.id,
  routes: [],
});

/**
 * The default VPC: 172.31.0.0/16, a /20 in each zone, an internet gateway that the main route table
 * leads to, names for public addresses.
 *
 * @param suffix of its ids: `vpc-SUFFIX`, `sg-SUFFIX`, ...
 */
export function defaultVpc(zones: readonly string[], suffix = 'default'): VpcModel {
  const vpc: Vpc = { id: `vpc-${suffix}`, cidrs: ['172.31.0.0/16'], dnsHostnames: true };
  const acl = defaultAcl(vpc, `acl-${suffix}`);
  const igw = { id: `igw-${suffix}`, vpc: vpc.id };
  const routes = [{ destination: '0.0.0.0/0', target: igw.id }];
  const routeTable = { ...newRouteTable(vpc, `rtb-${suffix}`), routes };
  const subnets = zones.map((zone, i): Subnet => {
    const ids = { networkAcl: acl.id, routeTable: routeTable.id };
    return { id: `subnet-${zone}`, vpc: vpc.id, zone, cidr: `172.31.${i * 16}.0/20`, ...ids };
  });
  return {
    ...emptyModel,
    vpcs: [vpc],
    subnets,
    securityGroups: [defaultGroup(vpc, `sg-${suffix}`)],
    networkAcls: [acl],
    routeTables: [routeTable],
    internetGateways: [igw],
  };
}
