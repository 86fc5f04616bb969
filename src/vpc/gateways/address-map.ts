/**
 * Who has which public address, and which prefixes are whose: compiled from a model for what leaves
 * and enters by gateways.
 */
import { ipv4Mask, parseIpv4 } from '../../net/ipv4.ts';
import type { Ipv6Address } from '../../net/ipv6.ts';
import type { Headers } from '../../net/parse.ts';
import { parsePrefix } from '../../net/prefix.ts';
import type { VpcModel } from '../model.ts';

/** What a public address belongs to: a private address, or a NAT gateway by its id. */
export type Owner =
  | { readonly vpc: string; readonly address: number }
  | { readonly vpc: string; readonly nat: string };

/** A prefix as words, to be compared without making anything. */
type Masked = { readonly base: Ipv6Address; readonly mask: Ipv6Address };

export type VpcPrefixes = {
  readonly id: string;
  readonly prefixes4: readonly Masked[];
  readonly prefixes6: readonly Masked[];
  readonly subnets6: readonly (Masked & { readonly id: string })[];
};

export class AddressMap {
  readonly vpcs: readonly VpcPrefixes[];
  /** By public address. */
  readonly #owners = new Map<number, Owner>();
  /** Public addresses by private ones, by VPC. */
  readonly #publics = new Map<string, Map<number, number>>();

  constructor(model: VpcModel) {
    this.vpcs = model.vpcs.map(({ id, cidrs, ipv6Cidrs = [] }) => ({
      id,
      prefixes4: cidrs.map(masked),
      prefixes6: ipv6Cidrs.map(masked),
      subnets6: model.subnets.flatMap(({ id: subnet, vpc, ipv6Cidr }) =>
        vpc === id && ipv6Cidr !== undefined ? [{ id: subnet, ...masked(ipv6Cidr) }] : [],
      ),
    }));
    const vpcOf = new Map(model.subnets.map(({ id, vpc }) => [id, vpc]));
    const gated = new Set(model.internetGateways.map(({ vpc }) => vpc));
    for (const { subnet, addresses } of model.interfaces)
      for (const { address, publicAddress } of addresses)
        if (publicAddress !== undefined)
          this.#add(vpcOf.get(subnet) ?? '', parseIpv4(address), parseIpv4(publicAddress), gated);
    for (const { id, subnet, publicAddress } of model.natGateways) {
      const vpc = vpcOf.get(subnet) ?? '';
      if (publicAddress !== undefined && gated.has(vpc))
        this.#owners.set(parseIpv4(publicAddress), { vpc, nat: id });
    }
  }

  /** A VPC without an internet gateway is not reached by its public addresses. */
  #add(vpc: string, address: number, publicAddress: number, gated: ReadonlySet<string>): void {
    if (!gated.has(vpc)) return;
    this.#owners.set(publicAddress, { vpc, address });
    const publics = this.#publics.get(vpc) ?? new Map<number, number>();
    publics.set(address, publicAddress);
    this.#publics.set(vpc, publics);
  }

  ownerOf(publicAddress: number): Owner | undefined {
    return this.#owners.get(publicAddress);
  }

  /** The public address of a private one, or undefined. */
  publicOf(vpc: string, address: number): number | undefined {
    return this.#publics.get(vpc)?.get(address);
  }

  /** The VPC that a packet's IPv6 destination is in, or null. */
  vpcOf6(h: Headers): VpcPrefixes | null {
    for (let i = 0; i < this.vpcs.length; i++) {
      const vpc = this.vpcs[i] as VpcPrefixes;
      if (firstOf(vpc.prefixes6, h.dst0, h.dst1, h.dst2, h.dst) >= 0) return vpc;
    }
    return null;
  }

  /** The id of the subnet of `vpc` that a packet's IPv6 destination is in, or ''. */
  subnetOf6({ subnets6 }: VpcPrefixes, h: Headers): string {
    return subnets6[firstOf(subnets6, h.dst0, h.dst1, h.dst2, h.dst)]?.id ?? '';
  }

  /** Whether a packet says that it comes from within the VPC that it wants to enter. */
  isFromWithin(id: string, h: Headers): boolean {
    for (let i = 0; i < this.vpcs.length; i++) {
      const vpc = this.vpcs[i] as VpcPrefixes;
      if (vpc.id !== id) continue;
      return h.ipVersion === 4
        ? firstOf(vpc.prefixes4, h.src, 0, 0, 0) >= 0
        : firstOf(vpc.prefixes6, h.src0, h.src1, h.src2, h.src) >= 0;
    }
    return false;
  }
}

function masked(text: string): Masked {
  const { base, length } = parsePrefix(text);
  const word = (i: number): number => ipv4Mask(Math.max(0, Math.min(32, length - 32 * i)));
  return { base, mask: [word(0), word(1), word(2), word(3)] };
}

/** The place of the first prefix that holds an address (of IPv4: in the first word), or -1. */
function firstOf(all: readonly Masked[], a: number, b: number, c: number, d: number): number {
  for (let i = 0; i < all.length; i++) {
    const { base, mask } = all[i] as Masked;
    if (
      (a & mask[0]) === base[0] &&
      (b & mask[1]) === base[1] &&
      (c & mask[2]) === base[2] &&
      (d & mask[3]) === base[3]
    )
      return i;
  }
  return -1;
}
