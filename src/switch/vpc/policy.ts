/**
 * A policy: everything that a VPC router decides by, compiled and never changed. Things refer to
 * each other by their place in these lists, so that two versions share what is the same in both.
 */
import type { ErrorSource } from '../../net/icmp-errors.ts';
import type { AddressTable } from './address-table.ts';
import type { EntryTable, RuleTable } from './filter-table.ts';
import type { RouteRows } from './route-table.ts';

export type Policy = {
  /** Told to people; later ones are larger. */
  readonly version: number;
  readonly vpcs: readonly VpcTables[];
  readonly subnets: readonly SubnetTables[];
  readonly nics: readonly NicTables[];
  readonly groups: readonly GroupTables[];
  readonly acls: readonly AclTables[];
  readonly routes: readonly RouteRows[];
  readonly gateways: readonly GatewayTables[];
};

/** A table for IPv4 and one for IPv6. */
export type ByVersion<T> = { readonly v4: T; readonly v6: T };

export type VpcTables = {
  readonly id: string;
  /** Its interfaces' private addresses, its routers' and its resolver's. */
  readonly addresses: AddressTable;
};

export type SubnetTables = {
  readonly id: string;
  readonly vpc: number;
  /** Its Availability Zone. */
  readonly zone: string;
  readonly acl: number;
  readonly routes: number;
  /** Its router: whose MAC it has, and who says that a packet is too big. */
  readonly router: ErrorSource;
};

/** A network interface. */
export type NicTables = {
  readonly id: string;
  readonly mac: number;
  /** `efa`: an Ethernet card and an EFA in one; `efa-only`: the EFA alone. */
  readonly type: 'interface' | 'efa' | 'efa-only';
  readonly vpc: number;
  readonly subnet: number;
  readonly groups: Int32Array;
  readonly sourceDestCheck: boolean;
  /** Whose allowance of tracked connections it shares: its instance's id, or its own. */
  readonly account: string;
  /** Private IPv4 addresses that an internet gateway translates. */
  readonly translated: Int32Array;
  readonly timeouts: NicTimeouts;
  /** `no outbound rule in sg-0a1 matches` */
  readonly noOutbound: string;
  readonly noInbound: string;
};

/** Idle time-outs of tracked connections that an interface may set, in nanoseconds. */
export type NicTimeouts = {
  readonly tcpEstablishedNs: number;
  readonly udpNs: number;
  readonly udpStreamNs: number;
};

export type GroupTables = {
  readonly id: string;
  readonly inbound: ByVersion<RuleTable>;
  readonly outbound: ByVersion<RuleTable>;
};

export type AclTables = {
  readonly id: string;
  readonly inbound: ByVersion<EntryTable>;
  readonly outbound: ByVersion<EntryTable>;
  /** `acl-0a1 inbound *: deny all` */
  readonly finalInbound: string;
  readonly finalOutbound: string;
};

export type GatewayKind = 'internet' | 'egressOnly' | 'nat';

export type GatewayTables = {
  readonly id: string;
  readonly kind: GatewayKind;
  readonly vpc: number;
  /** A NAT gateway's own; -1: it has none. */
  readonly subnet: number;
};
