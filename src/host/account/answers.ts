/** EC2's answers made facts: what is absent gets the meaning that absence has there. */
import type {
  Image,
  Instance,
  InstanceTypeInfo,
  IpPermission,
  NetworkAcl,
  NetworkInterface,
  SecurityGroup,
  Subnet,
} from '@aws-sdk/client-ec2';
import type {
  AclFacts,
  EniFacts,
  GroupFacts,
  ImageFacts,
  InstanceFacts,
  PermissionFacts,
  SubnetFacts,
  TypeFacts,
} from '../../check/account/facts.ts';
import type { InstanceType } from '../../vpc/instance-type.ts';

export const instanceFacts = (one: Instance): InstanceFacts => ({
  id: one.InstanceId ?? '',
  name: one.Tags?.find(({ Key }) => Key === 'Name')?.Value ?? '',
  type: one.InstanceType ?? '',
  state: one.State?.Name ?? '',
  image: one.ImageId ?? '',
  enaSupport: one.EnaSupport === true,
  sriovNetSupport: one.SriovNetSupport ?? '',
  zone: one.Placement?.AvailabilityZone ?? '',
  placementGroup: one.Placement?.GroupName ?? '',
});

export const imageFacts = (one: Image, isOwn: boolean): ImageFacts => ({
  id: one.ImageId ?? '',
  name: one.Name ?? '',
  isOwn,
  enaSupport: one.EnaSupport === true,
  sriovNetSupport: one.SriovNetSupport ?? '',
  virtualization: one.VirtualizationType ?? '',
  bootMode: one.BootMode ?? '',
  architecture: one.Architecture ?? '',
  imdsSupport: one.ImdsSupport ?? '',
});

export function eniFacts(one: NetworkInterface): EniFacts {
  const { Attachment: at } = one;
  return {
    id: one.NetworkInterfaceId ?? '',
    kind: one.InterfaceType ?? 'interface',
    vpc: one.VpcId ?? '',
    zone: one.AvailabilityZone ?? '',
    groups: (one.Groups ?? []).flatMap(({ GroupId }) => (GroupId === undefined ? [] : [GroupId])),
    attachment:
      at?.InstanceId === undefined
        ? null
        : {
            instance: at.InstanceId,
            deviceIndex: at.DeviceIndex ?? 0,
            cardIndex: at.NetworkCardIndex ?? 0,
            enaExpress: at.EnaSrdSpecification?.EnaSrdEnabled ?? null,
            enaQueues: at.EnaQueueCount ?? null,
          },
  };
}

export const groupFacts = (one: SecurityGroup): GroupFacts => ({
  id: one.GroupId ?? '',
  name: one.GroupName ?? '',
  inbound: (one.IpPermissions ?? []).map(permissionFacts),
  outbound: (one.IpPermissionsEgress ?? []).map(permissionFacts),
});

const permissionFacts = (one: IpPermission): PermissionFacts => ({
  protocol: one.IpProtocol ?? '',
  fromPort: one.FromPort ?? null,
  toPort: one.ToPort ?? null,
  groups: (one.UserIdGroupPairs ?? []).flatMap(({ GroupId }) => GroupId ?? []),
  cidrs: [
    ...(one.IpRanges ?? []).flatMap(({ CidrIp }) => CidrIp ?? []),
    ...(one.Ipv6Ranges ?? []).flatMap(({ CidrIpv6 }) => CidrIpv6 ?? []),
  ],
  prefixLists: one.PrefixListIds?.length ?? 0,
});

export const aclFacts = (one: NetworkAcl): AclFacts => ({
  id: one.NetworkAclId ?? '',
  subnets: (one.Associations ?? []).flatMap(({ SubnetId }) => SubnetId ?? []),
  entries: (one.Entries ?? []).map((entry) => ({
    number: entry.RuleNumber ?? 0,
    isEgress: entry.Egress === true,
    isAllow: entry.RuleAction === 'allow',
    protocol: entry.Protocol ?? '',
    cidr: entry.CidrBlock ?? entry.Ipv6CidrBlock ?? '',
    fromPort: entry.PortRange?.From ?? null,
    toPort: entry.PortRange?.To ?? null,
  })),
});

export const subnetFacts = (one: Subnet): SubnetFacts => ({
  id: one.SubnetId ?? '',
  vpc: one.VpcId ?? '',
  cidr: one.CidrBlock ?? '',
  available: one.AvailableIpAddressCount ?? 0,
});

/** null: the answer does not speak of its network, so that nothing is known of it. */
export function toldType(one: InstanceTypeInfo, has82599: boolean): TypeFacts | null {
  const { InstanceType: name, NetworkInfo: net } = one;
  if (name === undefined || net?.EnaSupport === undefined) return null;
  if (net.MaximumNetworkInterfaces === undefined) return null;
  const maxEfa = net.EfaInfo?.MaximumEfaInterfaces ?? 1;
  return {
    name,
    ena: net.EnaSupport,
    efaInterfaces: net.EfaSupported === true ? maxEfa : 0,
    maxInterfaces: net.MaximumNetworkInterfaces,
    networkCards: net.MaximumNetworkCards ?? 1,
    enaExpress: net.EnaSrdSupported === true,
    vf82599: has82599,
    queues: net.NetworkCards?.[0]?.DefaultEnaQueueCountPerInterface ?? null,
    bootModes: one.SupportedBootModes ?? null,
  };
}

export const publishedType = (one: InstanceType): TypeFacts => ({
  name: one.name,
  ena: one.ena,
  efaInterfaces: one.efaInterfaces,
  maxInterfaces: one.maxInterfaces,
  networkCards: one.networkCards,
  enaExpress: one.enaExpress,
  vf82599: one.vf82599,
  queues: one.queues,
  bootModes: one.bootModes,
});
