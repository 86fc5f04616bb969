/**
 * Models for tests: a VPC with two subnets and whatever else a test says, with everything open
 * unless told otherwise. Interfaces are `eni-a`, `eni-b`, .. with MACs 02:00:00:00:00:01, ..
 */
import type { NetworkAcl, NetworkInterface, SecurityGroup, Subnet, VpcModel } from './model.ts';

export const everything = (id: string): SecurityGroup => ({
  id,
  vpc: 'vpc-1',
  name: id,
  inbound: anyPeer('in'),
  outbound: anyPeer('out'),
});

const anyPeer = (way: string) => [
  { id: `sgr-${way}4`, protocol: -1, peer: { cidr: '0.0.0.0/0' } },
  { id: `sgr-${way}6`, protocol: -1, peer: { cidr: '::/0' } },
];

/** As EC2 makes a default one. */
export const openAcl = (id: string): NetworkAcl => ({
  id,
  vpc: 'vpc-1',
  inbound: openEntries,
  outbound: openEntries,
});

const openEntries = [
  { number: 100, action: 'allow', protocol: -1, cidr: '0.0.0.0/0' },
  { number: 101, action: 'allow', protocol: -1, cidr: '::/0' },
] as const;

export const subnet = (n: number, more: Partial<Subnet> = {}): Subnet => ({
  id: `subnet-${n}`,
  vpc: 'vpc-1',
  zone: 'us-east-1a',
  cidr: `10.0.${n}.0/24`,
  ipv6Cidr: `2600:1f14:0:${n}::/64`,
  networkAcl: 'acl-1',
  routeTable: 'rtb-1',
  ...more,
});

/** `eni-a` in subnet 0 has 10.0.0.11 and 2600:1f14::11, `eni-b` .12. */
export function nic(
  letter: string,
  subnetNumber: number,
  more: Partial<NetworkInterface> = {},
): NetworkInterface {
  const n = letter.charCodeAt(0) - 96;
  const net = subnetNumber;
  return {
    id: `eni-${letter}`,
    subnet: `subnet-${net}`,
    mac: `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`,
    addresses: [{ address: `10.0.${net}.${10 + n}` }],
    ipv6Addresses: [`2600:1f14:0:${net}::1${n}`],
    groups: ['sg-1'],
    ...more,
  };
}

export const testModel = (more: Partial<VpcModel> = {}): VpcModel => ({
  vpcs: [{ id: 'vpc-1', cidrs: ['10.0.0.0/16'], ipv6Cidrs: ['2600:1f14::/56'] }],
  subnets: [subnet(0), subnet(1)],
  interfaces: [nic('a', 0), nic('b', 0), nic('c', 1)],
  instances: [],
  securityGroups: [everything('sg-1')],
  networkAcls: [openAcl('acl-1')],
  routeTables: [{ id: 'rtb-1', vpc: 'vpc-1', routes: [] }],
  prefixLists: [],
  internetGateways: [],
  egressOnlyInternetGateways: [],
  natGateways: [],
  placementGroups: [],
  ...more,
});
