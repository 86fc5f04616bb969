/**
 * Who has which address on a network, as plain data: what ARP and DHCP answer from.
 *
 * Addresses are dotted text here, for people and files; the responders keep them as integers.
 */

export type Lease = {
  /** The MAC that this lease is for, as a number (`parseMac`). */
  readonly mac: number;
  readonly address: string;
  readonly hostname?: string;
};

export type NetworkPlan = {
  /** The router, which is the DHCP server too: it answers ARP, but forwards nothing yet. */
  readonly router: { readonly mac: number; readonly address: string };
  /** Bits of the network's prefix. */
  readonly prefix: number;
  /** The MTU that guests are told; EC2 says 9001. */
  readonly mtu: number;
  readonly leaseSeconds: number;
  /** Offer the router as the default gateway. */
  readonly defaultRoute: boolean;
  readonly dns: readonly string[];
  readonly domain?: string;
  readonly leases: readonly Lease[];
};

/** A /16 as VPCs have it, with the values that EC2 uses. */
export const defaultPlan: NetworkPlan = {
  router: { mac: 0x0a_00_00_00_00_01, address: '10.0.0.1' },
  prefix: 16,
  mtu: 9001,
  leaseSeconds: 3600,
  defaultRoute: true,
  dns: [],
  leases: [],
};
