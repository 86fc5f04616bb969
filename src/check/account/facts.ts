/**
 * What `virtfn check account` knows of one Region of an account, as plain data: gathered by
 * `host/account` from DescribeXxx answers, with their names.
 */
import type { Fact } from '../fact.ts';

export type InstanceFacts = {
  readonly id: string;
  /** Its tag Name; may be empty. */
  readonly name: string;
  readonly type: string;
  /** running, stopped, ... */
  readonly state: string;
  readonly image: string;
  readonly enaSupport: boolean;
  /** `simple`, or empty. */
  readonly sriovNetSupport: string;
  readonly zone: string;
  /** Of its placement group; empty: none. */
  readonly placementGroup: string;
};

export type ImageFacts = {
  readonly id: string;
  readonly name: string;
  readonly isOwn: boolean;
  readonly enaSupport: boolean;
  readonly sriovNetSupport: string;
  readonly virtualization: string;
  /** `legacy-bios`, `uefi`, `uefi-preferred`; empty: the type's default. */
  readonly bootMode: string;
  readonly architecture: string;
  readonly imdsSupport: string;
};

export type AttachmentFacts = {
  readonly instance: string;
  readonly deviceIndex: number;
  readonly cardIndex: number;
  /** null: ENA Express is not spoken of. */
  readonly enaExpress: boolean | null;
  /** null: as the type has by default. */
  readonly enaQueues: number | null;
};

export type EniFacts = {
  readonly id: string;
  /** `interface`, `efa`, `efa-only`, `trunk`, ... */
  readonly kind: string;
  readonly vpc: string;
  readonly zone: string;
  readonly groups: readonly string[];
  readonly attachment: AttachmentFacts | null;
};

export type PermissionFacts = {
  /** `-1`: all. */
  readonly protocol: string;
  readonly fromPort: number | null;
  readonly toPort: number | null;
  readonly groups: readonly string[];
  readonly cidrs: readonly string[];
  readonly prefixLists: number;
};

export type GroupFacts = {
  readonly id: string;
  readonly name: string;
  readonly inbound: readonly PermissionFacts[];
  readonly outbound: readonly PermissionFacts[];
};

export type AclEntryFacts = {
  readonly number: number;
  readonly isEgress: boolean;
  readonly isAllow: boolean;
  /** `-1` all, `6` tcp, ... */
  readonly protocol: string;
  readonly cidr: string;
  readonly fromPort: number | null;
  readonly toPort: number | null;
};

export type AclFacts = {
  readonly id: string;
  readonly subnets: readonly string[];
  readonly entries: readonly AclEntryFacts[];
};

export type SubnetFacts = {
  readonly id: string;
  readonly vpc: string;
  readonly cidr: string;
  readonly available: number;
};

/** The network of a type: EC2's answer, or the catalogue's. */
export type TypeFacts = {
  readonly name: string;
  readonly ena: 'required' | 'supported' | 'unsupported';
  readonly efaInterfaces: number;
  readonly maxInterfaces: number;
  readonly networkCards: number;
  readonly enaExpress: boolean;
  readonly vf82599: boolean;
  /** Queue pairs of an interface by default; null: not published. */
  readonly queues: number | null;
  /** null: not published. */
  readonly bootModes: readonly string[] | null;
};

export type AccountFacts = {
  readonly region: string;
  readonly instances: Fact<readonly InstanceFacts[]>;
  /** Own ones, and those that instances were made of. */
  readonly images: Fact<readonly ImageFacts[]>;
  readonly interfaces: Fact<readonly EniFacts[]>;
  readonly groups: Fact<readonly GroupFacts[]>;
  readonly acls: Fact<readonly AclFacts[]>;
  readonly subnets: Fact<readonly SubnetFacts[]>;
  /** Name -> strategy. */
  readonly placementGroups: Fact<ReadonlyMap<string, string>>;
  /** What DescribeInstanceTypes says of the types of instances. */
  readonly told: Fact<readonly TypeFacts[]>;
  /** What the catalogue has of them. */
  readonly published: readonly TypeFacts[];
  /** vpc-max-security-groups-per-interface of the account. */
  readonly groupsPerInterface: Fact<number>;
};
