/**
 * Who has which public address, and which prefixes are whose: compiled from a model for what leaves
 * and enters by gateways.
 */
import { parseIpv4 } from '../../net/ipv4.ts';
import type { Headers } from '../../net/parse.ts';
import { hasIpv4, hasIpv6, type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { VpcModel } from '../model.ts';

/** What a public address belongs to: a private address, or a NAT gateway by its id. */
export type Owner =
  | { readonly vpc: string; readonly address: number }
  | { readonly vpc: string; readonly nat: string };

export type VpcPrefixes = {
  readonly id: string;
  readonly prefixes4: readonly Prefix[];
  readonly prefixes6: readonly Prefix[];
  readonly subnets6: readonly { readonly id: string; readonly prefix: Prefix }[];
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
      prefixes4: cidrs.map(parsePrefix),
      prefixes6: ipv6Cidrs.map(parsePrefix),
      subnets6: model.subnets.flatMap(({ id: subnet, vpc, ipv6Cidr }) =>
        vpc === id && ipv6Cidr !== undefined ? [{ id: subnet, prefix: parsePrefix(ipv6Cidr) }] : [],
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

  /** The VPC that a packet's IPv6 destination is in, and its subnet; or undefined. */
  vpcOf6(h: Headers): VpcPrefixes | undefined {
    const to = [h.dst0, h.dst1, h.dst2, h.dst] as const;
    return this.vpcs.find(({ prefixes6 }) => prefixes6.some((prefix) => hasIpv6(prefix, to)));
  }

  /** Whether a packet says that it comes from within the VPC that it wants to enter. */
  isFromWithin(vpc: string, h: Headers): boolean {
    const { prefixes4, prefixes6 } = this.vpcs.find(({ id }) => id === vpc) ?? nowhere;
    if (h.ipVersion === 4) return prefixes4.some((prefix) => hasIpv4(prefix, h.src));
    const from = [h.src0, h.src1, h.src2, h.src] as const;
    return prefixes6.some((prefix) => hasIpv6(prefix, from));
  }
}

const nowhere: VpcPrefixes = { id: '', prefixes4: [], prefixes6: [], subnets6: [] };
