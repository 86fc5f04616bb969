/**
 * A region's networks as plain data: what EC2's API would describe, in EC2's words.
 *
 * Everything is JSON: it crosses threads as it is, a file can hold it, and nothing in it is
 * compiled. Addresses and prefixes are text (`10.0.0.10`, `10.0.0.0/16`, `2600:1f14::/56`), ids are
 * EC2's (`sg-0a1`), and one thing names another by its id. `checkVpcModel` says what contradicts
 * itself; `compilePolicy` makes the switch's tables. Sources: Amazon VPC User Guide, EC2 API reference.
 */

export type VpcModel = {
  readonly vpcs: readonly Vpc[];
  readonly subnets: readonly Subnet[];
  readonly interfaces: readonly NetworkInterface[];
  readonly instances: readonly Instance[];
  readonly securityGroups: readonly SecurityGroup[];
  readonly networkAcls: readonly NetworkAcl[];
  readonly routeTables: readonly RouteTable[];
  readonly prefixLists: readonly PrefixList[];
  readonly internetGateways: readonly InternetGateway[];
  readonly egressOnlyInternetGateways: readonly EgressOnlyInternetGateway[];
  readonly natGateways: readonly NatGateway[];
  readonly placementGroups: readonly PlacementGroup[];
};

export type Vpc = {
  readonly id: string;
  /** The account that owns it, 12 digits; zeros unless told. */
  readonly ownerId?: string;
  /** IPv4 prefixes of /16 to /28; the first is the primary one, whose base + 2 is the resolver. */
  readonly cidrs: readonly string[];
  readonly ipv6Cidrs?: readonly string[];
  readonly dhcpOptions?: DhcpOptionSet;
  /** The resolver answers; true unless told. */
  readonly dnsSupport?: boolean;
  /** Instances with public addresses get public names; false unless told, as in a VPC of one's own. */
  readonly dnsHostnames?: boolean;
};

/** What DHCP tells. Absent: what EC2's default set says (AmazonProvidedDNS, the Region's domain). */
export type DhcpOptionSet = {
  readonly domainName?: string;
  /** Addresses, or `AmazonProvidedDNS`. */
  readonly domainNameServers?: readonly string[];
  readonly ntpServers?: readonly string[];
  readonly netbiosNameServers?: readonly string[];
  readonly netbiosNodeType?: 1 | 2 | 4 | 8;
};

export type Subnet = {
  readonly id: string;
  readonly vpc: string;
  /** `us-east-1a` */
  readonly zone: string;
  /** Within the VPC; the first four addresses and the last are EC2's own. */
  readonly cidr: string;
  /** A /64. */
  readonly ipv6Cidr?: string;
  readonly networkAcl: string;
  readonly routeTable: string;
};

export type NetworkInterface = {
  readonly id: string;
  readonly subnet: string;
  /** `02:00:00:00:00:01`; also which port of the switch it is. */
  readonly mac: string;
  /** The first is the primary one. */
  readonly addresses: readonly PrivateAddress[];
  readonly ipv6Addresses?: readonly string[];
  readonly groups: readonly string[];
  /** True unless told; off for appliances: NAT instances, routers, firewalls. */
  readonly sourceDestCheck?: boolean;
  /**
   * `efa`: an ENA and an EFA with one MAC address; `efa-only`: an EFA, which has no IP address.
   * `interface` unless told.
   */
  readonly interfaceType?: InterfaceType;
  /** Attached to. */
  readonly instance?: string;
  /** Its number on the network card; 0 unless told. Number 0 of card 0 is the primary interface. */
  readonly deviceIndex?: number;
  /** 0 unless told. */
  readonly networkCardIndex?: number;
  readonly tracking?: TrackingTimeouts;
};

export type InterfaceType = 'interface' | 'efa' | 'efa-only';

export type PrivateAddress = {
  readonly address: string;
  /** The public or Elastic IP address that the internet gateway translates it to. */
  readonly publicAddress?: string;
};

/** Idle time-outs of tracked connections, in seconds (ConnectionTrackingSpecification). */
export type TrackingTimeouts = {
  /** 60 .. 432000; 432000 unless told, 350 on Nitro v6. */
  readonly tcpEstablishedSeconds?: number;
  /** 30 .. 60; 30 unless told: UDP seen in one direction, or one request and its response. */
  readonly udpSeconds?: number;
  /** 60 .. 180; 180 unless told: UDP with more than one request and response. */
  readonly udpStreamSeconds?: number;
};

export type Instance = {
  readonly id: string;
  /** For people; the guest's name in a lab. */
  readonly name: string;
  readonly type: string;
  readonly placementGroup?: string;
  readonly metadata?: MetadataOptions;
  /** As given; the metadata service serves these bytes. */
  readonly userData?: string;
  readonly imageId?: string;
  /** ISO 8601, in UTC: `2026-03-01T12:00:00Z`. */
  readonly launchTime?: string;
  /** OpenSSH public keys by name. */
  readonly publicKeys?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
};

export type MetadataOptions = {
  /** False: whatever is asked is forbidden. True unless told. */
  readonly endpoint?: boolean;
  /** `required`: version 2 only. `optional` unless told. */
  readonly tokens?: 'optional' | 'required';
  /** Time to live of packets that carry a token, 1 .. 64; 1 unless told. */
  readonly hopLimit?: number;
  /** Answer at fd00:ec2::254 too; false unless told. */
  readonly ipv6?: boolean;
  readonly instanceTags?: boolean;
};

export type SecurityGroup = {
  readonly id: string;
  readonly vpc: string;
  readonly name: string;
  readonly inbound: readonly SecurityGroupRule[];
  readonly outbound: readonly SecurityGroupRule[];
};

/** One allowed kind of traffic. Rules are a union: their order means nothing. */
export type SecurityGroupRule = {
  /** `sgr-0a1` */
  readonly id: string;
  /** An IP protocol number, or -1: all. */
  readonly protocol: number;
  /**
   * TCP and UDP: ports. ICMP and ICMPv6: `fromPort` is the type and `toPort` the code, -1: any.
   * Other protocols: absent, all ports.
   */
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly peer: RulePeer;
};

/** Who the other side may be. A group stands for the private addresses of its interfaces. */
export type RulePeer =
  | { readonly cidr: string }
  | { readonly prefixList: string }
  | { readonly group: string };

export type NetworkAcl = {
  readonly id: string;
  readonly vpc: string;
  readonly inbound: readonly NetworkAclEntry[];
  readonly outbound: readonly NetworkAclEntry[];
};

/** The lowest number that matches decides; what matches none is denied (EC2 shows that as `*`). */
export type NetworkAclEntry = {
  /** 1 .. 32766 */
  readonly number: number;
  readonly action: 'allow' | 'deny';
  /** An IP protocol number, or -1: all. */
  readonly protocol: number;
  /** An IPv4 or IPv6 prefix; an entry is for its own version only. */
  readonly cidr: string;
  /** TCP and UDP; absent: all ports. */
  readonly fromPort?: number;
  readonly toPort?: number;
  /** ICMP and ICMPv6; -1 or absent: any. */
  readonly icmpType?: number;
  readonly icmpCode?: number;
};

export type RouteTable = {
  readonly id: string;
  readonly vpc: string;
  /** The VPC's own prefixes are always routed `local`, and need not be listed. */
  readonly routes: readonly Route[];
};

export type Route = {
  /** A prefix, or the id of a prefix list. */
  readonly destination: string;
  /** `local`, `blackhole`, or the id of a gateway (`igw-`, `eigw-`, `nat-`) or interface (`eni-`). */
  readonly target: string;
};

export type PrefixList = {
  readonly id: string;
  readonly name: string;
  readonly cidrs: readonly string[];
  /** What counts against rule quotas; the number of entries unless told. */
  readonly maxEntries?: number;
};

export type InternetGateway = { readonly id: string; readonly vpc: string };
export type EgressOnlyInternetGateway = { readonly id: string; readonly vpc: string };

export type NatGateway = {
  readonly id: string;
  readonly subnet: string;
  /** Its address in the subnet. */
  readonly address: string;
  /** Absent: a private NAT gateway. */
  readonly publicAddress?: string;
};

export type PlacementGroup = {
  readonly id: string;
  readonly name: string;
  readonly strategy: 'cluster' | 'spread' | 'partition';
};
