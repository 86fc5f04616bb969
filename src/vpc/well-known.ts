/**
 * What every VPC has without anybody having made it: the router of each subnet, and the addresses
 * of the network's own services. Sources: Amazon VPC User Guide (subnet sizing, DNS), EC2 User
 * Guide (instance metadata, Amazon Time Sync Service).
 */
import { macHi, macLo } from '../net/ethernet.ts';
import type { ErrorSource } from '../net/icmp-errors.ts';
import { parseIpv4 } from '../net/ipv4.ts';
import { type Ipv6Address, parseIpv6 } from '../net/ipv6.ts';
import { parsePrefix } from '../net/prefix.ts';
import type { Subnet, Vpc } from './model.ts';

/** Answered for every interface, whatever its groups and ACLs say. */
export const serviceAddresses = {
  resolver: parseIpv4('169.254.169.253'),
  metadata: parseIpv4('169.254.169.254'),
  time: parseIpv4('169.254.169.123'),
  resolver6: parseIpv6('fd00:ec2::253'),
  metadata6: parseIpv6('fd00:ec2::254'),
  time6: parseIpv6('fd00:ec2::123'),
} as const;

/** A subnet's router: its base + 1. */
export const routerAddress = (subnet: Subnet): number => (parsePrefix(subnet.cidr).base[0] + 1) | 0;

/** The resolver's address in a VPC: the base of its primary prefix + 2. */
export const resolverAddress = (vpc: Vpc): number =>
  (parsePrefix(vpc.cidrs[0] as string).base[0] + 2) | 0;

/**
 * The MAC of a subnet's router: locally administered, 0a:fe and the 32-bit FNV-1a hash of the
 * subnet's id, so that it stays the same whenever and wherever the subnet is served. EC2's are of
 * this kind too, and as little documented.
 */
export function routerMac(subnetId: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of new TextEncoder().encode(subnetId)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return 0x0afe * 2 ** 32 + (hash >>> 0);
}

/** A subnet's router as it shows itself. */
export const routerOf = (subnet: Subnet): ErrorSource => ({
  mac: routerMac(subnet.id),
  address: routerAddress(subnet),
  address6: linkLocalOf(routerMac(subnet.id)),
});

/** fe80:: with the modified EUI-64 of a MAC (RFC 4291, appendix A): a router's address, in a VPC. */
export function linkLocalOf(mac: number): Ipv6Address {
  const hi = macHi(mac);
  const lo = macLo(mac);
  return [
    0xfe80_0000 | 0,
    0,
    ((hi ^ 0x0200) << 16) | ((lo >>> 24) << 8) | 0xff,
    (0xfe << 24) | (lo & 0xff_ffff),
  ];
}
