/** A small VPC for tests of the metadata service: three instances, one with two interfaces. */
import type { Instance, NetworkInterface, VpcModel } from '../model.ts';

const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFVpcnRmbi10ZXN0LWtleS1mb3ItdGVzdHMtb25seQ test';

const instances: readonly Instance[] = [
  {
    ...{
      id: 'i-a',
      name: 'a',
      type: 'c6i.large',
      imageId: 'ami-0a1',
      userData: '#!/bin/sh\necho ö\n',
    },
    ...{ publicKeys: { 'my-key': key }, tags: { Name: 'web', 'cost:center': '7' } },
    ...{ placementGroup: 'pg-1', metadata: { ipv6: true, instanceTags: true, hopLimit: 2 } },
    launchTime: '2026-03-01T12:00:00Z',
  },
  { id: 'i-b', name: 'b', type: 'm5.large', metadata: { tokens: 'required' } },
  { id: 'i-c', name: 'c', type: 'm5.large', metadata: { endpoint: false } },
];

const interfaces: readonly NetworkInterface[] = [
  {
    ...{
      id: 'eni-a1',
      subnet: 'subnet-1',
      mac: '02:00:00:00:00:1A',
      instance: 'i-a',
      deviceIndex: 1,
    },
    ...{ addresses: [{ address: '10.0.1.20' }], groups: ['sg-web'] },
  },
  {
    ...{ id: 'eni-a', subnet: 'subnet-1', mac: '02:00:00:00:00:0a', instance: 'i-a' },
    addresses: [
      { address: '10.0.1.10', publicAddress: '198.51.100.10' },
      { address: '10.0.1.11', publicAddress: '198.51.100.11' },
      { address: '10.0.1.12' },
    ],
    ...{ ipv6Addresses: ['2001:db8:0:101::10'], groups: ['sg-web', 'sg-ssh'] },
  },
  {
    ...{ id: 'eni-b', subnet: 'subnet-1', mac: '02:00:00:00:00:0b', instance: 'i-b' },
    ...{ addresses: [{ address: '10.0.1.30' }], groups: ['sg-ssh'] },
  },
  {
    ...{ id: 'eni-c', subnet: 'subnet-1', mac: '02:00:00:00:00:0c', instance: 'i-c' },
    ...{ addresses: [{ address: '10.0.1.40' }], groups: ['sg-ssh'] },
  },
];

export const testModel: VpcModel = {
  vpcs: [
    {
      id: 'vpc-1',
      ownerId: '123456789012',
      cidrs: ['10.0.0.0/16', '10.9.0.0/16'],
      ipv6Cidrs: ['2001:db8:0:100::/56'],
      dnsHostnames: true,
    },
  ],
  subnets: [
    {
      ...{ id: 'subnet-1', vpc: 'vpc-1', zone: 'eu-west-1b', cidr: '10.0.1.0/24' },
      ...{ ipv6Cidr: '2001:db8:0:101::/64', networkAcl: 'acl-1', routeTable: 'rtb-1' },
    },
  ],
  interfaces,
  instances,
  securityGroups: [
    { id: 'sg-web', vpc: 'vpc-1', name: 'web', inbound: [], outbound: [] },
    { id: 'sg-ssh', vpc: 'vpc-1', name: 'ssh', inbound: [], outbound: [] },
  ],
  networkAcls: [{ id: 'acl-1', vpc: 'vpc-1', inbound: [], outbound: [] }],
  routeTables: [{ id: 'rtb-1', vpc: 'vpc-1', routes: [] }],
  ...{ prefixLists: [], internetGateways: [], egressOnlyInternetGateways: [], natGateways: [] },
  placementGroups: [{ id: 'pg-1', name: 'together', strategy: 'cluster' }],
};
